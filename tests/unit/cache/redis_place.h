/* A server of a case's own with a cache in it, for the tests of the cache in Redis. */
#ifndef LOGMILL_TESTS_REDIS_PLACE_H
#define LOGMILL_TESTS_REDIS_PLACE_H

#include "cache_test_support.h"
#include "redis_test_server.h"

enum {
    REDIS_PLACE_LOGS = 100,
    REDIS_PLACE_SHORT_MS = 600,      /* a rebuild interval to wait for */
    REDIS_PLACE_LONG_MS = 60 * 1000, /* one that does not pass in a test */
    REDIS_PLACE_SLACK_MS = 250,      /* of a busy machine */
    REDIS_PLACE_BUSY_MS = 10 * 1000, /* of one that has hardly any time for us */
};

/* A server of a case's own, and a cache of 150 logs in it that has been built. */
struct redis_place {
    unsigned rebuild_ms;
    struct redis_test_server *server;
    struct cache_test t;
    char *notes;       /* what the diagnostics said, once redis_place_read_notes has read it */
    int notes_fd;      /* their file, or -1 */
    int stderr_before; /* where they went before */
};

/* Fixtures: one whose rebuild interval does not pass in a test, and one whose does. */
int redis_place_set_up(void **state);
int redis_place_set_up_short(void **state);
int redis_place_tear_down(void **state);

/* A cache at `url` with room for REDIS_PLACE_LOGS; fails the test where that cannot be. */
struct cache *redis_place_open(const char *url, unsigned rebuild_ms);

void redis_place_maintain(struct redis_place *p);

/* The same until reads are hits: a rebuild that failed is not tried again at once. */
void redis_place_maintain_until_hit(struct redis_place *p);

/* From now on diagnostics are kept, until redis_place_read_notes gives them. */
void redis_place_take_notes(struct redis_place *p);
const char *redis_place_read_notes(struct redis_place *p);

#endif
