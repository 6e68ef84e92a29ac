/*
 * The keys of a block as columns: times, ids and numbers in the order of storing. Internal to
 * block/.
 */
#ifndef LOGMILL_BLOCK_KEYS_H
#define LOGMILL_BLOCK_KEYS_H

#include "block/block.h"
#include "block/numbers.h"

/* ---- Writing ---- */

struct keys_writer {
    struct numbers_writer *numbers;
    uint64_t *values; /* four columns of as many as there are rows */
    size_t values_capacity;
    struct buffer ids;
    bool no_memory;
};

void keys_writer_init(struct keys_writer *w, struct numbers_writer *numbers);
void keys_writer_release(struct keys_writer *w);
void keys_write(struct keys_writer *w, const struct block_row *rows, size_t n, bool keeps_sequence);

/* LM_ENOMEM if memory has run out since the last call. */
int keys_writer_error(struct keys_writer *w) LM_MUST_CHECK;

/* ---- Reading ---- */

struct keys_stored {
    uint32_t rows;
    bool keeps_sequence;
    struct numbers_stored times;
    struct numbers_stored sorts; /* of ids */
    uint32_t moved_len, stepped_len, whole_len, other_len;
    struct numbers_stored moved;        /* of ids of another millisecond: how far it is away */
    struct numbers_stored runs;         /* of ids of version 7: which one they follow, or none */
    struct numbers_stored steps;        /* of those that follow one: how far */
    struct numbers_stored upper, lower; /* of those that follow none */
    struct stream others;               /* of no version 7, as they are */
    struct numbers_stored sequences;
};

/* Takes the keys of `rows` rows off the directory; false: damaged. */
bool keys_take(struct stream_reader *r, uint32_t rows, struct keys_stored *s);

int keys_load_times(struct stream_reader *r, const struct keys_stored *s, int64_t *times,
                    struct errbuf *err) LM_MUST_CHECK;
int keys_load_ids(struct stream_reader *r, const struct keys_stored *s, const int64_t *times,
                  struct log_key *keys, struct errbuf *err) LM_MUST_CHECK;
int keys_load_sequences(struct stream_reader *r, const struct keys_stored *s, uint64_t *sequences,
                        struct errbuf *err) LM_MUST_CHECK;

size_t keys_id_bytes(const struct stream_reader *r, const struct keys_stored *s);

#endif
