/*
 * The blocks that a reader has open: a handful, the last that were asked for, with what is decoded
 * of them, kept from call to call. Blocks never change, so that what was read of one in an earlier
 * snapshot is right as long as a segment has it.
 */
#ifndef LOGMILL_STORE_SQLITE_BLOCKS_H
#define LOGMILL_STORE_SQLITE_BLOCKS_H

#include "block/reader.h"
#include "block/select.h"
#include "store/sqlite/segment.h"

enum {
    BLOCKS_OPEN_MAX = 32,         /* as many segments that overlap are read side by side */
    BLOCKS_KEPT = 8,              /* of those that were passed, for the next call */
    BLOCKS_KEPT_BYTES = 12 << 20, /* of all of them, but the one that was opened last */
};

struct blocks;

struct open_block {
    struct block_reader *reader; /* NULL: the place is free */
    struct block_head head;      /* without its levels */
    uint64_t used;               /* when it was last asked for */
    bool is_passed;              /* blocks_pass, since */
    struct block_source source;
    struct blocks *blocks;
    /* The rows from[0..to) that match a plan, but for those that are marked as erased: */
    uint64_t plan;  /* its number; 0: none */
    int64_t marked; /* and the number of changes of its segment at that time */
    uint32_t from, to;
    uint64_t *rows;
    size_t words; /* allocated */
};

/* All zeroes but for db and kept: none is open. */
struct blocks {
    struct sqlite_db *db;
    struct open_block open[BLOCKS_OPEN_MAX];
    int kept; /* of those that were passed; 0: BLOCKS_KEPT */
    uint64_t calls;
    uint64_t bytes;           /* read, since somebody last looked and set it to 0 */
    struct segment_blob blob; /* on one of them */
    int64_t blob_block;
};

void blocks_clear(struct blocks *b); /* frees all */
unsigned blocks_count(const struct blocks *b);

/* Before the end of a call, and of its transaction. */
void blocks_rest(struct blocks *b);

/* Ends what reading one has left open in the file; the next reading begins it anew. */
void blocks_close_blob(struct blocks *b);

/* Opens the block, if it is not. `*block` is that until the next call of this. */
int blocks_open(struct blocks *b, const struct block_head *head, struct open_block **block,
                struct errbuf *err) LM_MUST_CHECK;

/* Whether it is open. */
bool blocks_has(const struct blocks *b, int64_t number);

/* The call that is under way is past the block: others take its place first. */
void blocks_pass(struct blocks *b, int64_t number);

/* The number of its rows with a key below `key`. */
int blocks_rows_below(struct open_block *block, const struct log_key *key, uint32_t *rows,
                      struct errbuf *err) LM_MUST_CHECK;

/* What blocks_select asks for. */
struct blocks_wanted {
    const struct segment *segment;
    const struct block_plan *plan; /* NULL: all rows match */
    uint64_t plan_number;          /* of the plan; one that is never used again; not 0 */
    uint32_t from, to;
    struct block_explain *explain; /* or NULL */
};

/*
 * Sets block->rows, as in block/select.h, for the rows from `from` to before `to`: those that match
 * and are not marked as erased. The bits outside mean nothing.
 */
int blocks_select(struct open_block *block, const struct blocks_wanted *wanted,
                  struct errbuf *err) LM_MUST_CHECK;

#endif
