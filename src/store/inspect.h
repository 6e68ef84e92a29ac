/*
 * What a store is made of, and whether all of it is whole: for people (`logmill store`). Both may
 * be asked while the store is used, and hold nothing in it for longer than a segment takes; what is
 * told is then of no one moment.
 */
#ifndef LOGMILL_STORE_INSPECT_H
#define LOGMILL_STORE_INSPECT_H

#include <stddef.h>
#include <stdint.h>

#include "base/errbuf.h"

struct store;

/* ---- What it is made of ---- */

enum store_part {
    STORE_RECENT, /* not in blocks yet */
    STORE_HOT,    /* in blocks, as they were made when the logs were stored */
    STORE_COLD,   /* in blocks that were compacted */
    STORE_OLD,    /* rows of an older logmill, still to be taken over */
    STORE_PARTS
};

struct store_part_info {
    uint64_t logs;   /* without those that were erased … */
    uint64_t erased; /* … and are still there, hidden */
    uint64_t bytes;
    uint64_t raw_bytes; /* of levels, messages and attributes as text; 0: not known */
    uint64_t pieces;    /* rows of `recent`, segments */
    uint64_t blocks;
    int64_t first_us, last_us; /* of meaning if there is a log */
};

struct store_column_info {
    char *name;      /* "message", …, "attributes.PATH" */
    char *kinds;     /* how it is kept, "dictionary, text" */
    uint64_t blocks; /* that have it */
    uint64_t bytes;
    uint64_t raw_bytes; /* of its values as text, about: by some of the blocks; 0: not known */
};

struct store_info {
    struct store_part_info parts[STORE_PARTS];
    struct store_column_info *columns; /* of all blocks, the largest first */
    size_t columns_len;
    uint64_t file_bytes, log_bytes; /* of the file and its write-ahead log */
    uint64_t free_bytes;            /* in the file, for what comes next */
    uint64_t head_bytes, filter_bytes, summary_bytes;
    uint64_t tombstones;     /* logs that were erased and must not come again */
    uint64_t damaged_blocks; /* which `columns` and raw_bytes lack */
};

/* Fills `*info`, to be released in any case. LM_EINVAL if the store has no such insides. */
int store_info(struct store *s, struct store_info *info, struct errbuf *err) LM_MUST_CHECK;
void store_info_release(struct store_info *info);

/* ---- Whether it is whole ---- */

/* Something that is damaged; its text lives until the call returns. */
struct store_damage {
    const char *what;       /* "block 7 of segment 3" */
    const char *reason;     /* a line */
    int64_t from_us, to_us; /* of the logs that it may cost, if `logs` is not 0 */
    uint64_t logs;
};

struct store_verifier {
    void (*found)(const struct store_damage *damage, void *ctx);
    void (*progress)(uint64_t logs, void *ctx); /* so many were looked at */
    void *ctx;
};

/* What was looked at. */
struct store_verified {
    uint64_t logs;
    uint64_t segments, blocks;
    uint64_t damages;
};

/*
 * Reads all of the store: every checksum, that heads and rows say of blocks what is in them, the
 * order of keys and of storing, that filters hold the words of some logs, and that no key is there
 * twice. Returns 0 whatever was found; an error if the store could not be gone through.
 */
int store_verify(struct store *s, const struct store_verifier *v, struct store_verified *all,
                 struct errbuf *err) LM_MUST_CHECK;

/* ---- Counting anew ---- */

/*
 * Where counts of logs are kept beside them: all are to be made anew from now on, by the keeper's
 * steps, and not to be believed until then. LM_EINVAL if the store has none.
 */
int store_recount(struct store *s, struct errbuf *err) LM_MUST_CHECK;

#endif
