/*
 * The dead-letter queue. It is a queue like any other, so what is in it can only be seen by
 * receiving. Nothing is deleted by that, but what was received is hidden (for HOLD_S at most, and
 * shown again at the end): with a visibility timeout of 0 some servers would give the same ten
 * messages for ever.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/text_map.h"
#include "base/xalloc.h"
#include "queue/sqs/internal.h"
#include "json/writer.h"

enum {
    REQUEST_BYTES_MAX = 64 << 10,
    RECEIVES_IN_VAIN = 2,          /* one after another without anything new: that was all */
    WAIT_S = 1,                    /* of each, so that SQS asks all of its servers */
    LETTERS_MAX = 100000,          /* of one list … */
    LETTERS_BYTES_MAX = 256 << 20, /* … and the bytes of those that are asked for */
    HOLD_S = 60,                   /* letters that are being looked through are hidden so long */
    TASK_START_ATTEMPTS = 3,
    TASK_LOOK_MS = 500,       /* how often the progress of a move is asked for */
    TASK_STALLED_MS = 300000, /* a move that does not get on for so long is given up on */
};

/* ---- Which queue ---- */

/* "arn:aws:sqs:REGION:ACCOUNT:NAME" */
static bool split_arn(const char *arn, struct slice *account, struct slice *name)
{
    const char *name_colon = strrchr(arn, ':');
    const char *account_colon = name_colon;

    if (!name_colon)
        return false;
    while (account_colon > arn && account_colon[-1] != ':')
        account_colon--;
    *account = slice_of(account_colon, (size_t)(name_colon - account_colon));
    *name = slice_of_string(name_colon + 1);
    return name->len > 0;
}

static int find_url(struct queue_sqs *q, const char *arn, char **url, struct errbuf *err)
{
    struct slice account, name;
    yyjson_doc *doc = NULL;
    struct buffer body;

    if (!split_arn(arn, &account, &name))
        return errbuf_fail(err, LM_EINVAL, "the redrive policy names no queue: %s", arn);
    buffer_init(&body, REQUEST_BYTES_MAX);
    buffer_append_string(&body, "{\"QueueName\":");
    json_append_string(&body, name);
    if (account.len > 0)
        queue_sqs_body_text(&body, "QueueOwnerAWSAccountId", account);
    buffer_append_char(&body, '}');
    int error = queue_sqs_call(q, "GetQueueUrl", &body, &doc, err);
    buffer_release(&body);
    if (error)
        return error;
    struct slice text = json_text(yyjson_obj_get(yyjson_doc_get_root(doc), "QueueUrl"));
    *url = xcalloc(1, text.len + 1);
    if (text.len > 0)
        memcpy(*url, text.data, text.len);
    yyjson_doc_free(doc);
    return 0;
}

void queue_sqs_letters_place_release(struct queue_sqs_letters_place *p)
{
    free(p->arn);
    free(p->url);
    *p = (struct queue_sqs_letters_place){0};
}

/* Reads the queue's attributes again: the redrive policy may be another than at the start. */
static int ask_place(struct queue_sqs *q, struct queue_sqs_letters_place *p, struct errbuf *err)
{
    struct queue_sqs_attributes a;
    int error = queue_sqs_attributes_read(q, q->url, &a, err);

    if (error)
        return error;
    if (!a.letters_arn)
        error = errbuf_fail(err, LM_ENOTFOUND,
                            "%s has no dead-letter queue: give it a redrive policy", q->url);
    else
        error = find_url(q, a.letters_arn, &p->url, err);
    if (!error) {
        p->arn = a.letters_arn;
        a.letters_arn = NULL;
    }
    queue_sqs_attributes_release(&a);
    return error;
}

/* Lock held. What is counted is of that place, too. */
static void forget_place(struct queue_sqs *q)
{
    queue_sqs_letters_place_release(&q->letters);
    q->letters_counted_us = 0;
}

/* Where the dead letters are: *p, to be released. LM_ENOTFOUND if there is no queue for them. */
static int find_place(struct queue_sqs *q, struct queue_sqs_letters_place *p, struct errbuf *err)
{
    uint64_t now = clock_monotonic_us();

    *p = (struct queue_sqs_letters_place){0};
    pthread_mutex_lock(&q->lock);
    bool fresh =
        q->letters.url && now - q->letters_found_us < (uint64_t)QUEUE_SQS_LETTERS_FOUND_MS * 1000;
    if (fresh)
        *p = (struct queue_sqs_letters_place){xstrdup(q->letters.arn), xstrdup(q->letters.url)};
    pthread_mutex_unlock(&q->lock);
    if (fresh)
        return 0;
    int error = ask_place(q, p, err);
    if (error)
        return error;
    pthread_mutex_lock(&q->lock);
    forget_place(q);
    q->letters = (struct queue_sqs_letters_place){xstrdup(p->arn), xstrdup(p->url)};
    q->letters_found_us = now;
    pthread_mutex_unlock(&q->lock);
    return 0;
}

