#include "api/intake.h"

#include <assert.h>
#include <stdlib.h>

#include "access/access.h"
#include "access/stamp.h"
#include "answers/answers.h"
#include "base/check.h"
#include "base/container_of.h"
#include "base/xalloc.h"
#include "http/percent.h"
#include "http/query_string.h"
#include "metrics/senders.h"
#include "record/limits.h"

enum {
    WRONG_BYTES_MAX = 64 << 20,  /* of an answer that tells what is wrong with a body */
    TOLD_BYTES_MAX = 64 << 20,   /* of one that tells of each log */
    PATH_BYTES_MAX = 1 << 20,    /* decoded: shorter than a head may be */
    SPARE_POSTS_MAX = 256,       /* kept for reuse */
    MEMORIES_MAX = 16,           /* formats that share none */
    WARM_BODY_BYTES = 256 << 10, /* a format's memory is kept after bodies up to this size */
    /* Of a refusal in a format's words: its text may be escaped, a byte as \u0000. */
    REFUSAL_BYTES_MAX = FORMAT_ANSWER_BYTES + 6 * ERRBUF_SIZE
};

static_assert((int)FORMAT_ANSWER_BYTES <= (int)HTTP_RESERVED_BODY_BYTES,
              "what is reserved is enough for the answer");

/* A request whose logs are on their way. */
struct post {
    struct ingest_ticket ticket;
    struct intake *intake;
    struct post *next_spare;
    struct http_request *req;
    unsigned sender; /* metrics/senders.h */
    const struct intake_way *way;
    const struct format *format;
    struct format_taken taken;
    struct format_counts counts;
    size_t bytes;       /* of the body, unpacked */
    struct buffer told; /* of a format that tells_each; charged to the request's account */
};

/* The memory of formats, made when the first body of one comes. */
struct memory {
    void *memory;
    void *(*make)(struct account *account); /* by it, those that share it are known */
    void (*free)(void *memory);
};

struct intake {
    struct ingest *ingest;
    struct access *access;
    struct account *account;
    struct memory memories[MEMORIES_MAX];
    size_t memories_len;
    struct buffer wrong;
    struct buffer path;
    struct stamp stamp;
    struct post *spare;
    size_t spare_len;
};

struct intake *intake_new(struct ingest *in, struct access *access, struct account *account)
{
    struct intake *intake = xcalloc(1, sizeof(*intake));

    intake->ingest = in;
    intake->access = access;
    intake->account = account;
    buffer_init(&intake->wrong, WRONG_BYTES_MAX);
    intake->wrong.account = account;
    buffer_init(&intake->path, PATH_BYTES_MAX);
    stamp_init(&intake->stamp, account);
    return intake;
}

void intake_free(struct intake *intake)
{
    if (!intake)
        return;
    while (intake->spare) {
        struct post *next = intake->spare->next_spare;

        free(intake->spare);
        intake->spare = next;
    }
    for (size_t i = 0; i < intake->memories_len; i++)
        intake->memories[i].free(intake->memories[i].memory);
    buffer_release(&intake->wrong);
    buffer_release(&intake->path);
    stamp_release(&intake->stamp);
    free(intake);
}

static void *memory_of(struct intake *intake, const struct format *format)
{
    if (!format->memory_new)
        return NULL;
    for (size_t i = 0; i < intake->memories_len; i++)
        if (intake->memories[i].make == format->memory_new)
            return intake->memories[i].memory;
    CHECK(intake->memories_len < MEMORIES_MAX);

    struct memory *m = &intake->memories[intake->memories_len++];

    m->make = format->memory_new;
    m->free = format->memory_free;
    m->memory = format->memory_new(intake->account);
    return m->memory;
}

/* What a large body has made large is not kept for the next one: nobody is charged for it. */
static void forget_memory(struct intake *intake, const struct format *format)
{
    for (size_t i = 0; i < intake->memories_len; i++) {
        struct memory *m = &intake->memories[i];

        if (m->make != format->memory_new)
            continue;
        m->free(m->memory);
        *m = intake->memories[--intake->memories_len];
        return;
    }
}

static void on_done(struct ingest_ticket *ticket, int error);

/* The body is not needed any more when its logs are taken. */
static bool exchange(struct ingest_ticket *ticket, struct account *account, size_t bytes)
{
    const struct post *p = container_of(ticket, struct post, ticket);

    return http_request_exchange_body(p->req, account, bytes);
}

