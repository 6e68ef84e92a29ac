/*
 * Single logs in blocks, by their keys: of the blocks that were asked last, the keys stay decoded.
 * Blocks never change, and a number is never that of another block.
 */
#ifndef LOGMILL_STORE_SQLITE_BLOCK_KEYS_H
#define LOGMILL_STORE_SQLITE_BLOCK_KEYS_H

#include "block/head.h"
#include "sqlite/db.h"

struct block_keys;

struct block_keys *block_keys_new(size_t blocks); /* of which so many stay */
void block_keys_free(struct block_keys *b);       /* NULL does nothing */

/*
 * The log of a key; its texts live until the next call. LM_ENOTFOUND if it is not in the block, is
 * marked as erased, or the block is damaged; another error of the file.
 */
int block_keys_find(struct block_keys *b, struct sqlite_db *db, const struct block_head *head,
                    const struct log_key *key, struct record *record,
                    struct errbuf *err) LM_MUST_CHECK;

/* Lets go of the block that is open: before the end of the transaction. */
void block_keys_close(struct block_keys *b);

/* Of an LM_EIO that has just come: whether it is about bytes that are wrong, not about the file. */
bool block_keys_is_damage(struct sqlite_db *db);

#endif
