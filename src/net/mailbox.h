/*
 * How other threads hand things to an event loop: they post, and the loop delivers on its own
 * thread, in the order of posting.
 */
#ifndef LOGMILL_NET_MAILBOX_H
#define LOGMILL_NET_MAILBOX_H

#include <pthread.h>
#include <stddef.h>

#include <uv.h>

#include "base/errbuf.h"

/* Embedded in what is posted. Belongs to the mailbox from mailbox_post until it is delivered. */
struct mail {
    void (*deliver)(struct mail *mail); /* on the loop's thread */
    struct mail *next;
};

struct mailbox {
    uv_async_t wake;
    pthread_mutex_t lock;
    struct mail *first; /* under lock */
    struct mail **last; /* under lock: where the next one is linked */
    size_t expected;    /* answers that will be posted; the loop's */
    void (*closed)(struct mailbox *box);
};

/* On the loop's thread. Returns 0 or an error with `err` filled. */
int mailbox_init(struct mailbox *box, uv_loop_t *loop, struct errbuf *err) LM_MUST_CHECK;

/* From any thread, never blocking for long. */
void mailbox_post(struct mailbox *box, struct mail *mail);

/* On the loop's thread: something was asked for that will be posted; and has been delivered. */
void mailbox_expect(struct mailbox *box);
void mailbox_arrived(struct mailbox *box);

/*
 * On the loop's thread, when nothing will be posted any more but what is expected: when that has
 * arrived, closes the handle, and calls closed(box) when it is closed and `box` may be freed.
 */
void mailbox_close(struct mailbox *box, void (*closed)(struct mailbox *box));

#endif
