/*
 * The words of a message and the values of attributes, as the hashes by which blocks are searched:
 * what the writer puts into a filter and what a query asks of it are the same by being made here.
 *
 * A word: a run, as long as can be, of letters, digits, "_" and bytes above 0x7f of the folded
 * message (text_fold). Words of fewer than BLOCK_WORD_MIN bytes, and numbers of fewer digits than
 * BLOCK_NUMBER_MIN, are in nearly every block and have no hash; nor have measures: digits with at
 * most BLOCK_UNIT_MAX letters behind them, together shorter than BLOCK_MEASURE_LEN.
 */
#ifndef LOGMILL_BLOCK_WORDS_H
#define LOGMILL_BLOCK_WORDS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

enum { BLOCK_WORD_MIN = 2, BLOCK_NUMBER_MIN = 4, BLOCK_UNIT_MAX = 2, BLOCK_MEASURE_LEN = 8 };

/* Called for each word of a folded text that has a hash; `at` is where it stands. */
typedef void block_word_fn(uint64_t hash, struct slice word, void *ctx);

void block_words(struct slice folded, block_word_fn *fn, void *ctx);

/*
 * The hash of a value of the attribute at `path`, the names that lead to it with dots between them
 * (query/path.h; an array's elements have its path): the characters of a string (escapes undone),
 * the text of a number or literal.
 */
uint64_t block_value_hash(struct slice path, struct slice value);

/*
 * Numbers that are equal have one such text: that of block_number_text is hashed, too. Writes it to
 * `room`, or returns `text` itself; data NULL: there is no room, or `text` is no number of JSON.
 */
enum { BLOCK_NUMBER_ROOM = 64 };
struct slice block_number_text(struct slice text, char room[BLOCK_NUMBER_ROOM]);

#endif
