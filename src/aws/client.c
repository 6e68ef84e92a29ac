/*
 * A call is in one of three lists of the client's:
 *
 *   arrived   handed over, not yet seen by the thread (the only list that others touch)
 *   waiting   for its turn, or for the pause before its next attempt (due_us)
 *   running   an attempt is under way on an easy handle of libcurl's
 *
 * Signing is libcurl's: it signs Host, the date, and the headers that are set here, among them the
 * session token; what it adds by itself is not signed. A header switched off through
 * CURLOPT_HTTPHEADER ("Expect:") would be signed and then not sent, so none is.
 */
#include "aws/client.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "aws/profile.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "fetch/handle.h"

enum {
    ANSWER_BYTES_MAX = 64 << 20, /* ten messages of 1 MiB, each byte of them escaped */
    PAUSE_FIRST_MS = 50,         /* at most, before the second attempt; doubles … */
    PAUSE_MAX_MS = 2000,         /* … up to this */
    QUIET_MIN_MS = 1000,         /* that an answer may always take */
    LAST_PART = 10, /* of a call's time, at least: less is not enough for another attempt */
    SPARE_HANDLES = 64,
    IDLE_MS = 60000, /* between two looks at nothing */
};

struct aws_flight {
    struct aws_call *call;
    struct fetch_handle *handle; /* of the attempt under way, as are the next two */
    struct fetch_request request;
    const struct aws_credentials *credentials;
    unsigned attempts;
    bool has_hung; /* the last of them */
    uint64_t deadline_us;
    uint64_t due_us;
    bool cancelled; /* under the client's lock */
    struct aws_flight *next;
};

struct aws_client {
    struct aws_client_options options;
    char *url;
    char *region;
    char *name;
    char *service;
    char *target;
    char *signer; /* for CURLOPT_AWS_SIGV4 */

    CURLM *multi;
    struct aws_flight *waiting; /* in the order of their turns */
    struct aws_flight *running;
    unsigned running_len;
    struct fetch_handle *spare[SPARE_HANDLES];
    size_t spare_len;
    unsigned seed;

    pthread_mutex_t lock; /* guards what follows */
    struct aws_flight *arrived;
    struct aws_flight **arrived_end;
    bool cancels; /* some call was cancelled since the thread looked */
    bool stopping;

    pthread_t thread;
};

/* ---- One attempt ---- */

static int take_answer(struct slice piece, void *ctx)
{
    struct aws_call *call = ctx;

    buffer_append_slice(&call->answer, piece);
    return buffer_error(&call->answer) ? LM_ENOMEM : 0;
}

static int set_headers(struct aws_client *c, struct aws_flight *f)
{
    char target[128];

    snprintf(target, sizeof(target), "%s.%s", c->target, f->call->action);
    int error = fetch_handle_header(f->handle, "Content-Type: ", "application/x-amz-json-1.0");
    if (!error)
        error = fetch_handle_header(f->handle, "X-Amz-Target: ", target);
    if (!error && f->credentials->session_token)
        error =
            fetch_handle_header(f->handle, "X-Amz-Security-Token: ", f->credentials->session_token);
    return error;
}

static void set_request(struct aws_client *c, struct aws_flight *f, uint64_t now)
{
    unsigned quiet_ms = f->call->quiet_ms > 0 ? f->call->quiet_ms : f->call->timeout_ms / 3;
    uint64_t left_ms = f->deadline_us > now ? (f->deadline_us - now) / 1000 : 0;
    CURL *easy = f->handle->easy;

    quiet_ms = quiet_ms > QUIET_MIN_MS ? quiet_ms : QUIET_MIN_MS;
    f->request = (struct fetch_request){
        .url = c->url,
        .body = f->call->body,
        .ca_file = aws_profile_env("AWS_CA_BUNDLE"),
        .timeout_ms = left_ms > 0 ? (unsigned)left_ms : 1,
        .connect_ms = quiet_ms,
        .silence_ms = quiet_ms,
        .take = take_answer,
        .ctx = f->call,
    };
    fetch_handle_set(f->handle, &f->request);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    /* Of the connections that are kept, others may hang, too. */
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, f->has_hung ? 1L : 0L);
    /* A body of more than 1 MiB goes with "Expect: 100-continue", which not all servers know. */
    curl_easy_setopt(easy, CURLOPT_EXPECT_100_TIMEOUT_MS, 1L);
    curl_easy_setopt(easy, CURLOPT_AWS_SIGV4, c->signer);
    curl_easy_setopt(easy, CURLOPT_USERNAME, f->credentials->access_key_id);
    curl_easy_setopt(easy, CURLOPT_PASSWORD, f->credentials->secret_access_key);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, f);
}