static int count_letters(struct queue_sqs *q, uint64_t *count, struct errbuf *err)
{
    struct queue_sqs_letters_place place;
    struct queue_sqs_attributes a;
    int error = find_place(q, &place, err);

    if (error)
        return error;
    error = queue_sqs_attributes_read(q, place.url, &a, err);
    if (!error)
        *count = a.depth;
    queue_sqs_attributes_release(&a);
    queue_sqs_letters_place_release(&place);
    return error;
}

int queue_sqs_letters_count(struct queue_sqs *q, const char *arn, uint64_t *count,
                            struct errbuf *err)
{
    uint64_t now = clock_monotonic_us();

    *count = 0;
    if (!arn)
        return 0;
    pthread_mutex_lock(&q->lock);
    if (q->letters.arn && strcmp(q->letters.arn, arn) != 0)
        forget_place(q);
    bool fresh = q->letters_counted_us != 0 &&
                 now - q->letters_counted_us < (uint64_t)QUEUE_SQS_LETTERS_COUNT_MS * 1000;
    if (fresh)
        *count = q->letters_count;
    pthread_mutex_unlock(&q->lock);
    if (fresh)
        return 0;
    int error = count_letters(q, count, err);
    if (error)
        return error;
    pthread_mutex_lock(&q->lock);
    q->letters_count = *count;
    q->letters_counted_us = now;
    pthread_mutex_unlock(&q->lock);
    return 0;
}

/* ---- Sending ---- */

static int send_text(struct queue_sqs *q, const char *url, struct slice text, const char *reason,
                     struct errbuf *err)
{
    yyjson_doc *doc = NULL;
    struct buffer body;

    buffer_init(&body, 6 * text.len + REQUEST_BYTES_MAX);
    queue_sqs_send_body(&body, url, text, reason);
    int error = queue_sqs_call(q, "SendMessage", &body, &doc, err);
    buffer_release(&body);
    if (!error)
        error = queue_sqs_check_sent(text, doc, err);
    yyjson_doc_free(doc);
    return error;
}

static int add_letter(struct queue_sqs *q, struct slice body, const char *reason,
                      struct errbuf *err)
{
    struct queue_sqs_letters_place place;
    int error = find_place(q, &place, err);

    if (error)
        return error;
    error = send_text(q, place.url, body, reason, err);
    if (error == LM_EINVAL) /* the reason counts as a part of the message, which may be full */
        error = send_text(q, place.url, body, NULL, err);
    queue_sqs_letters_place_release(&place);
    return error;
}

/* A queue that is gone may have a successor: then that is asked for at once. */
int queue_sqs_letters_add(struct queue_consumer *base, struct slice body, const char *reason,
                          struct errbuf *err)
{
    struct queue_sqs *q = ((struct queue_sqs_consumer *)base)->q;
    int error = add_letter(q, body, reason, err);

    if (error != LM_ENOTFOUND)
        return error;
    pthread_mutex_lock(&q->lock);
    forget_place(q);
    pthread_mutex_unlock(&q->lock);
    return add_letter(q, body, reason, err);
}

/* ---- Looking through ---- */

struct letter {
    char *id;
    char *body; /* NULL, as is the reason, if it is not asked for */
    char *reason;
    char *handle;
    int64_t sent_us;
    size_t order; /* in which it was received */
};

struct letters {
    struct text_map asked; /* the ids of those that are asked for; none: all are */
    size_t found;          /* so many of these are there */
    struct letter *items;
    size_t len;
    size_t capacity;
    struct text_map by_id; /* the items */
    size_t bytes;
    size_t again; /* of the last receive: those that were there already */
};

static char *copy_text(yyjson_val *value)
{
    struct slice text = json_text(value);
    char *copy = xcalloc(1, text.len + 1);

    if (text.len > 0)
        memcpy(copy, text.data, text.len);
    return copy;
}

static void release_letter(struct letter *l)
{
    free(l->id);
    free(l->body);
    free(l->reason);
    free(l->handle);
}

