/*
 * Whole blocks that a call will come to, looked into ahead by helpers (store/helpers.h): what of
 * them matches, as a batch. A block never changes, so it does not matter in which snapshot a helper
 * reads it; one that it cannot read, for whatever reason, is left to the caller, who does the same
 * by itself and so tells what is wrong. Blocks with erased logs are not for helpers.
 */
#ifndef LOGMILL_STORE_SQLITE_PARTS_H
#define LOGMILL_STORE_SQLITE_PARTS_H

#include "block/batch.h"
#include "store/sqlite/internal.h"

enum {
    PARTS_MAX = 8,               /* that are there at once: four for each helper, but not more */
    PARTS_BYTES_MAX = 16 << 20,  /* of their texts; a single one may be longer */
    PARTS_MEMORY_MAX = 16 << 20, /* of those ahead, if they are as large as the largest so far */
    PARTS_KEPT_BYTES = 1 << 20,  /* of the memory of one, for the next */
};

struct parts;

struct parts *parts_new(struct store_sqlite_reader *r);
void parts_free(struct parts *p); /* NULL does nothing */

/* Around a call of the reader: what is asked of each block; `plan` may be NULL. */
void parts_begin(struct parts *p, struct store_helpers *helpers, const struct log_fields *fields,
                 const struct block_plan *plan, uint64_t plan_number);
void parts_end(struct parts *p); /* waits for what is under way */

/* Whether one more, with texts of so many bytes, may be offered now. */
bool parts_have_room(const struct parts *p, uint64_t raw_bytes);

void parts_offer(struct parts *p, const struct segment *segment, const struct block_head *head);

/* Whether the block was offered, and not yet taken. */
bool parts_have(const struct parts *p, int64_t block);

/* How many were. */
unsigned parts_ahead(const struct parts *p);

/* Nothing more is wanted but what somebody works on, or has done. */
void parts_stop(struct parts *p);

/*
 * Takes the block. True: what came of it, until the next call of this; false: nobody has looked
 * into it, or could.
 */
bool parts_take(struct parts *p, int64_t number, struct open_block **block,
                struct block_batched *batched);

#endif