/* Gives back what an attempt had. */
static void let_go(struct aws_client *c, struct aws_flight *f)
{
    fetch_handle_end(f->handle); /* keeps nothing of the secrets */
    if (c->spare_len < SPARE_HANDLES)
        c->spare[c->spare_len++] = f->handle;
    else
        fetch_handle_free(f->handle);
    f->handle = NULL;
    aws_identity_give_back(c->options.identity, f->credentials);
    f->credentials = NULL;
}

/* Begins an attempt, and moves the call to the running ones. Returns 0 or LM_ENOMEM. */
static int begin_attempt(struct aws_client *c, struct aws_flight *f, uint64_t now)
{
    f->attempts++;
    f->handle = c->spare_len > 0 ? c->spare[--c->spare_len] : fetch_handle_new();
    if (!f->handle)
        return LM_ENOMEM;
    f->credentials = aws_identity_acquire(c->options.identity);
    buffer_clear(&f->call->answer);
    bool ready = !set_headers(c, f);
    if (ready) {
        set_request(c, f, now);
        ready = curl_multi_add_handle(c->multi, f->handle->easy) == CURLM_OK;
    }
    if (!ready) {
        let_go(c, f);
        return LM_ENOMEM;
    }
    f->next = c->running;
    c->running = f;
    c->running_len++;
    return 0;
}

/* Ends the attempt, and takes the call out of the running ones. */
static void end_attempt(struct aws_client *c, struct aws_flight *f)
{
    struct aws_flight **at = &c->running;

    while (*at != f)
        at = &(*at)->next;
    *at = f->next;
    c->running_len--;
    curl_multi_remove_handle(c->multi, f->handle->easy);
    let_go(c, f);
}

/* ---- The end of a call ---- */

static void finish(struct aws_client *c, struct aws_flight *f)
{
    struct aws_call *call = f->call;

    pthread_mutex_lock(&c->lock);
    call->flight = NULL; /* too late to cancel it */
    pthread_mutex_unlock(&c->lock);
    free(f);
    call->done(call);
}

static void fail(struct aws_client *c, struct aws_flight *f, int error, const char *reason)
{
    f->call->error = error;
    errbuf_set(&f->call->detail, "%s %s: %s", c->name, f->call->action, reason);
}

/* ---- What came of an attempt ---- */

/* libcurl could not make the request, or got no whole answer. */
static bool judge_transport(struct aws_client *c, struct aws_flight *f, CURLcode rc)
{
    int error = fetch_handle_error(f->handle, rc);

    f->call->in_doubt |= fetch_handle_was_sent(f->handle);
    if (error == LM_ENOMEM) {
        fail(c, f, LM_ENOMEM, "the answer is larger than can be held");
        return false;
    }
    fail(c, f, error, fetch_handle_reason(f->handle, rc));
    return rc != CURLE_OUT_OF_MEMORY && rc != CURLE_PEER_FAILED_VERIFICATION &&
           rc != CURLE_URL_MALFORMAT && rc != CURLE_UNSUPPORTED_PROTOCOL;
}

