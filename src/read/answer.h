/* What the answers of all routes that read logs have in common. */
#ifndef LOGMILL_READ_ANSWER_H
#define LOGMILL_READ_ANSWER_H

#include "base/buffer.h"
#include "block/explain.h"
#include "http/http.h"
#include "record/record.h"
#include "store/store.h"

/*
 * Answers a read that failed with `error`: 404 for LM_ENOTFOUND; 422 for LM_ETOOBIG with a
 * `detail`, since it is what was asked for that takes too much, and that names it; else 503, in
 * words that tell a store that cannot be read (then `detail` goes into the diagnostics) from want
 * of memory (LM_EBUSY: of the ledger's; LM_ENOMEM), from a store that took too long (LM_ETIMEOUT),
 * and from a read that never had its turn (LM_ESTOPPED).
 */
void read_answer_failure(struct http_request *req, int error, const struct errbuf *detail);

/*
 * Answers `req` after its parameters could not be taken: query_string_parse or a function of
 * params.h has failed with `error`, or there was no room for what they ask for. 400 for too many of
 * them, 422 with the body `refusal`, or 503 as above.
 */
void read_answer_refuse(struct http_request *req, int error, struct slice refusal);

/* Where an answer ends that is not the last. */
struct read_place {
    bool more;             /* something is left: the answer has a `next` */
    bool out_of_time;      /* it ends because its time was over: it has a `searched_to`, too */
    struct log_key before; /* every log at or after it has been looked at */
    uint64_t damaged;      /* logs that it lacks: the store cannot read them */
};

/*
 * After a call on a scan: a line of diagnostics, `detail`, if it has met damaged logs since `*told`
 * was scan->damaged, which it then is again.
 */
void read_answer_tell_damage(const struct store_scan *scan, uint64_t *told,
                             const struct errbuf *detail);

/* Appends `"next":…,"searched_to":…`, and `,"damaged":…` if there are such. */
void read_answer_append_place(struct buffer *b, const struct read_place *place);

/* Appends `,"explain":{…}`. */
void read_answer_append_explain(struct buffer *b, const struct block_explain *explain);

#endif
