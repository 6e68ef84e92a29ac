#include "api/probe.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/container_of.h"
#include "base/xalloc.h"

struct probe {
    struct probe_options options;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;  /* somebody waits, or stopping */
    struct probe_wait *next; /* who waits for the next question, */
    struct probe_wait *now;  /* and for the one under way */
    uint64_t began_us;       /* of the one under way; 0: none is */
    bool stopping;
};

static void deliver(struct mail *mail)
{
    struct probe_wait *wait = container_of(mail, struct probe_wait, mail);
    struct mailbox *box = wait->box;

    wait->answered(wait);
    mailbox_arrived(box);
}

static void answer_all(struct probe *p, const struct probe_answer *answer)
{
    while (p->now) {
        struct probe_wait *wait = p->now;

        p->now = wait->next;
        wait->answer = *answer;
        wait->mail.deliver = deliver;
        mailbox_post(wait->box, &wait->mail);
    }
}

static void *probe_main(void *arg)
{
    struct probe *p = arg;

    pthread_mutex_lock(&p->lock);
    while (!p->stopping) {
        struct probe_answer answer = {0};

        if (!p->next) {
            pthread_cond_wait(&p->changed, &p->lock);
            continue;
        }
        p->now = p->next;
        p->next = NULL;
        p->began_us = clock_monotonic_us();
        pthread_mutex_unlock(&p->lock);
        p->options.ask(p->options.ctx, &answer);
        pthread_mutex_lock(&p->lock);
        p->began_us = 0;
        answer_all(p, &answer);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

struct probe *probe_new(const struct probe_options *options, struct errbuf *err)
{
    struct probe *p = xcalloc(1, sizeof(*p));

    p->options = *options;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->changed, NULL);
    if (!pthread_create(&p->thread, NULL, probe_main, p))
        return p;
    errbuf_set(err, "cannot start a thread for /ready and /metrics");
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->lock);
    free(p);
    return NULL;
}

void probe_free(struct probe *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    if (p->began_us && p->options.give_up)
        p->options.give_up(p->options.ctx);
    pthread_cond_signal(&p->changed);
    pthread_mutex_unlock(&p->lock);
    pthread_join(p->thread, NULL);
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

void probe_ask(struct probe *p, struct probe_wait *wait)
{
    mailbox_expect(wait->box);
    pthread_mutex_lock(&p->lock);
    wait->next = p->next;
    p->next = wait;
    pthread_cond_signal(&p->changed);
    pthread_mutex_unlock(&p->lock);
}

static bool unlink_wait(struct probe_wait **at, struct probe_wait *wait)
{
    while (*at && *at != wait)
        at = &(*at)->next;
    if (!*at)
        return false;
    *at = wait->next;
    return true;
}

bool probe_withdraw(struct probe *p, struct probe_wait *wait)
{
    pthread_mutex_lock(&p->lock);

    bool was_now = unlink_wait(&p->now, wait);
    bool withdrawn = was_now || unlink_wait(&p->next, wait);

    if (was_now && !p->now && p->options.give_up)
        p->options.give_up(p->options.ctx);
    pthread_mutex_unlock(&p->lock);
    if (withdrawn)
        mailbox_arrived(wait->box);
    return withdrawn;
}

bool probe_is_silent(struct probe *p, uint64_t us)
{
    pthread_mutex_lock(&p->lock);

    bool silent = p->began_us && clock_monotonic_us() - p->began_us >= us;

    pthread_mutex_unlock(&p->lock);
    return silent;
}