static void release_letters(struct letters *all)
{
    for (size_t i = 0; i < all->len; i++)
        release_letter(&all->items[i]);
    free(all->items);
    text_map_release(&all->by_id);
    text_map_release(&all->asked);
}

static void ask_for(struct letters *all, const struct slice *ids, size_t ids_len)
{
    for (size_t i = 0; i < ids_len; i++)
        text_map_put(&all->asked, ids[i], 0);
}

static bool is_asked_for(const struct letters *all, const char *id)
{
    return all->asked.len == 0 || text_map_find(&all->asked, slice_of_string(id)) != TEXT_MAP_NONE;
}

static bool has_all_asked_for(const struct letters *all)
{
    return all->asked.len > 0 && all->found == all->asked.len;
}

static char *letter_reason(yyjson_val *message)
{
    yyjson_val *reason = yyjson_obj_get(yyjson_obj_get(message, "MessageAttributes"), "reason");

    if (reason)
        return copy_text(yyjson_obj_get(reason, "StringValue"));
    return xstrdup("not acknowledged: moved here by the queue's redrive policy");
}

/* Of one seen before, only its newer receipt handle is taken. */
static void take_letter(struct letters *all, yyjson_val *message)
{
    struct letter l = {.id = copy_text(yyjson_obj_get(message, "MessageId"))};
    uint32_t known = text_map_find(&all->by_id, slice_of_string(l.id));

    l.handle = copy_text(yyjson_obj_get(message, "ReceiptHandle"));
    if (known != TEXT_MAP_NONE) {
        free(all->items[known].handle);
        all->items[known].handle = l.handle;
        free(l.id);
        all->again++;
        return;
    }
    if (is_asked_for(all, l.id)) {
        l.body = copy_text(yyjson_obj_get(message, "Body"));
        l.reason = letter_reason(message);
        all->bytes += strlen(l.body);
        all->found++;
    }
    l.sent_us = (int64_t)queue_sqs_number(
                    yyjson_obj_get(yyjson_obj_get(message, "Attributes"), "SentTimestamp")) *
                1000;
    l.order = all->len;
    text_map_put(&all->by_id, slice_of_string(l.id), (uint32_t)all->len);
    all->items = array_reserve(all->items, &all->capacity, all->len + 1, sizeof(all->items[0]));
    all->items[all->len++] = l;
}

/* One receive. */
static int receive_letters(struct queue_sqs *q, const char *url, struct letters *all,
                           struct errbuf *err)
{
    yyjson_doc *doc = NULL;
    yyjson_arr_iter iter;
    struct buffer body;

    all->again = 0;
    buffer_init(&body, REQUEST_BYTES_MAX);
    queue_sqs_body(&body, url);
    buffer_appendf(&body,
                   ",\"MaxNumberOfMessages\":%d,\"WaitTimeSeconds\":%d,\"VisibilityTimeout\":%d,"
                   "\"MessageSystemAttributeNames\":[\"SentTimestamp\"],"
                   "\"MessageAttributeNames\":[\"reason\"]}",
                   QUEUE_SQS_BATCH, WAIT_S, HOLD_S);
    int error = queue_sqs_call(q, "ReceiveMessage", &body, &doc, err);
    buffer_release(&body);
    if (error)
        return error;
    if (yyjson_arr_iter_init(yyjson_obj_get(yyjson_doc_get_root(doc), "Messages"), &iter)) {
        for (yyjson_val *message; (message = yyjson_arr_iter_next(&iter));)
            if (queue_sqs_came_whole(message))
                take_letter(all, message);
    }
    yyjson_doc_free(doc);
    return 0;
}

/*
 * Collects letters: all, or until those that are asked for are among them. LM_ETOOBIG if there are
 * too many, or may be: they are hidden no longer, and come again while others may wait.
 */
static int collect_letters(struct queue_sqs *q, const char *url, struct letters *all,
                           struct errbuf *err)
{
    unsigned in_vain = 0;

    while (in_vain < RECEIVES_IN_VAIN) {
        size_t before = all->len;
        int error = receive_letters(q, url, all, err);

        if (error || has_all_asked_for(all))
            return error;
        in_vain = all->len > before ? 0 : in_vain + 1;
        if (all->len >= LETTERS_MAX || all->bytes >= LETTERS_BYTES_MAX)
            return errbuf_fail(err, LM_ETOOBIG,
                               "there are more dead letters than can be looked through at once: "
                               "only the first %zu were",
                               all->len);
    }
    if (all->again > 0)
        return errbuf_fail(err, LM_ETOOBIG,
                           "to look through the dead letters took longer than %d s, for which they "
                           "are hidden: there may be more than these %zu",
                           HOLD_S, all->len);
    return 0;
}

