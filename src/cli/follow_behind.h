/* How far a follower is behind, on stderr: when it falls behind, then at most each minute, and when
 * it has caught up. */
#ifndef LOGMILL_CLI_FOLLOW_BEHIND_H
#define LOGMILL_CLI_FOLLOW_BEHIND_H

#include <stdbool.h>
#include <stdint.h>

#include "follow/follower.h"

enum {
    FOLLOW_BEHIND_LOOK_S = 5,       /* between two looks */
    FOLLOW_BEHIND_SAY_S = 60,       /* between two lines */
    FOLLOW_BEHIND_S = 60,           /* told from so old a line on that is not stored … */
    FOLLOW_BEHIND_BYTES = 64 << 20, /* … or so many bytes */
    FOLLOW_CAUGHT_UP_S = 10,        /* it is no longer with less than both of these */
    FOLLOW_CAUGHT_UP_BYTES = 1 << 20,
};

struct follow_behind {
    const char *command;      /* for stderr */
    uint64_t look_us, say_us; /* when it is to be looked, and told, again */
    bool is_behind;
};

void follow_behind_init(struct follow_behind *b, const char *command, uint64_t now_us);

/* `now_us`: monotonic. is_idle: all that can be had is stored, so that what it lacks is no more
 * than half a line. */
void follow_behind_look(struct follow_behind *b, struct follower *f, bool is_idle, uint64_t now_us);

#endif
