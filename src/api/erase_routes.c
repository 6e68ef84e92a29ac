/*
 * DELETE /logs: counts the logs of a filter, or deletes them for ever (api/erasure.h), on a thread
 * of its own, one at a time; its client is answered at the end. It goes on if that has gone, but
 * not past a stop of the server.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "answers/answers.h"
#include "api/erasure.h"
#include "api/internal.h"
#include "base/container_of.h"
#include "base/xalloc.h"
#include "diag/diag.h"
#include "http/query_string.h"
#include "read/answer.h"
#include "read/params.h"
#include "json/writer.h"

enum { REFUSAL_BYTES_MAX = 1 << 20, ANSWER_BYTES_MAX = 2048 };

struct erase_job {
    struct mail mail;
    pthread_t thread;
    struct api *api;
    struct mailbox *box;
    struct http_request *req;
    struct log_matcher *matcher;
    bool dry_run;
    char name[GRANT_NAME_MAX + 1]; /* of the key */
    char address[ACCESS_CLIENT_SIZE];
    char reason[LOG_PARAMS_REASON_MAX + 1]; /* empty: none was given */
    uint64_t logs;
    int error;
    struct errbuf why;
};

static void job_free(struct erase_job *job)
{
    log_matcher_unref(job->matcher);
    free(job);
}

/* ---- On its thread ---- */

static bool goes_on(uint64_t logs, void *ctx)
{
    const struct erase_job *job = ctx;

    (void)logs;
    return !atomic_load(&job->api->erasing.stops);
}

static int count(struct erase_job *job)
{
    struct store_reader *r = store_reader_new(job->api->store, &job->why);
    struct erasure_count counted = {0};
    int error =
        r ? erasure_count(r, job->matcher, &counted, goes_on, job, &job->why) : LM_EUNAVAILABLE;

    job->logs = counted.logs;
    store_reader_free(r);
    return error;
}

static int erase(struct erase_job *job)
{
    const struct api *api = job->api;
    struct store_writer *w = store_writer_new(api->store, &job->why);
    struct cache_client *cache = NULL;
    struct errbuf why = ERRBUF_INIT;
    int error = w ? 0 : LM_EUNAVAILABLE;

    if (!error && api->cache) {
        cache = cache_client_new(api->cache, &job->why);
        error = cache ? 0 : LM_EUNAVAILABLE;
    }
    if (!error)
        error = erasure_run(w, job->matcher, cache, &job->logs, goes_on, job, &job->why);
    if (cache && cache_forget(cache, &why) && !error)
        error = errbuf_fail(&job->why, LM_EUNAVAILABLE,
                            "the cache could not be told, and may show deleted logs until it is "
                            "rebuilt: %s",
                            why.text);
    if (!error && api->erasing.scrub)
        error = api->erasing.scrub(api->erasing.scrub_ctx, &job->why);
    cache_client_free(cache);
    store_writer_free(w);
    return error;
}

static void say(const struct erase_job *job, const char *what)
{
    diag(DIAG_WARN, what, DIAG_STR("key", job->name), DIAG_STR("address", job->address),
         DIAG_STR("reason", job->reason), DIAG_INT("deleted", (int64_t)job->logs));
}

static void *run(void *ctx)
{
    struct erase_job *job = ctx;

    if (job->dry_run) {
        job->error = count(job);
    } else {
        say(job, "deleting logs by DELETE /logs");
        job->error = erase(job);
        say(job, job->error ? "deleting logs failed" : "deleted logs");
    }
    mailbox_post(job->box, &job->mail);
    return NULL;
}

/* ---- On the loop's ---- */

static void answer(struct erase_job *job)
{
    char room[ANSWER_BYTES_MAX];
    struct buffer body;

    buffer_init_over(&body, room, sizeof(room));
    buffer_append_char(&body, '{');
    if (job->error) {
        buffer_append_string(&body, "\"detail\":");
        json_append_string(&body, slice_of_string(job->error == LM_ESTOPPED
                                                      ? "the server stops: ask again to go on"
                                                  : job->why.text[0] ? job->why.text
                                                                     : lm_error_text(job->error)));
        buffer_append_char(&body, ',');
    }
    buffer_appendf(&body, "\"%s\":%llu}", job->dry_run ? "matching" : "deleted",
                   (unsigned long long)job->logs);
    http_respond(job->req, &(struct http_response){.status = job->error ? 503 : 200,
                                                   .body = buffer_slice(&body)});
}

static void deliver(struct mail *mail)
{
    struct erase_job *job = container_of(mail, struct erase_job, mail);
    struct mailbox *box = job->box;

    pthread_join(job->thread, NULL);
    atomic_store(&job->api->erasing.is_busy, false);
    answer(job);
    job_free(job);
    mailbox_arrived(box);
}

/* Begins, with room for its answer; else `job` is the caller's, and the request is answered. */
static bool begin(struct erase_job *job)
{
    bool is_free = false;

    if (!atomic_compare_exchange_strong(&job->api->erasing.is_busy, &is_free, true)) {
        answers_refuse(job->req, REFUSED_ERASING, 0);
        return false;
    }
    if (http_reserve_answer(job->req)) {
        mailbox_expect(job->box);
        if (!pthread_create(&job->thread, NULL, run, job))
            return true;
        mailbox_arrived(job->box);
    }
    atomic_store(&job->api->erasing.is_busy, false);
    answers_refuse(job->req, REFUSED_NO_MEMORY, 0);
    return false;
}

/* What is asked for. False: the request is answered. */
static bool read_job(struct erase_job *job)
{
    struct query_string params;
    struct log_params_erase asked = {0};
    struct log_filter filter;
    struct buffer refusal;
    int error = query_string_parse(&params, http_request_query(job->req));

    buffer_init(&refusal, REFUSAL_BYTES_MAX);
    if (!error)
        error = log_params_parse_erase(&params, access_only(job->req), &filter, &asked, &refusal);
    if (!error && erasure_asks_for_something(&filter) == asked.all) {
        answers_refuse(job->req, REFUSED_ERASE_ALL, 0);
        query_unref(filter.query);
    } else if (error) {
        read_answer_refuse(job->req, error, buffer_slice(&refusal));
    } else {
        job->dry_run = asked.dry_run;
        snprintf(job->reason, sizeof(job->reason), "%.*s", (int)asked.reason.len,
                 asked.reason.len > 0 ? asked.reason.data : "");
        job->matcher = log_matcher_new(&filter);
        query_unref(filter.query);
        if (!job->matcher)
            answers_refuse(job->req, REFUSED_NO_MEMORY, 0);
    }
    buffer_release(&refusal);
    query_string_release(&params);
    return job->matcher;
}

void erase_routes_delete(struct http_request *req, void *thread)
{
    struct api_thread *t = thread;
    struct erase_job *job = xcalloc(1, sizeof(*job));
    const char *name = access_name(req);

    job->mail.deliver = deliver;
    job->api = t->api;
    job->box = &t->box;
    job->req = req;
    snprintf(job->name, sizeof(job->name), "%s", name ? name : "");
    (void)access_client(req, job->address);
    if (!read_job(job) || !begin(job))
        job_free(job);
}
