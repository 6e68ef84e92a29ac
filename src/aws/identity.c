#include "aws/identity.h"

#include <pthread.h>
#include <stdlib.h>

#include "aws/credentials_chain.h"
#include "base/clock.h"
#include "base/monotonic_cond.h"
#include "base/xalloc.h"
#include "diag/diag.h"

enum {
    EARLY_S = 600,        /* a refresh comes this long before the expiry … */
    EARLY_FRACTION = 4,   /* … or a fourth of the time that is left, if that is less */
    RETRY_MS = 1000,      /* after a failure; doubles … */
    RETRY_MAX_MS = 60000, /* … up to this */
    LOOK_MS = 10000,      /* between looks at the wall clock, which somebody may set */
};

/* Credentials and who holds them. */
struct held {
    struct aws_credentials credentials; /* first: what callers see */
    unsigned holders;                   /* the identity itself among them */
};

struct aws_identity {
    struct aws_identity_options options;
    atomic_bool stop; /* for a search under way */

    pthread_mutex_t lock; /* guards all that follows */
    pthread_cond_t wake;  /* monotonic */
    struct held *now;
    struct errbuf trouble;
    bool stopping;
    int64_t due_us;    /* of the next refresh: wall clock, as the expiry is; 0: never */
    uint64_t again_us; /* monotonic: of that after a failure or a doubt; 0: due_us holds */
    unsigned retry_ms;

    pthread_t thread;
};

/* Lock held. */
static void drop(struct held *h)
{
    if (--h->holders > 0)
        return;
    aws_credentials_release(&h->credentials);
    free(h);
}

/* When to look for new ones; 0: never. */
static int64_t refresh_time(const struct aws_credentials *c)
{
    int64_t now = clock_wall_us();
    int64_t early = (int64_t)EARLY_S * 1000000;
    int64_t left = c->expires_us - now;

    if (c->expires_us == 0)
        return 0;
    if (left / EARLY_FRACTION < early)
        early = left > 0 ? left / EARLY_FRACTION : 0;
    return c->expires_us - early;
}

static unsigned first_retry_ms(const struct aws_identity *id)
{
    return id->options.retry_ms > 0 ? id->options.retry_ms : RETRY_MS;
}

/* Lock held. */
static void look_again(struct aws_identity *id)
{
    id->again_us = clock_monotonic_us() + (uint64_t)id->retry_ms * 1000;
}

/* Takes what a search found: what was doubted before it is no matter any more. Lock held. */
static void take_result(struct aws_identity *id, int error, struct held *found,
                        const struct errbuf *reason)
{
    if (!error) {
        drop(id->now);
        id->now = found;
        id->trouble = (struct errbuf)ERRBUF_INIT;
        id->retry_ms = first_retry_ms(id);
        id->due_us = refresh_time(&found->credentials);
        id->again_us = 0;
        /* Expired when it came, or nearly: not to be asked for in a busy loop. */
        if (id->due_us != 0 && id->due_us < clock_wall_us() + (int64_t)id->retry_ms * 1000)
            look_again(id);
        return;
    }
    free(found);
    id->trouble = *reason;
    look_again(id);
    id->retry_ms = id->retry_ms * 2 < RETRY_MAX_MS ? id->retry_ms * 2 : RETRY_MAX_MS;
}

/* Lock held, but for the search itself. */
static void refresh(struct aws_identity *id)
{
    struct aws_credentials_options find = id->options.find;
    struct held *found = xcalloc(1, sizeof(*found));
    struct errbuf reason = ERRBUF_INIT;

    pthread_mutex_unlock(&id->lock);
    find.stop = &id->stop;
    found->holders = 1;
    int error = aws_credentials_chain_find(&find, &found->credentials, &reason);
    if (error && error != LM_ESTOPPED)
        diag(DIAG_WARN, "AWS credentials cannot be refreshed; those in use stay",
             DIAG_STR("reason", reason.text));
    pthread_mutex_lock(&id->lock);
    take_result(id, error, found, &reason);
}

/* How long until a refresh is due, or may be. Lock held. */
static uint64_t left_us(const struct aws_identity *id)
{
    uint64_t now_us = clock_monotonic_us();
    int64_t left = (int64_t)LOOK_MS * 1000;

    if (id->again_us != 0)
        return id->again_us > now_us ? id->again_us - now_us : 0;
    if (id->due_us != 0 && id->due_us - clock_wall_us() < left)
        left = id->due_us - clock_wall_us();
    return left > 0 ? (uint64_t)left : 0;
}

static void *run(void *arg)
{
    struct aws_identity *id = arg;
    uint64_t left;

    pthread_mutex_lock(&id->lock);
    while (!id->stopping) {
        if ((left = left_us(id)) > 0)
            monotonic_cond_wait(&id->wake, &id->lock, clock_monotonic_us() + left);
        else
            refresh(id);
    }
    pthread_mutex_unlock(&id->lock);
    return NULL;
}

struct aws_identity *aws_identity_new(const struct aws_identity_options *options,
                                      struct errbuf *err)
{
    struct aws_identity *id = xcalloc(1, sizeof(*id));

    id->options = *options;
    id->retry_ms = first_retry_ms(id);
    id->now = xcalloc(1, sizeof(*id->now));
    id->now->holders = 1;
    pthread_mutex_init(&id->lock, NULL);
    monotonic_cond_init(&id->wake);
    if (aws_credentials_chain_find(&options->find, &id->now->credentials, err))
        goto fail;
    id->due_us = refresh_time(&id->now->credentials);
    if (pthread_create(&id->thread, NULL, run, id)) {
        errbuf_set(err, "cannot start a thread");
        goto fail;
    }
    return id;

fail:
    drop(id->now);
    pthread_cond_destroy(&id->wake);
    pthread_mutex_destroy(&id->lock);
    free(id);
    return NULL;
}

void aws_identity_free(struct aws_identity *id)
{
    if (!id)
        return;
    atomic_store(&id->stop, true);
    pthread_mutex_lock(&id->lock);
    id->stopping = true;
    pthread_cond_signal(&id->wake);
    pthread_mutex_unlock(&id->lock);
    pthread_join(id->thread, NULL);
    drop(id->now);
    pthread_cond_destroy(&id->wake);
    pthread_mutex_destroy(&id->lock);
    free(id);
}

const struct aws_credentials *aws_identity_acquire(struct aws_identity *id)
{
    pthread_mutex_lock(&id->lock);
    struct held *held = id->now;
    held->holders++;
    pthread_mutex_unlock(&id->lock);
    return &held->credentials;
}

void aws_identity_give_back(struct aws_identity *id, const struct aws_credentials *credentials)
{
    pthread_mutex_lock(&id->lock);
    drop((struct held *)credentials);
    pthread_mutex_unlock(&id->lock);
}

void aws_identity_doubt(struct aws_identity *id, const struct aws_credentials *refused)
{
    pthread_mutex_lock(&id->lock);
    if (refused == &id->now->credentials && id->again_us == 0) {
        look_again(id);
        pthread_cond_signal(&id->wake);
    }
    pthread_mutex_unlock(&id->lock);
}

void aws_identity_trouble(struct aws_identity *id, struct errbuf *text)
{
    pthread_mutex_lock(&id->lock);
    *text = id->trouble;
    pthread_mutex_unlock(&id->lock);
}
