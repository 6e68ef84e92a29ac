/*
 * The hashes by which the logs of a block are searched (words.h), gathered, each once: for who
 * makes a filter, and who checks one.
 */
#ifndef LOGMILL_BLOCK_HASHES_H
#define LOGMILL_BLOCK_HASHES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

struct block_hashes;

struct block_hashes *block_hashes_new(void);
void block_hashes_free(struct block_hashes *h); /* NULL does nothing */

void block_hashes_clear(struct block_hashes *h);

/* Those of the words of a text, which may be a part of a message if it cuts no word. */
void block_hashes_add_text(struct block_hashes *h, struct slice text);

/*
 * That of a scalar: `path` and, if it `is_string`, `value` are as in JSON, without their quotes.
 * Of numbers, that of block_number_text, too.
 */
void block_hashes_add_value(struct block_hashes *h, struct slice path, struct slice value,
                            bool is_string);

/* Those of all scalars in attributes; none if they are no JSON, for then they match nothing. */
void block_hashes_add_object(struct block_hashes *h, struct slice json);

/* The same of its members that are scalars alone, without block_number_text: as it was before. */
void block_hashes_add_top(struct block_hashes *h, struct slice json);

/* Of an array's elements only so many are added: an array that has more is none of a few tags. */
enum { BLOCK_HASHES_ELEMENTS_MAX = 64 };

/* Something was not added, or is not going to be. */
void block_hashes_leave_out(struct block_hashes *h);
bool block_hashes_are_all(const struct block_hashes *h);

/* LM_ENOMEM if memory has run out since the last call of block_hashes_clear. */
int block_hashes_error(const struct block_hashes *h) LM_MUST_CHECK;

/* A view until more are added. */
void block_hashes_get(const struct block_hashes *h, const uint64_t **hashes, size_t *n);

#endif