static struct post *post_new(struct intake *intake, struct http_request *req,
                             const struct intake_way *way, const struct format *format)
{
    struct post *p = intake->spare;

    if (p) {
        intake->spare = p->next_spare;
        intake->spare_len--;
    } else {
        p = xmalloc(sizeof(*p));
    }
    *p = (struct post){
        .ticket = {.done = on_done, .exchange = exchange, .patience_ms = format->hold_ms},
        .intake = intake,
        .req = req,
        .sender = senders_find(access_name(req)),
        .way = way,
        .format = format};
    buffer_init(&p->told, TOLD_BYTES_MAX);
    p->told.account = http_request_account(req);
    return p;
}

static void post_free(struct post *p)
{
    struct intake *intake = p->intake;

    buffer_release(&p->told);
    if (intake->spare_len == SPARE_POSTS_MAX) {
        free(p);
        return;
    }
    p->next_spare = intake->spare;
    intake->spare = p;
    intake->spare_len++;
}

/* ---- Answers ---- */

/* The logs are durable, or there were none. */
static void answer_taken(struct post *p)
{
    const struct format *format = p->format;
    char room[FORMAT_ANSWER_BYTES];
    struct buffer body;

    senders_receive(p->sender, p->way->protocol, METRIC_TAKEN, p->counts.records);
    senders_receive(p->sender, p->way->protocol, METRIC_LEFT_OUT, p->counts.refused);
    senders_bytes(p->sender, p->way->protocol, p->bytes);
    CHECK(!format->answer_headers || strlen(format->answer_headers) <= HTTP_RESERVED_HEADER_BYTES);
    buffer_init_over(&body, room, sizeof(room));

    struct format_answer answer = format->answer(&p->taken, &body);

    http_respond(p->req,
                 &(struct http_response){.status = answer.status,
                                         .content_type = answer.content_type,
                                         .body = format->tells_each ? (struct slice){NULL, 0}
                                                                    : buffer_slice(&body),
                                         .body_buffer = format->tells_each ? &p->told : NULL,
                                         .header_lines = format->answer_headers});
}

/* Refuses in the words of `format`; if it has none, in the house's. `after_s`, if it is not 0, is
 * when the same may be sent again. */
static void say(struct http_request *req, const struct format *format, enum format_refusal why,
                const char *text, uint64_t after_s)
{
    char room[REFUSAL_BYTES_MAX], seconds[24];
    struct buffer body, number;

    buffer_init_over(&body, room, sizeof(room));
    buffer_init_over(&number, seconds, sizeof(seconds));

    struct format_answer answer = format->refuse(why, slice_of_string(text), &body);

    if (answer.status == 0) {
        http_reset(req);
        return;
    }
    CHECK(!buffer_error(&body));
    buffer_append_u64(&number, after_s);

    const struct http_header retry_after = {"Retry-After", buffer_slice(&number)};

    http_respond(req, &(struct http_response){.status = answer.status,
                                              .content_type = answer.content_type,
                                              .body = buffer_slice(&body),
                                              .headers = &retry_after,
                                              .headers_len = after_s ? 1 : 0,
                                              .header_lines = format->answer_headers});
}

/* When to try again what is refused for what is the case here, not for what was sent. */
static uint64_t after_s(const struct format *format, unsigned status)
{
    return status != 503 ? 0 : format->retry_after_s ? format->retry_after_s : 1;
}

static enum format_refusal kind_of(unsigned status)
{
    switch (status) {
    case 401:
        return FORMAT_REFUSED_KEY;
    case 403:
        return FORMAT_REFUSED_ROLE;
    case 413:
        return FORMAT_REFUSED_TOO_LARGE;
    case 429:
        return FORMAT_REFUSED_RATE;
    case 503:
        return FORMAT_REFUSED_BUSY;
    default:
        return FORMAT_REFUSED_CONTENT;
    }
}

static void refuse(struct http_request *req, const struct format *format, enum refusal why,
                   uint64_t number)
{
    struct errbuf text;

    if (!format->refuse) {
        answers_refuse(req, why, number);
        return;
    }
    answers_fail(&text, LM_EINVAL, why, number);
    say(req, format, kind_of(answers_status(why)), text.text, after_s(format, answers_status(why)));
}

