/*
 * Always true, under the lock: a part is in the line if it is OFFERED; `working` helpers have one
 * each that is BEGUN, and began it when no more than `allowed` worked.
 */
#include "store/helpers.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/xalloc.h"

struct store_helpers {
    struct store *store;
    pthread_mutex_t lock;
    pthread_cond_t offered; /* there is something to do for one more, or stopping */
    pthread_cond_t done;    /* some part is */
    struct store_part *first;
    struct store_part **last; /* where the next one is linked */
    _Atomic unsigned allowed;
    unsigned working;
    uint64_t parts;  /* that were done */
    unsigned wanted; /* threads; none before something was offered */
    bool begun;
    bool stopping;
    pthread_t threads[STORE_HELPERS_MAX];
    unsigned len;
};

/* ---- Threads ---- */

/* Takes the part that is first in line, if one more may work; NULL: none. */
static struct store_part *take_first(struct store_helpers *h)
{
    struct store_part *part = h->first;

    if (!part || h->working >= atomic_load(&h->allowed))
        return NULL;
    h->first = part->next;
    if (!h->first)
        h->last = &h->first;
    CHECK(part->state == STORE_PART_OFFERED);
    part->state = STORE_PART_BEGUN;
    h->working++;
    return part;
}

static void work(struct store_helpers *h, struct store_part *part, struct store_reader *reader)
{
    pthread_mutex_unlock(&h->lock);
    part->work(part, reader);
    pthread_mutex_lock(&h->lock);
    part->state = STORE_PART_DONE;
    h->working--;
    h->parts++;
    pthread_cond_broadcast(&h->done);
}

/* Opens nothing before it has something to do. Without a reader it is of no use. */
static void *helper_main(void *arg)
{
    struct store_helpers *h = arg;
    struct store_reader *reader;
    struct store_part *part;
    struct errbuf err = ERRBUF_INIT;

    reader = store_reader_new(h->store, &err);
    pthread_mutex_lock(&h->lock);
    while (reader && !h->stopping) {
        part = take_first(h);
        if (part)
            work(h, part, reader);
        else
            pthread_cond_wait(&h->offered, &h->lock);
    }
    pthread_mutex_unlock(&h->lock);
    if (reader)
        store_reader_free(reader);
    return NULL;
}

static void begin_threads(struct store_helpers *h)
{
    h->begun = true;
    while (h->len < h->wanted && !pthread_create(&h->threads[h->len], NULL, helper_main, h))
        h->len++;
}

/* ---- Life ---- */

struct store_helpers *store_helpers_new(struct store *s, unsigned n)
{
    struct store_helpers *h = xcalloc(1, sizeof(*h));

    h->store = s;
    h->wanted = n < STORE_HELPERS_MAX ? n : STORE_HELPERS_MAX;
    h->last = &h->first;
    atomic_init(&h->allowed, h->wanted);
    pthread_mutex_init(&h->lock, NULL);
    pthread_cond_init(&h->offered, NULL);
    pthread_cond_init(&h->done, NULL);
    return h;
}

void store_helpers_free(struct store_helpers *h)
{
    if (!h)
        return;
    pthread_mutex_lock(&h->lock);
    CHECK(!h->first && h->working == 0);
    h->stopping = true;
    pthread_cond_broadcast(&h->offered);
    pthread_mutex_unlock(&h->lock);
    for (unsigned i = 0; i < h->len; i++)
        pthread_join(h->threads[i], NULL);
    pthread_cond_destroy(&h->done);
    pthread_cond_destroy(&h->offered);
    pthread_mutex_destroy(&h->lock);
    free(h);
}

void store_helpers_allow(struct store_helpers *h, unsigned n)
{
    if (atomic_exchange(&h->allowed, n) >= n)
        return;
    pthread_mutex_lock(&h->lock);
    if (h->first)
        pthread_cond_broadcast(&h->offered);
    pthread_mutex_unlock(&h->lock);
}

unsigned store_helpers_allowed(const struct store_helpers *h)
{
    unsigned n = h ? atomic_load(&h->allowed) : 0;

    return h && n > h->wanted ? h->wanted : n;
}

uint64_t store_helpers_done(struct store_helpers *h)
{
    pthread_mutex_lock(&h->lock);
    uint64_t parts = h->parts;
    pthread_mutex_unlock(&h->lock);
    return parts;
}

/* ---- Parts ---- */

void store_part_offer(struct store_helpers *h, struct store_part *part)
{
    pthread_mutex_lock(&h->lock);
    if (!h->begun)
        begin_threads(h);
    CHECK(part->state == STORE_PART_IDLE || part->state == STORE_PART_DONE);
    part->state = STORE_PART_OFFERED;
    part->next = NULL;
    *h->last = part;
    h->last = &part->next;
    if (h->working < atomic_load(&h->allowed))
        pthread_cond_signal(&h->offered);
    pthread_mutex_unlock(&h->lock);
}

bool store_part_take_back(struct store_helpers *h, struct store_part *part)
{
    struct store_part **at = &h->first;
    bool is_ours;

    pthread_mutex_lock(&h->lock);
    is_ours = part->state == STORE_PART_OFFERED;
    if (is_ours) {
        while (*at != part)
            at = &(*at)->next;
        *at = part->next;
        if (h->last == &part->next)
            h->last = at;
        part->state = STORE_PART_IDLE;
    }
    pthread_mutex_unlock(&h->lock);
    return is_ours;
}

bool store_part_is_done(struct store_helpers *h, struct store_part *part)
{
    pthread_mutex_lock(&h->lock);
    bool is_done = part->state == STORE_PART_DONE;
    pthread_mutex_unlock(&h->lock);
    return is_done;
}

void store_part_await(struct store_helpers *h, struct store_part *part)
{
    pthread_mutex_lock(&h->lock);
    CHECK(part->state != STORE_PART_IDLE);
    while (part->state != STORE_PART_DONE)
        pthread_cond_wait(&h->done, &h->lock);
    pthread_mutex_unlock(&h->lock);
}
