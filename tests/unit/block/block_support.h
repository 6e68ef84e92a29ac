/* Blocks in memory, and logs to be put into them. */
#ifndef LOGMILL_TESTS_BLOCK_SUPPORT_H
#define LOGMILL_TESTS_BLOCK_SUPPORT_H

#include "block/reader.h"
#include "block/writer.h"

/* Rows with texts of their own. */
struct test_rows {
    struct block_row *rows;
    size_t len, capacity;
    char **texts;
    size_t texts_len, texts_capacity;
};

void test_rows_release(struct test_rows *t);

/* Adds a log, a microsecond after the one before; the texts are copied. */
void test_rows_add(struct test_rows *t, struct slice level, struct slice message,
                   struct slice attributes);

/* A pseudo-random number below `n`, of *state. */
uint64_t test_random(uint64_t *state, uint64_t n);

/* Adds a log as services write them, or as none should. */
void test_rows_add_random(struct test_rows *t, uint64_t *state);

struct test_block {
    struct buffer bytes;
    struct block_head head;
    struct block_source source;
};

/* A block of all rows. */
void test_block_write(struct test_block *b, const struct test_rows *t,
                      const struct block_options *options);
void test_block_release(struct test_block *b);

/* Fails unless `r` gives back the rows, in order and in any other. */
void test_block_is(struct block_reader *r, const struct test_block *b, const struct test_rows *t,
                   const struct block_options *options);

#endif