static bool judge_answer(struct aws_client *c, struct aws_flight *f, long status)
{
    struct aws_call *call = f->call;
    struct errbuf text = ERRBUF_INIT;
    struct errbuf trouble = ERRBUF_INIT;

    if (status == 200) {
        call->error = 0;
        return false;
    }
    aws_error_read(&call->why, status, buffer_slice(&call->answer), &text);
    fail(c, f, LM_EUNAVAILABLE, text.text);
    call->in_doubt |= status >= 500;
    switch (call->why.kind) {
    case AWS_ERROR_TRANSIENT:
        return true;
    case AWS_ERROR_EXPIRED:
    case AWS_ERROR_IDENTITY:
        aws_identity_trouble(c->options.identity, &trouble);
        errbuf_set(&call->detail, "%s %s: %s; they are from %s, the region is %s%s%s", c->name,
                   call->action, text.text, f->credentials->source, c->region,
                   trouble.text[0] != '\0' ? "; they cannot be refreshed: " : "", trouble.text);
        aws_identity_doubt(c->options.identity, f->credentials);
        return call->why.kind == AWS_ERROR_EXPIRED;
    case AWS_ERROR_MISSING:
        call->error = LM_ENOTFOUND;
        errbuf_set(&call->detail, "%s %s: %s; the region is %s", c->name, call->action, text.text,
                   c->region);
        return false;
    case AWS_ERROR_REFUSED:
        call->error = LM_EINVAL;
        return false;
    case AWS_ERROR_FORBIDDEN:
    case AWS_ERROR_SETUP:
        break;
    }
    return false;
}

/* A random part of a pause that doubles with each attempt. */
static uint64_t pause_us(struct aws_client *c, const struct aws_flight *f)
{
    uint64_t most = (uint64_t)PAUSE_FIRST_MS * 1000;

    for (unsigned i = 1; i < f->attempts && most < (uint64_t)PAUSE_MAX_MS * 1000; i++)
        most *= 2;
    return (uint64_t)rand_r(&c->seed) % most;
}

/*
 * When no attempt is begun any more. One that is certain to be cut off would hide why those before
 * it failed, and leave in doubt what the service has refused.
 */
static uint64_t last_us(const struct aws_flight *f)
{
    uint64_t least_us = (uint64_t)f->call->timeout_ms * 1000 / LAST_PART;

    return f->attempts > 0 ? f->deadline_us - least_us : f->deadline_us;
}

/* Puts `f` back among the waiting ones, for another attempt; or finishes it. */
static void settle(struct aws_client *c, struct aws_flight *f, bool again)
{
    unsigned limit = f->call->attempts;
    uint64_t now = clock_monotonic_us();

    f->due_us = now + pause_us(c, f);
    if (!again || (limit > 0 && f->attempts >= limit) || f->due_us >= last_us(f)) {
        finish(c, f);
        return;
    }
    f->next = c->waiting;
    c->waiting = f;
}

static void take_results(struct aws_client *c)
{
    CURLMsg *msg;
    int left;

    while ((msg = curl_multi_info_read(c->multi, &left))) {
        CURLcode rc = msg->data.result;
        struct aws_flight *f;
        bool again;

        if (msg->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &f);
        f->has_hung = fetch_handle_error(f->handle, rc) == LM_ETIMEOUT;
        again = rc != CURLE_OK ? judge_transport(c, f, rc)
                               : judge_answer(c, f, fetch_handle_status(f->handle));
        end_attempt(c, f);
        settle(c, f, again);
    }
}

/* ---- The thread ---- */

/* Takes over what has arrived. Returns false when the client is to end and nothing is left. */
static bool take_arrivals(struct aws_client *c, bool *cancels)
{
    struct aws_flight **end = &c->waiting;

    while (*end)
        end = &(*end)->next;
    pthread_mutex_lock(&c->lock);
    *end = c->arrived;
    c->arrived = NULL;
    c->arrived_end = &c->arrived;
    *cancels = c->cancels;
    c->cancels = false;
    bool stopping = c->stopping;
    pthread_mutex_unlock(&c->lock);
    return !stopping || c->waiting || c->running;
}

static bool is_stopping(struct aws_client *c)
{
    pthread_mutex_lock(&c->lock);
    bool stopping = c->stopping;
    pthread_mutex_unlock(&c->lock);
    return stopping;
}

