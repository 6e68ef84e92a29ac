/*
 * A block, opened: columns are read and decoded when they are first asked for, and kept until the
 * reader opens another block. One thread at a time.
 */
#ifndef LOGMILL_BLOCK_READER_H
#define LOGMILL_BLOCK_READER_H

#include "base/errbuf.h"
#include "block/head.h"
#include "block/info.h"
#include "block/source.h"

struct block_reader;

struct block_reader *block_reader_new(void);
void block_reader_free(struct block_reader *r); /* NULL does nothing */

/*
 * Reads the directory of a block; `head` bounds what is in it. The source is used until another
 * block is opened or block_close. LM_EIO if it is damaged or of a version that is not known.
 */
int block_open(struct block_reader *r, const struct block_source *source,
               const struct block_head *head, struct errbuf *err) LM_MUST_CHECK;

/* How many rows the open block has. */
size_t block_rows(const struct block_reader *r);

/* Forgets the block, keeps the memory. */
void block_close(struct block_reader *r);

/* Bytes of memory that it holds now. */
size_t block_reader_memory(const struct block_reader *r);

/* The keys of all rows, ascending: head.rows of them; a view until another block is opened. */
int block_keys(struct block_reader *r, const struct log_key **keys,
               struct errbuf *err) LM_MUST_CHECK;

/* The times alone, which cost less. */
int block_times(struct block_reader *r, const int64_t **times_us, struct errbuf *err) LM_MUST_CHECK;

/* The row of `key`, or of the lowest key above it (head.rows: none). */
int block_find(struct block_reader *r, const struct log_key *key, size_t *row, bool *found,
               struct errbuf *err) LM_MUST_CHECK;

/* The numbers in the order of storing, one a row; NULL if they are not kept. */
int block_sequences(struct block_reader *r, const uint64_t **sequences,
                    struct errbuf *err) LM_MUST_CHECK;

/* The levels: codes[row] is the number of its level, of which there are *levels_len. */
int block_levels(struct block_reader *r, const uint16_t **codes, const struct slice **levels,
                 size_t *levels_len, struct errbuf *err) LM_MUST_CHECK;

/* The log of a row, byte for byte as it was written. Its texts live until the next call of this. */
int block_record(struct block_reader *r, size_t row, struct record *record,
                 struct errbuf *err) LM_MUST_CHECK;

/* Reads and checks all of the block, whether anything asks for it or not. */
int block_verify(struct block_reader *r, struct errbuf *err) LM_MUST_CHECK;

/* Calls fn for each column (info.h), without raw_bytes. */
int block_columns(struct block_reader *r, block_column_fn *fn, void *ctx,
                  struct errbuf *err) LM_MUST_CHECK;

/* The same with them: decodes all of the block. */
int block_measure(struct block_reader *r, block_column_fn *fn, void *ctx,
                  struct errbuf *err) LM_MUST_CHECK;

#endif