/* A queue that was not heard of in time may have the logs all the same. */
enum refusal intake_refusal_of(int error)
{
    switch (error) {
    case LM_EDATA:
        return REFUSED_QUEUE_CONTENT;
    case LM_EFULL:
        return REFUSED_QUEUE_NO_SPACE;
    case LM_EBUSY:
        return REFUSED_QUEUE_FULL;
    case LM_ETIMEOUT:
    case LM_EUNAVAILABLE:
    case LM_ESTOPPED:
        return REFUSED_QUEUE_UNCONFIRMED;
    default:
        return REFUSED_QUEUE_FAILED;
    }
}

static void on_done(struct ingest_ticket *ticket, int error)
{
    struct post *p = container_of(ticket, struct post, ticket);

    if (!error) {
        answer_taken(p);
    } else {
        senders_receive(p->sender, p->way->protocol, METRIC_REFUSED_QUEUE, 1);
        refuse(p->req, p->format, intake_refusal_of(error), 0);
    }
    post_free(p);
}

static void refuse_too_large(const struct post *p, enum refusal why, uint64_t number)
{
    metrics_add(METRIC_LOGS_REFUSED_TOO_LARGE, 1);
    senders_receive(p->sender, p->way->protocol, METRIC_REFUSED_TOO_LARGE, 1);
    refuse(p->req, p->format, why, number);
}

static void count_invalid(const struct post *p)
{
    metrics_add(METRIC_LOGS_REFUSED_INVALID, 1);
    senders_receive(p->sender, p->way->protocol, METRIC_REFUSED_INVALID, 1);
}

/* What is wrong stands in intake->wrong. */
static void refuse_wrong(const struct post *p)
{
    const struct format *format = p->format;

    count_invalid(p);
    http_respond(p->req, &(struct http_response){.status = format->refusal.status,
                                                 .content_type = format->refusal.content_type,
                                                 .body_buffer = &p->intake->wrong,
                                                 .header_lines = format->answer_headers});
}

/* No memory, or no room in the ledger. */
static void refuse_overload(const struct post *p, int error)
{
    metrics_add(METRIC_LOGS_REFUSED_OVERLOAD, 1);
    senders_receive(p->sender, p->way->protocol, METRIC_REFUSED_OVERLOAD, 1);
    refuse(p->req, p->format, error == LM_ENOMEM ? REFUSED_NO_MEMORY : REFUSED_INTAKE_FULL, 0);
}

/*
 * There would be no room in the ledger even if nobody else were there: not worth another try. What
 * the body holds is given up for its logs, but not for what is told of them.
 */
static bool needs_too_much(const struct post *p)
{
    bool tells = buffer_error(&p->told) == LM_EBUSY;
    const size_t held[LEDGER_CLASSES] = {[LEDGER_BODIES] = tells ? http_request_held(p->req) : 0,
                                         [LEDGER_INTAKE] = p->ticket.bytes + p->counts.unpacked +
                                                           buffer_wanted(&p->intake->wrong),
                                         [LEDGER_ANSWERS] = buffer_wanted(&p->told)};

    return !ledger_could_hold(p->intake->account->ledger, held);
}

/* As `parse` returned, or the ingest. */
static void answer_refused(const struct post *p, int error)
{
    const struct queue_limits *limits = ingest_limits(p->intake->ingest);

    if ((error == LM_EBUSY && needs_too_much(p)) || buffer_error(&p->told) == LM_ETOOBIG) {
        refuse_too_large(p, REFUSED_NEEDS_TOO_MUCH, 0);
        return;
    }
    switch (error) {
    case LM_EINVAL:
        refuse_wrong(p);
        break;
    case LM_ENOTFOUND:
        count_invalid(p);
        refuse(p->req, p->format, REFUSED_PARAMETERS, QUERY_STRING_PARAMS_MAX);
        break;
    case LM_EDATA:
        refuse_too_large(p, REFUSED_LOG_TOO_LARGE, RECORD_BYTES_MAX);
        break;
    case LM_ETOOBIG:
        if (p->ticket.bytes > ingest_bytes_max(p->intake->ingest))
            refuse_too_large(p, REFUSED_LOGS_TOO_LARGE, ingest_bytes_max(p->intake->ingest));
        else
            refuse_too_large(
                p, limits->atomic_send ? REFUSED_MESSAGE_TOO_LARGE : REFUSED_MESSAGES_TOO_LARGE,
                limits->max_message_bytes);
        break;
    default:
        refuse_overload(p, error);
        break;
    }
}

/*
 * 400 and 415 are about the body's coding; 401, 403 and 429 about whoever sends it, and counted
 * where that is judged.
 */