static bool is_cancelled(struct aws_client *c, struct aws_flight *f)
{
    pthread_mutex_lock(&c->lock);
    bool cancelled = f->cancelled;
    pthread_mutex_unlock(&c->lock);
    return cancelled;
}

static void drop_cancelled(struct aws_client *c)
{
    struct aws_flight *next;

    for (struct aws_flight *f = c->running; f; f = next) {
        next = f->next;
        if (!is_cancelled(c, f))
            continue;
        f->call->in_doubt = true;
        end_attempt(c, f);
        fail(c, f, LM_ESTOPPED, "cancelled");
        finish(c, f);
        next = c->running; /* `done` may have started others, but those wait */
    }
    for (struct aws_flight **at = &c->waiting; *at;) {
        struct aws_flight *f = *at;

        if (!is_cancelled(c, f)) {
            at = &f->next;
            continue;
        }
        *at = f->next;
        fail(c, f, LM_ESTOPPED, "cancelled");
        finish(c, f);
    }
}

/* Begins what is due and has room. Returns when to look again (monotonic). */
static uint64_t begin_waiting(struct aws_client *c)
{
    uint64_t now = clock_monotonic_us();
    uint64_t next_us = now + (uint64_t)IDLE_MS * 1000;

    for (struct aws_flight **at = &c->waiting; *at;) {
        struct aws_flight *f = *at;
        bool failed_before = f->call->error && f->attempts == 0;
        bool has_room = c->running_len < c->options.max_in_flight;
        uint64_t end_us = last_us(f);
        uint64_t event_us = f->due_us > now ? f->due_us : end_us;

        if (!failed_before && now < end_us && (f->due_us > now || !has_room)) {
            next_us = event_us < next_us ? event_us : next_us;
            at = &f->next;
            continue;
        }
        *at = f->next;
        if (failed_before || now >= end_us) {
            if (!failed_before && f->attempts == 0)
                fail(c, f, LM_ETIMEOUT, "no turn came in time: too many calls at once");
            finish(c, f);
        } else if (begin_attempt(c, f, now)) {
            fail(c, f, LM_ENOMEM, "no memory for a request");
            settle(c, f, true);
            /* When that may be due again, or is looked at once more. */
            uint64_t look_us = now + (uint64_t)PAUSE_FIRST_MS * 1000;
            next_us = look_us < next_us ? look_us : next_us;
        }
    }
    return next_us;
}

/* When the first attempt ends of which no byte moves (monotonic). */
static uint64_t first_silent_us(const struct aws_client *c)
{
    uint64_t first_us = UINT64_MAX;

    for (const struct aws_flight *f = c->running; f; f = f->next) {
        uint64_t silent_us = fetch_handle_silent_us(f->handle);

        first_us = silent_us < first_us ? silent_us : first_us;
    }
    return first_us;
}

static void *run(void *arg)
{
    struct aws_client *c = arg;
    bool cancels;

    while (take_arrivals(c, &cancels)) {
        uint64_t next_us, silent_us, now;
        int running;

        if (cancels)
            drop_cancelled(c);
        next_us = begin_waiting(c);
        curl_multi_perform(c->multi, &running);
        take_results(c);
        now = clock_monotonic_us();
        if (c->waiting && c->running_len < c->options.max_in_flight)
            next_us = begin_waiting(c);
        if (!c->waiting && !c->running && is_stopping(c))
            continue; /* nobody would wake it */
        silent_us = first_silent_us(c);
        next_us = silent_us < next_us ? silent_us : next_us;
        curl_multi_poll(c->multi, NULL, 0, next_us > now ? (int)((next_us - now) / 1000 + 1) : 0,
                        NULL);
    }
    return NULL;
}

/* ---- The interface ---- */

