/*
 * A life of the embedded store, made up by chance: appends, expiry, deletion, background work,
 * reads, by up to three processes on one machine; while files fail, processes are killed and the
 * power is cut. What is answered is compared with a model (tests/unit/store/store_model.h).
 */
#ifndef LOGMILL_SIMULATION_LIFE_H
#define LOGMILL_SIMULATION_LIFE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/errbuf.h"

/* What happened in all lives. */
struct life_figures {
    uint64_t logs, appends, erased, expired, shrunk, keeper_steps, checks, faults, kills,
        power_cuts, damages;
    uint64_t segments; /* at the ends */
};

/* What is told of a life that ended badly. */
struct life_end {
    unsigned step;
    const char *doing;
    struct errbuf err;
};

/* `directory` exists, and stays empty. 0, or an error with `*end` filled. */
int life_run(uint64_t seed, const char *directory, bool tells, struct life_figures *figures,
             struct life_end *end) LM_MUST_CHECK;

#endif