static int compare_letters(const void *left, const void *right)
{
    const struct letter *a = left;
    const struct letter *b = right;

    if (a->sent_us != b->sent_us)
        return a->sent_us < b->sent_us ? -1 : 1;
    return a->order < b->order ? -1 : 1; /* SQS tells only milliseconds */
}

/* Makes visible again what was received. A failure matters little: HOLD_S ends by itself. */
static void show_again(struct queue_sqs *q, const char *url, const struct letters *all)
{
    struct queue_sqs_entry *entries = xcalloc(all->len + 1, sizeof(*entries));
    struct errbuf ignored = ERRBUF_INIT;

    for (size_t i = 0; i < all->len; i++)
        entries[i].handle = all->items[i].handle;
    int error = queue_sqs_batch_run(q, url, entries, all->len, q->timeout_ms, &ignored);

    (void)error;
    free(entries);
}

int queue_sqs_letters_list(struct queue *base, queue_dead_letter_fn *fn, void *ctx,
                           struct errbuf *err)
{
    struct queue_sqs *q = (struct queue_sqs *)base;
    struct queue_sqs_letters_place place;
    struct letters all = {0};
    int error = find_place(q, &place, err);

    if (error)
        return error;
    error = collect_letters(q, place.url, &all, err);
    show_again(q, place.url, &all);
    queue_sqs_letters_place_release(&place);
    if (all.len > 0)
        qsort(all.items, all.len, sizeof(all.items[0]), compare_letters);
    for (size_t i = 0; i < all.len && (!error || error == LM_ETOOBIG); i++) {
        const struct letter *l = &all.items[i];

        if (fn(&(struct queue_dead_letter){.id = slice_of_string(l->id),
                                           .body = slice_of_string(l->body),
                                           .reason = slice_of_string(l->reason),
                                           .died_us = l->sent_us},
               ctx))
            break;
    }
    release_letters(&all);
    return error;
}

/* ---- Sending again ---- */

/*
 * Sends the letters that are asked for and deletes them; the others become visible again. A crash
 * in between leaves a letter in both queues, which is stored once.
 */
static int move_letters(struct queue_sqs *q, const char *url, const struct letters *all,
                        uint64_t *moved, struct errbuf *err)
{
    struct queue_sqs_entry *entries = xcalloc(all->len + 1, sizeof(*entries));
    struct errbuf settle = ERRBUF_INIT;
    int error = 0;

    for (size_t i = 0; i < all->len; i++) {
        const struct letter *l = &all->items[i];

        entries[i].handle = l->handle;
        if (error || !l->body)
            continue;
        error = send_text(q, q->url, slice_of_string(l->body), NULL, err);
        if (!error) {
            entries[i].delay_s = -1;
            ++*moved;
            if (q->progress)
                q->progress(*moved, all->found, q->progress_ctx);
        }
    }
    int settle_error = queue_sqs_batch_run(q, url, entries, all->len, q->timeout_ms, &settle);
    free(entries);
    if (!error && settle_error)
        error = errbuf_fail(err, settle_error, "%s", settle.text);
    return error;
}

static int requeue_by_hand(struct queue_sqs *q, const char *url, const struct slice *ids,
                           size_t ids_len, uint64_t *moved, struct errbuf *err)
{
    struct letters all = {0};
    struct errbuf reason = ERRBUF_INIT;
    int error = 0;

    ask_for(&all, ids, ids_len);
    int collected = collect_letters(q, url, &all, &reason);
    if (!collected || collected == LM_ETOOBIG)
        error = move_letters(q, url, &all, moved, err);
    if (!error && collected)
        error = errbuf_fail(err, collected, "%s", reason.text);
    for (size_t i = 0; !error && i < ids_len; i++) {
        if (text_map_find(&all.by_id, ids[i]) == TEXT_MAP_NONE)
            error =
                errbuf_fail(err, LM_ENOTFOUND, "there is no dead letter %.*s", SLICE_ARG(ids[i]));
    }
    release_letters(&all);
    return error;
}

/* How a move by SQS itself stands. */
struct task {
    char status[32];
    uint64_t moved;
    uint64_t total;
    char reason[128];
};