void aws_client_start(struct aws_client *client, struct aws_call *call)
{
    struct aws_flight *f = xcalloc(1, sizeof(*f));

    f->call = call;
    f->deadline_us = clock_monotonic_us() + (uint64_t)call->timeout_ms * 1000;
    call->flight = f;
    call->in_doubt = false;
    call->detail.text[0] = '\0';
    call->answer.ceiling = ANSWER_BYTES_MAX;
    pthread_mutex_lock(&client->lock);
    *client->arrived_end = f;
    client->arrived_end = &f->next;
    pthread_mutex_unlock(&client->lock);
    curl_multi_wakeup(client->multi);
}

void aws_client_cancel(struct aws_client *client, struct aws_call *call)
{
    pthread_mutex_lock(&client->lock);
    if (call->flight) {
        call->flight->cancelled = true;
        client->cancels = true;
    }
    pthread_mutex_unlock(&client->lock);
    curl_multi_wakeup(client->multi);
}

void aws_call_release(struct aws_call *call)
{
    buffer_release(&call->answer);
}

/* Calls that are waited for. */
struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t finished;
    size_t left;
};

static void wake_waiter(struct aws_call *call)
{
    struct waiter *w = call->ctx;

    pthread_mutex_lock(&w->lock);
    if (--w->left == 0)
        pthread_cond_signal(&w->finished);
    pthread_mutex_unlock(&w->lock);
}

void aws_client_run_all(struct aws_client *client, struct aws_call *calls, size_t n)
{
    struct waiter w = {
        .lock = PTHREAD_MUTEX_INITIALIZER, .finished = PTHREAD_COND_INITIALIZER, .left = n};

    for (size_t i = 0; i < n; i++) {
        calls[i].done = wake_waiter;
        calls[i].ctx = &w;
        aws_client_start(client, &calls[i]);
    }
    pthread_mutex_lock(&w.lock);
    while (w.left > 0)
        pthread_cond_wait(&w.finished, &w.lock);
    pthread_mutex_unlock(&w.lock);
    pthread_cond_destroy(&w.finished);
    pthread_mutex_destroy(&w.lock);
}

int aws_client_run(struct aws_client *client, struct aws_call *call, struct errbuf *err)
{
    aws_client_run_all(client, call, 1);
    if (call->error)
        errbuf_set(err, "%s", call->detail.text);
    return call->error;
}

static void release(struct aws_client *c)
{
    while (c->spare_len > 0)
        fetch_handle_free(c->spare[--c->spare_len]);
    curl_multi_cleanup(c->multi);
    pthread_mutex_destroy(&c->lock);
    free(c->url);
    free(c->region);
    free(c->name);
    free(c->service);
    free(c->target);
    free(c->signer);
    free(c);
}

struct aws_client *aws_client_new(const struct aws_client_options *options, struct errbuf *err)
{
    struct aws_client *c = xcalloc(1, sizeof(*c));
    struct buffer signer;

    c->options = *options;
    c->url = xstrdup(options->url);
    c->region = xstrdup(options->region);
    c->name = xstrdup(options->name);
    c->service = xstrdup(options->service);
    c->target = xstrdup(options->target);
    buffer_init(&signer, 1024);
    buffer_appendf(&signer, "aws:amz:%s:%s", c->region, c->service);
    buffer_append_char(&signer, '\0');
    c->signer = xstrdup(buffer_error(&signer) ? "" : signer.data);
    buffer_release(&signer);
    c->arrived_end = &c->arrived;
    c->seed = (unsigned)clock_wall_us();
    pthread_mutex_init(&c->lock, NULL);
    fetch_handle_init();
    c->multi = curl_multi_init();
    if (!c->multi) {
        errbuf_set(err, "no memory for HTTP");
        goto fail;
    }
    curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long)options->max_in_flight);
    if (pthread_create(&c->thread, NULL, run, c)) {
        errbuf_set(err, "cannot start a thread");
        goto fail;
    }
    return c;

fail:
    release(c);
    return NULL;
}

void aws_client_free(struct aws_client *client)
{
    if (!client)
        return;
    pthread_mutex_lock(&client->lock);
    client->stopping = true;
    pthread_mutex_unlock(&client->lock);
    curl_multi_wakeup(client->multi);
    pthread_join(client->thread, NULL);
    release(client);
}
