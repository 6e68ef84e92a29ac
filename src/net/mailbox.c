#include "net/mailbox.h"

static void deliver_all(uv_async_t *wake)
{
    struct mailbox *box = wake->data;
    struct mail *mail;

    pthread_mutex_lock(&box->lock);
    mail = box->first;
    box->first = NULL;
    box->last = &box->first;
    pthread_mutex_unlock(&box->lock);

    while (mail) {
        struct mail *next = mail->next; /* deliver may free or post the mail again */

        mail->deliver(mail);
        mail = next;
    }
}

int mailbox_init(struct mailbox *box, uv_loop_t *loop, struct errbuf *err)
{
    int status = uv_async_init(loop, &box->wake, deliver_all);

    if (status)
        return errbuf_fail(err, LM_EIO, "cannot make an async handle: %s", uv_strerror(status));
    pthread_mutex_init(&box->lock, NULL);
    box->wake.data = box;
    box->first = NULL;
    box->last = &box->first;
    box->expected = 0;
    box->closed = NULL;
    return 0;
}

void mailbox_post(struct mailbox *box, struct mail *mail)
{
    mail->next = NULL;
    pthread_mutex_lock(&box->lock);
    *box->last = mail;
    box->last = &mail->next;
    /* Under the lock, so that the loop cannot deliver, close and free the box before the send. */
    uv_async_send(&box->wake);
    pthread_mutex_unlock(&box->lock);
}

static void on_closed(uv_handle_t *handle)
{
    struct mailbox *box = handle->data;

    pthread_mutex_destroy(&box->lock);
    box->closed(box);
}

static void close_where_due(struct mailbox *box)
{
    if (!box->closed || box->expected > 0)
        return;
    pthread_mutex_lock(&box->lock); /* a post may still be on its way out of the lock */
    pthread_mutex_unlock(&box->lock);
    uv_close((uv_handle_t *)&box->wake, on_closed);
}

void mailbox_expect(struct mailbox *box)
{
    box->expected++;
}

void mailbox_arrived(struct mailbox *box)
{
    box->expected--;
    close_where_due(box);
}

void mailbox_close(struct mailbox *box, void (*closed)(struct mailbox *box))
{
    box->closed = closed;
    close_where_due(box);
}