static void copy_short(char *out, size_t size, yyjson_val *value)
{
    struct slice text = json_text(value);

    snprintf(out, size, "%.*s", text.len < size ? (int)text.len : (int)size - 1,
             text.len > 0 ? text.data : "");
}

/* The newest task of the dead-letter queue. */
static int look_at_task(struct queue_sqs *q, const char *letters_arn, struct task *task,
                        struct errbuf *err)
{
    yyjson_doc *doc = NULL;
    struct buffer body;

    buffer_init(&body, REQUEST_BYTES_MAX);
    buffer_append_string(&body, "{\"SourceArn\":");
    json_append_string(&body, slice_of_string(letters_arn));
    buffer_append_string(&body, ",\"MaxResults\":1}");
    int error = queue_sqs_call(q, "ListMessageMoveTasks", &body, &doc, err);
    buffer_release(&body);
    if (error)
        return error;
    yyjson_val *result = yyjson_arr_get_first(yyjson_obj_get(yyjson_doc_get_root(doc), "Results"));
    copy_short(task->status, sizeof(task->status), yyjson_obj_get(result, "Status"));
    copy_short(task->reason, sizeof(task->reason), yyjson_obj_get(result, "FailureReason"));
    task->moved = queue_sqs_number(yyjson_obj_get(result, "ApproximateNumberOfMessagesMoved"));
    task->total = queue_sqs_number(yyjson_obj_get(result, "ApproximateNumberOfMessagesToMove"));
    yyjson_doc_free(doc);
    return 0;
}

/* Waits for the move to end, telling how it gets on. */
static int follow_task(struct queue_sqs *q, const char *letters_arn, uint64_t *moved,
                       struct errbuf *err)
{
    uint64_t last_change_us = clock_monotonic_us();
    struct task task;

    for (;;) {
        int error = look_at_task(q, letters_arn, &task, err);

        if (error)
            return error;
        if (task.moved != *moved)
            last_change_us = clock_monotonic_us();
        *moved = task.moved;
        if (q->progress)
            q->progress(task.moved, task.total, q->progress_ctx);
        if (strcmp(task.status, "COMPLETED") == 0)
            return 0;
        if (strcmp(task.status, "RUNNING") != 0)
            return errbuf_fail(err, LM_EUNAVAILABLE, "moving the dead letters ended as %s: %s",
                               task.status, task.reason);
        if (clock_monotonic_us() - last_change_us > (uint64_t)TASK_STALLED_MS * 1000)
            return errbuf_fail(err, LM_ETIMEOUT,
                               "moving the dead letters does not get on; SQS "
                               "goes on with it");
        usleep(TASK_LOOK_MS * 1000);
    }
}

/*
 * The destination is named: letters that were sent here one by one have no queue that they came
 * from.
 */
static int start_task(struct queue_sqs *q, const char *letters_arn)
{
    struct aws_call call = {
        .action = "StartMessageMoveTask",
        .timeout_ms = q->timeout_ms,
        .attempts = TASK_START_ATTEMPTS,
    };
    struct errbuf ignored = ERRBUF_INIT;
    struct buffer body;

    if (!q->arn)
        return LM_EINVAL;
    buffer_init(&body, REQUEST_BYTES_MAX);
    buffer_append_string(&body, "{\"SourceArn\":");
    json_append_string(&body, slice_of_string(letters_arn));
    queue_sqs_body_text(&body, "DestinationArn", slice_of_string(q->arn));
    buffer_append_char(&body, '}');
    call.body = buffer_slice(&body);
    int error = aws_client_run(q->client, &call, &ignored);
    aws_call_release(&call);
    buffer_release(&body);
    return error;
}

/*
 * All are moved by SQS itself, if it can and we may have it do so. Whatever stands against that:
 * moving them one by one needs no more than a worker needs.
 */
int queue_sqs_letters_requeue(struct queue *base, const struct slice *ids, size_t ids_len,
                              uint64_t *moved, struct errbuf *err)
{
    struct queue_sqs *q = (struct queue_sqs *)base;
    struct queue_sqs_letters_place place;

    *moved = 0;
    int error = find_place(q, &place, err);
    if (error)
        return error;
    if (ids_len == 0 && !start_task(q, place.arn))
        error = follow_task(q, place.arn, moved, err);
    else
        error = requeue_by_hand(q, place.url, ids, ids_len, moved, err);
    queue_sqs_letters_place_release(&place);
    return error;
}
