#include "redis_place.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../cmocka_all.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "cache/redis/adapter.h"

enum { MS = 1000 }; /* in us */

struct cache *redis_place_open(const char *url, unsigned rebuild_ms)
{
    struct errbuf err = ERRBUF_INIT;
    struct cache *cache = cache_redis_new(
        &(struct cache_redis_options){
            .url = url, .max_logs = REDIS_PLACE_LOGS, .rebuild_ms = rebuild_ms},
        &err);

    if (!cache)
        fail_msg("no cache: %s", err.text);
    return cache;
}

void redis_place_maintain(struct redis_place *p)
{
    cache_maintain(p->t.worker, p->t.reader);
}

void redis_place_maintain_until_hit(struct redis_place *p)
{
    uint64_t end = clock_monotonic_us() + 6 * REDIS_PLACE_BUSY_MS * MS;

    do {
        redis_place_maintain(p);
        usleep(5 * MS);
        assert_true(clock_monotonic_us() < end);
    } while (cache_test_last(&p->t, 10) != CACHE_HIT);
}

static struct redis_place *place_new(unsigned rebuild_ms)
{
    struct redis_place *p = xcalloc(1, sizeof(*p));

    p->rebuild_ms = rebuild_ms;
    p->notes_fd = -1;
    p->server = redis_test_server_new(NULL);
    cache_test_init(&p->t, redis_place_open(p->server->url, rebuild_ms));
    cache_test_append(&p->t, 0, 150, false);
    redis_place_maintain(p);
    assert_int_equal(cache_test_last(&p->t, REDIS_PLACE_LOGS), CACHE_HIT);
    return p;
}

void redis_place_take_notes(struct redis_place *p)
{
    char path[600];

    snprintf(path, sizeof(path), "%s/notes", p->server->directory);
    p->notes_fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(p->notes_fd >= 0);
    p->stderr_before = dup(2);
    dup2(p->notes_fd, 2);
}

const char *redis_place_read_notes(struct redis_place *p)
{
    off_t len = lseek(p->notes_fd, 0, SEEK_END);

    dup2(p->stderr_before, 2);
    close(p->stderr_before);
    free(p->notes);
    p->notes = xcalloc((size_t)len + 1, 1);
    assert_int_equal(pread(p->notes_fd, p->notes, (size_t)len, 0), len);
    close(p->notes_fd);
    p->notes_fd = -1;
    return p->notes;
}

int redis_place_set_up(void **state)
{
    *state = place_new(REDIS_PLACE_LONG_MS);
    return 0;
}

int redis_place_set_up_short(void **state)
{
    *state = place_new(REDIS_PLACE_SHORT_MS);
    return 0;
}

int redis_place_tear_down(void **state)
{
    struct redis_place *p = *state;

    if (p->notes_fd >= 0)
        print_message("%s", redis_place_read_notes(p));
    free(p->notes);
    cache_test_release(&p->t);
    redis_test_server_free(p->server);
    free(p);
    return 0;
}