bool intake_refuse(struct http_request *req, const struct intake_way *way, unsigned status,
                   const char *detail)
{
    static const struct {
        unsigned status;
        enum metric_counter all;
        enum metric_receipt receipt;
    } known[] = {
        {400, METRIC_LOGS_REFUSED_INVALID, METRIC_REFUSED_INVALID},
        {413, METRIC_LOGS_REFUSED_TOO_LARGE, METRIC_REFUSED_TOO_LARGE},
        {415, METRIC_LOGS_REFUSED_INVALID, METRIC_REFUSED_INVALID},
        {503, METRIC_LOGS_REFUSED_OVERLOAD, METRIC_REFUSED_OVERLOAD},
    };

    const struct format *format = intake_format(req, way);

    if (!format)
        format = way->usual;
    if ((status == 401 || status == 403 || status == 429) && format->refuse) {
        say(req, format, kind_of(status), detail, 0);
        return true;
    }
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (status != known[i].status)
            continue;
        metrics_add(known[i].all, 1);
        senders_receive(senders_find(access_name(req)), way->protocol, known[i].receipt, 1);
        if (!format->refuse)
            return false;
        say(req, format, kind_of(status),
            detail ? detail : answers_text(REFUSED_INTAKE_FULL), /* a 503 alone has none */
            after_s(format, status));
        return true;
    }
    return false;
}

/* ---- What a format may ask of its request ---- */

struct asked {
    struct format_request request;
    struct http_request *req;
    struct query_string query;
    bool has_query; /* it was read */
    int error;      /* it could not be */
};

static struct slice parameter(const struct format_request *request, const char *name)
{
    /* The format's is const; ours reads the query when it is first asked for. */
    struct asked *a = (struct asked *)(uintptr_t)container_of(request, struct asked, request);

    if (!a->has_query) {
        a->has_query = true;
        a->error = query_string_parse(&a->query, http_request_query(a->req));
    }
    return a->error ? (struct slice){NULL, 0} : query_string_last(&a->query, name);
}

static struct slice header(const struct format_request *request, const char *name)
{
    return http_request_header(container_of(request, struct asked, request)->req, name);
}

/* If there is no memory for it the path stays as it was sent. */
static struct slice decoded_path(struct intake *intake, const struct http_request *req)
{
    struct slice path = http_request_path(req);

    if (!memchr(path.data, '%', path.len))
        return path;
    buffer_clear(&intake->path);
    if (!buffer_reserve(&intake->path, path.len))
        return path;
    intake->path.len = percent_decode(intake->path.data, path, false);
    return buffer_slice(&intake->path);
}

/* ---- Taking logs ---- */

static int add_record(const struct record *r, void *ctx)
{
    struct post *p = ctx;
    struct record stamped;
    int error = stamp_apply(&p->intake->stamp, access_grant(p->req), r, &stamped);

    if (error)
        return error;
    p->taken.last_id = r->key.id;
    return ingest_add(&p->ticket, &stamped);
}

/*
 * As format.parse returns; but LM_ENOTFOUND: the query has too many parameters to look in.
 * `postponed`: NULL, or as format_options has it.
 */
static int parse(struct post *p, const char *postponed)
{
    struct intake *intake = p->intake;
    struct asked asked = {
        .request = {.path = decoded_path(intake, p->req), .parameter = parameter, .header = header},
        .req = p->req};
    const struct format_options options = {.memory = memory_of(intake, p->format),
                                           .request = &asked.request,
                                           .wrong = &intake->wrong,
                                           .told = p->format->tells_each ? &p->told : NULL,
                                           .postponed = postponed};
    struct slice body = http_request_body(p->req);

    buffer_clear(&intake->wrong); /* of another body */
    int error = p->format->parse(body, &options, add_record, p, &p->counts);

    stamp_rest(&intake->stamp);
    if (body.len > WARM_BODY_BYTES || p->counts.unpacked > WARM_BODY_BYTES)
        forget_memory(intake, p->format);
    if (asked.error)
        error = asked.error == LM_ETOOBIG ? LM_ENOTFOUND : asked.error;
    if (asked.has_query)
        query_string_release(&asked.query);
    if (!error && buffer_error(&p->told))
        error = buffer_error(&p->told) == LM_ENOMEM ? LM_ENOMEM : LM_EBUSY;
    p->taken.records = p->counts.records;
    return error;
}

/* ---- More than may be sent ---- */

