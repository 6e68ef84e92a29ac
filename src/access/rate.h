/*
 * How much may come in a second: a token bucket that holds what one second brings. Whoever finds it
 * full may take more than it holds, once, so that no request is too large for ever; the bucket is
 * in debt then, and nothing more is taken until that is paid off. All together, no more than one
 * second's worth, or one request, comes on top of what the rate allows.
 *
 * It is one number, the time at which the bucket will be full, so any thread may take at any time.
 */
#ifndef LOGMILL_ACCESS_RATE_H
#define LOGMILL_ACCESS_RATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define RATE_MAX UINT64_C(1000000000000) /* a second */

enum { RATE_DEBT_MAX_S = 60 }; /* of what was charged without having been asked for */

struct rate {
    _Atomic uint64_t per_s; /* 0: any number; it may change at any time */
    _Atomic int64_t full_ns;
};

/* Of logs, and of the bytes of the bodies that they came in. All zero: any number. */
struct allowance {
    struct rate logs, bytes;
};

enum allowance_lack { ALLOWANCE_ENOUGH, ALLOWANCE_LOGS, ALLOWANCE_BYTES };

/*
 * Takes as much; or nothing, if it is not there: then it says what of it, and in `*wait_s` how many
 * whole seconds later it could be. `now_ns` is any clock that does not go back.
 */
enum allowance_lack allowance_take(struct allowance *a, uint64_t logs, uint64_t bytes,
                                   int64_t now_ns, uint64_t *wait_s) LM_MUST_CHECK;

/* What allowance_take would say, without taking anything. */
enum allowance_lack allowance_look(const struct allowance *a, uint64_t logs, uint64_t bytes,
                                   int64_t now_ns, uint64_t *wait_s);

/* Takes as much, whatever is there; up to RATE_DEBT_MAX_S of debt. */
void allowance_charge(struct allowance *a, uint64_t logs, uint64_t bytes, int64_t now_ns);

#endif
