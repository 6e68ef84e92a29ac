#include "access/guesses.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/xalloc.h"

enum { GUESSES_WAYS = 4, PLACES = GUESSES_ADDRESSES_MAX / GUESSES_WAYS };

static const int64_t WINDOW_US = GUESSES_WINDOW_S * INT64_C(1000000);

/* An address; a client of 0 is none, and free. */
struct guesser {
    uint64_t client;
    int64_t since_us; /* the window of its guesses, or of its being stopped */
    unsigned len;
    uint64_t guesses[GUESSES_MAX]; /* hashes */
};

struct guesses {
    _Atomic int64_t until_us; /* nobody is stopped after it */
    pthread_mutex_t lock;
    struct guesser table[PLACES][GUESSES_WAYS];
};

struct guesses *guesses_new(void)
{
    struct guesses *g = xcalloc(1, sizeof(*g));

    pthread_mutex_init(&g->lock, NULL);
    return g;
}

void guesses_free(struct guesses *g)
{
    if (!g)
        return;
    pthread_mutex_destroy(&g->lock);
    free(g);
}

static struct guesser *place_of(struct guesses *g, uint64_t client)
{
    return g->table[hash_mix(client) % PLACES];
}

/* The one of `client`; NULL: there is none. */
static struct guesser *find(struct guesses *g, uint64_t client)
{
    struct guesser *place = place_of(g, client);

    for (unsigned i = 0; i < GUESSES_WAYS; i++)
        if (place[i].client == client)
            return &place[i];
    return NULL;
}

static bool is_stopped(const struct guesser *one, int64_t now_us)
{
    return one->len == GUESSES_MAX && now_us - one->since_us < WINDOW_US;
}

/* The one of `client`, in the place of the oldest if it has none. */
static struct guesser *find_or_take(struct guesses *g, uint64_t client, int64_t now_us)
{
    struct guesser *one = find(g, client), *place = place_of(g, client);

    if (one && now_us - one->since_us < WINDOW_US)
        return one;
    for (unsigned i = 0; !one && i < GUESSES_WAYS; i++)
        one = place[i].client == 0 ? &place[i] : NULL;
    if (!one) {
        one = place;
        for (unsigned i = 1; i < GUESSES_WAYS; i++)
            if (place[i].since_us < one->since_us)
                one = &place[i];
    }
    *one = (struct guesser){.client = client, .since_us = now_us};
    return one;
}

bool guesses_stop(struct guesses *g, uint64_t client, int64_t now_us)
{
    if (client == 0 || now_us >= atomic_load_explicit(&g->until_us, memory_order_relaxed))
        return false;
    pthread_mutex_lock(&g->lock);

    const struct guesser *one = find(g, client);
    bool stops = one && is_stopped(one, now_us);

    pthread_mutex_unlock(&g->lock);
    return stops;
}

static bool has(const struct guesser *one, uint64_t guess)
{
    for (unsigned i = 0; i < one->len; i++)
        if (one->guesses[i] == guess)
            return true;
    return false;
}

bool guesses_add(struct guesses *g, uint64_t client, struct slice key, int64_t now_us)
{
    uint64_t guess = hash_mix(hash_bytes(HASH_BASIS, key));
    bool stops = false;

    if (client == 0)
        return false;
    pthread_mutex_lock(&g->lock);

    struct guesser *one = find_or_take(g, client, now_us);

    if (one->len < GUESSES_MAX && !has(one, guess)) {
        one->guesses[one->len++] = guess;
        stops = one->len == GUESSES_MAX;
        if (stops) {
            one->since_us = now_us;
            atomic_store_explicit(&g->until_us, now_us + WINDOW_US, memory_order_relaxed);
        }
    }
    pthread_mutex_unlock(&g->lock);
    return stops;
}