/* The headers, and the status in the place of format->answer's, as the protocol has them. */
static void tell_each_later(struct post *p, const char *text, uint64_t wait_s)
{
    char seconds[24], room[FORMAT_ANSWER_BYTES];
    struct buffer number, none;

    buffer_init_over(&number, seconds, sizeof(seconds));
    buffer_init_over(&none, room, sizeof(room));
    buffer_append_u64(&number, wait_s);
    buffer_release(&p->told); /* of the logs as if they were taken */

    int error = parse(p, text);

    if (error == LM_EINVAL || error == LM_ENOTFOUND) {
        answer_refused(p, error);
        return;
    }
    if (error) { /* there is no room to tell it of each */
        buffer_release(&p->told);
        say(p->req, p->format, FORMAT_REFUSED_RATE, text, wait_s);
        return;
    }

    struct format_answer answer = p->format->answer(&p->taken, &none);
    const struct http_header retry_after = {"Retry-After", buffer_slice(&number)};

    http_respond(p->req, &(struct http_response){.status = answer.status,
                                                 .content_type = answer.content_type,
                                                 .body_buffer = &p->told,
                                                 .headers = &retry_after,
                                                 .headers_len = 1,
                                                 .header_lines = p->format->answer_headers});
}

static void refuse_excess(struct post *p, const struct access_excess *excess)
{
    const struct format *format = p->format;
    struct errbuf text;

    metrics_add(METRIC_LOGS_REFUSED_RATE, 1);
    senders_receive(p->sender, p->way->protocol, METRIC_REFUSED_RATE, 1);
    answers_fail(&text, LM_EINVAL, excess->why, excess->number);
    if (format->tells_each)
        tell_each_later(p, text.text, excess->wait_s);
    else if (format->refuse)
        say(p->req, format, FORMAT_REFUSED_RATE, text.text, excess->wait_s);
    else
        answers_refuse_for(p->req, excess->why, excess->number, excess->wait_s);
}

/* Bytes of the body as its logs are in it. */
static size_t body_bytes(const struct post *p)
{
    size_t len = http_request_body(p->req).len;

    return p->counts.unpacked > len ? p->counts.unpacked : len;
}

void intake_take(struct intake *intake, struct http_request *req, const struct intake_way *way,
                 const struct format *format)
{
    struct post *p = post_new(intake, req, way, format);
    struct access_excess excess;
    int error;

    ingest_open(intake->ingest, &p->ticket);
    /* Not to read for nothing what nothing could be taken of. */
    if (!access_may_send(intake->access, req, 1, http_request_body(req).len, &excess))
        goto exceeds;
    error = parse(p, NULL);
    if (error && error != LM_EBUSY && error != LM_ENOMEM) /* it has cost what a right one costs */
        access_sent(intake->access, req, 0, body_bytes(p));
    if (error)
        goto refuse;
    buffer_release(&intake->wrong); /* what was left out */
    p->ticket.has_room = http_reserve_answer(req);
    error = p->ticket.has_room ? 0 : LM_ENOMEM;
    if (error)
        goto refuse;
    p->bytes = body_bytes(p);
    if (!access_send(intake->access, req, p->counts.records, p->bytes, &excess))
        goto exceeds;
    if (p->counts.records == 0) { /* an empty array: nothing to make durable */
        ingest_cancel(&p->ticket);
        answer_taken(p);
        post_free(p);
        return;
    }
    error = ingest_commit(&p->ticket);
    if (error)
        goto refuse;
    if (p->counts.nul_characters)
        metrics_add(METRIC_NUL_REPLACED, p->counts.nul_characters);
    return;
exceeds:
    ingest_cancel(&p->ticket);
    refuse_excess(p, &excess);
    post_free(p);
    buffer_release(&intake->wrong);
    return;
refuse:
    ingest_cancel(&p->ticket);
    answer_refused(p, error);
    post_free(p);
    buffer_release(&intake->wrong); /* what is charged is not kept for reuse */
}

/* The media type of `req` without its parameters; data NULL if there is none. */
static struct slice media_type(const struct http_request *req)
{
    struct slice type = http_request_header(req, "content-type");
    const char *end = type.len ? memchr(type.data, ';', type.len) : NULL;

    if (end)
        type.len = (size_t)(end - type.data);
    while (type.len && (type.data[type.len - 1] == ' ' || type.data[type.len - 1] == '\t'))
        type.len--;
    return type;
}

const struct format *intake_format(const struct http_request *req, const struct intake_way *way)
{
    return format_find(way->formats, media_type(req));
}
