/* What systemd is told of a follower that is its service (net/notify.h): when all that is there was
 * looked at, how far it is, and that it ends. */
#ifndef LOGMILL_CLI_FOLLOW_SERVICE_H
#define LOGMILL_CLI_FOLLOW_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "follow/follower.h"
#include "net/notify.h"

enum {
    FOLLOW_SERVICE_SAY_S = 5, /* between two tellings of how far it is, at least */
    FOLLOW_SERVICE_TEXT_MAX = 256,
};

struct follow_service {
    struct notify notify;
    uint64_t look_us;
    char said[FOLLOW_SERVICE_TEXT_MAX];
};

/* Before there are threads. */
void follow_service_init(struct follow_service *s);
/* What was given is looked at, and the state is its own. */
void follow_service_ready(struct follow_service *s);
/* Tells how far it is, if that is another than it was. `now_us`: monotonic. is_idle: all that can
 * be had is stored. */
void follow_service_look(struct follow_service *s, struct follower *f, bool is_idle,
                         uint64_t now_us);
void follow_service_stopping(const struct follow_service *s);

#endif
