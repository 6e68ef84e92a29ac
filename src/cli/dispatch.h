/*
 * The sending of batches, one at a time: a batch is sent until the server has confirmed it, with
 * the same ids again for as long as the server is away. What the server refuses is found, told on
 * stderr and left out; the rest is sent.
 *
 * One thread at a time.
 */
#ifndef LOGMILL_CLI_DISPATCH_H
#define LOGMILL_CLI_DISPATCH_H

#include "cli/http_client.h"
#include "cli/parcel.h"

enum { DELIVERY_STOP_MS = 10000 }; /* how long a batch is tried for once a signal has come */

struct dispatch {
    const char *command; /* "send": for stderr */
    struct http_client *client;
    bool is_strict;      /* a log that is refused is an end to it all, and told so */
    bool is_patient;     /* tries again also where the answer will hardly be another one (401, 404)
                            but does not say anything of the logs */
    uint64_t timeout_ms; /* for one batch; 0: none */
    uint64_t stopped_us; /* when stop_is_asked was seen */
    uint64_t sent, sent_bytes, refused;
};

/* From the flags url and timeout. Returns 0 or LM_EINVAL. Release in any case. */
int dispatch_init(struct dispatch *d, const struct flags *flags, struct errbuf *err) LM_MUST_CHECK;
void dispatch_release(struct dispatch *d);

/* Sends the batch, in which nothing is of use then. Returns 0 once all of it is stored or refused;
 * or, after saying why on stderr, an error: LM_EUNAVAILABLE if it was given up. */
int dispatch_send(struct dispatch *d, struct parcel *p) LM_MUST_CHECK;

/* Tells and counts a log that cannot be sent, the `number`th of its source. */
void dispatch_refuse(struct dispatch *d, const char *source, uint64_t number, const char *reason);

/* Says on stderr how many logs were sent since then, and how long it took: "1,000,000 logs in
 * 28.7 s". */
void dispatch_say_sum(const struct dispatch *d, uint64_t begun_us);

#endif
