#include "program/delete.h"

#include <ctype.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <yyjson.h>

#include "api/erasure.h"
#include "base/clock.h"
#include "base/timestamp.h"
#include "cli/ask.h"
#include "cli/filters.h"
#include "cli/line_check.h"
#include "cli/terminal.h"
#include "diag/diag.h"
#include "http/query_string.h"
#include "program/command.h"
#include "program/data_dir.h"
#include "program/ports.h"
#include "read/params.h"
#include "sqlite/db.h"

enum {
    TEXT_BYTES_MAX = 1 << 20, /* of all conditions */
    REST_US = 2000,           /* between two steps of scrubbing: others write as well */
    REASON_MAX = 1000,
    SCRUB_TIMES = 2,      /* what is free in the queue's file is given back at most so often */
    SCRUB_LOG_TRIES = 20, /* of cutting the log of the queue's file … */
    SCRUB_REST_US = 100 * 1000, /* … so far apart */
};

/* ---- What is asked for ---- */

struct job {
    const struct flags *flags;
    int words_len;        /* of flags->args, at first those that are a query, then the settings */
    struct buffer asked;  /* the query, printed: its times are absolute */
    struct buffer params; /* the conditions, as parameters of the API */
    struct query_string query;
    struct log_query wanted; /* its filter views the matcher's */
    struct log_matcher *matcher;
    struct store *store;
};

static bool is_own(const char *flag)
{
    return strcmp(flag, "yes") == 0 || strcmp(flag, "reason") == 0 || strcmp(flag, "all") == 0;
}

static bool has_condition(const struct flags *flags, int words_len)
{
    for (int i = 0; i < flags->given_len; i++)
        if (!is_own(flags->given[i].flag->name))
            return true;
    return words_len > 0;
}

static int check_flags(const struct flags *flags, int words_len)
{
    const char *reason = flags_text(flags, "reason");
    bool all = flags_has(flags, "all");
    const char *wrong = NULL;

    if (!all && !has_condition(flags, words_len))
        wrong = "which logs? Give a condition, as 'level:debug until:30d' or --level debug, or "
                "--all";
    else if (all && has_condition(flags, words_len))
        wrong = "--all is for all logs: not with a condition";
    else if (flags_has(flags, "yes") && (!reason || !reason[strspn(reason, " ")]))
        wrong = "--yes needs --reason TEXT, which the diagnostics will tell";
    else if (reason && strlen(reason) > REASON_MAX)
        wrong = "--reason: at most 1000 bytes";
    if (!wrong)
        return 0;
    terminal_say("delete", "%s", wrong);
    return COMMAND_USAGE;
}

/* What the API would answer to such parameters, in a line. */
static void explain(struct slice refusal, struct errbuf *err)
{
    yyjson_doc *doc = yyjson_read(refusal.data, refusal.len, 0);
    yyjson_val *detail = yyjson_obj_get(yyjson_doc_get_root(doc), "detail");

    line_check_explain(err, yyjson_arr_get_first(detail));
    yyjson_doc_free(doc);
}

/* The filter is that of `query` and of GET /logs: read by the same reader. */
static int read_filter(struct job *job, struct errbuf *err)
{
    struct buffer refusal;
    uint64_t limit;
    int error = filters_append(&job->params, job->flags, err);

    if (!error)
        error = ask_append(&job->asked, job->flags->args, job->words_len, err);
    if (!error && job->asked.len > 0)
        filters_append_param(&job->params, "query", buffer_slice(&job->asked));
    if (!error)
        error = buffer_error(&job->params);
    if (error)
        return error;
    struct slice text = buffer_slice(&job->params);
    error = query_string_parse(&job->query, text.len > 0 ? slice_of(text.data + 1, text.len - 1)
                                                         : text); /* the "?" */
    if (error)
        return errbuf_fail(err, LM_EINVAL, "more than %d conditions", QUERY_STRING_PARAMS_MAX);
    buffer_init(&refusal, TEXT_BYTES_MAX);
    error = log_params_parse_download(&job->query, NULL, &job->wanted, NULL, &limit, &refusal);
    if (error)
        explain(buffer_slice(&refusal), err);
    buffer_release(&refusal);
    if (error)
        return LM_EINVAL;
    if (!flags_has(job->flags, "all") && !erasure_asks_for_something(&job->wanted.filter)) {
        query_unref(job->wanted.filter.query);
        return errbuf_fail(err, LM_EINVAL,
                           "no condition of these leaves any log out; all of them: --all");
    }
    job->matcher = log_matcher_new(&job->wanted.filter);
    query_unref(job->wanted.filter.query);
    if (job->matcher)
        job->wanted.filter = *log_matcher_filter(job->matcher);
    return job->matcher ? 0 : errbuf_fail(err, LM_ENOMEM, "no memory for a filter");
}

static int open_store(struct job *job, const struct config *config, struct errbuf *err)
{
    if (ports_store_is_embedded(config)) {
        int error = data_dir_check_restored(config->data_dir, err);

        if (!error)
            error = data_dir_find(config->data_dir, "logs.db", err);
        if (error)
            return error;
    }
    return ports_open_store(config, &job->store, err);
}

/* ---- Counting ---- */

struct counted {
    struct erasure_count count;
    int64_t oldest_us;
    int64_t newest_us;
};

static bool show_found(uint64_t logs, void *ctx)
{
    (void)ctx;
    terminal_progress("found", logs, 0);
    return true;
}

static int take_newest(const struct record *record, void *ctx)
{
    ((struct counted *)ctx)->newest_us = record->key.timestamp_us;
    return LM_ESTOPPED;
}

static int take_oldest(const struct record *record, void *ctx)
{
    ((struct counted *)ctx)->oldest_us = record->key.timestamp_us;
    return 0;
}

/* Hands out the logs that match, from the newest down, until `fn` has had enough. */
static int look(struct store_reader *r, const struct log_filter *filter, store_row_fn *fn,
                void *ctx, struct errbuf *err)
{
    const struct log_query query = {.filter = *filter, .limit = UINT32_MAX};
    int error = store_query(r, &query, fn, ctx, err);

    return error == LM_ESTOPPED ? 0 : error;
}

/* The time of the newest, and of the oldest, which is in the first bucket. */
static int find_bounds(struct store_reader *r, const struct log_filter *filter, struct counted *c,
                       struct errbuf *err)
{
    struct log_filter first = *filter;
    int64_t from_us = c->count.first_bucket * ERASURE_BUCKET_US;

    if (c->count.logs == 0)
        return 0;
    if (first.since_us < from_us)
        first.since_us = from_us;
    if (first.until_us > from_us + ERASURE_BUCKET_US)
        first.until_us = from_us + ERASURE_BUCKET_US;
    int error = look(r, filter, take_newest, c, err);
    return error ? error : look(r, &first, take_oldest, c, err);
}

static int count_all(const struct job *job, struct counted *c, struct errbuf *err)
{
    struct store_reader *r = store_reader_new(job->store, err);
    int error = r ? 0 : LM_EUNAVAILABLE;

    if (!error) {
        error = erasure_count(r, job->matcher, &c->count, show_found, NULL, err);
        terminal_clear_status();
    }
    if (!error)
        error = find_bounds(r, &job->wanted.filter, c, err);
    store_reader_free(r);
    return error;
}

static void append_quoted(struct buffer *b, struct slice text)
{
    bool plain = text.len > 0;

    for (size_t i = 0; i < text.len; i++)
        plain =
            plain && (isalnum((unsigned char)text.data[i]) || strchr("-_./:=,+@%", text.data[i]));
    if (plain) {
        buffer_append_slice(b, text);
        return;
    }
    buffer_append_char(b, '\'');
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] == '\'')
            buffer_append_string(b, "'\\''");
        else
            buffer_append_char(b, text.data[i]);
    buffer_append_char(b, '\'');
}

static void append_time(struct buffer *b, const char *flag, int64_t us)
{
    buffer_appendf(b, " --%s ", flag);
    timestamp_append(b, us);
}

/*
 * The line that does it: with the times of now, so that it deletes what was counted, and nothing
 * that has come since but what is late.
 */
static void append_line(struct buffer *b, const struct job *job, int64_t until_us)
{
    const struct log_filter *filter = &job->wanted.filter;
    const struct flags *flags = job->flags;

    buffer_append_string(b, "logmill delete");
    for (int i = job->words_len; i < flags->args_len; i++) { /* the settings */
        buffer_append_char(b, ' ');
        append_quoted(b, slice_of_string(flags->args[i]));
    }
    for (int i = 0; i < flags->given_len; i++) {
        const char *flag = flags->given[i].flag->name;

        if (is_own(flag) || strcmp(flag, "since") == 0 || strcmp(flag, "until") == 0)
            continue;
        buffer_appendf(b, " --%s ", flag);
        append_quoted(b, slice_of_string(flags->given[i].value));
    }
    if (filter->since_us > TIMESTAMP_MIN_US)
        append_time(b, "since", filter->since_us);
    append_time(b, "until", until_us);
    buffer_append_string(b, " --reason ");
    append_quoted(
        b, slice_of_string(flags_has(flags, "reason") ? flags_text(flags, "reason") : "TEXT"));
    buffer_append_string(b, " --yes");
    if (job->asked.len > 0) {
        buffer_append_string(b, " -- "); /* it may begin with a minus */
        append_quoted(b, buffer_slice(&job->asked));
    }
    buffer_append_char(b, '\n');
}

static void print_counted(const struct job *job, const struct counted *c, int64_t now_us)
{
    int64_t until_us = job->wanted.filter.until_us;
    char number[TERMINAL_NUMBER_LEN];
    struct buffer b;

    if (until_us > TIMESTAMP_MAX_US)
        until_us = c->newest_us >= now_us ? c->newest_us + 1 : now_us;
    buffer_init(&b, TEXT_BYTES_MAX);
    terminal_number(c->count.logs, number);
    buffer_appendf(&b, "%s %s; nothing was deleted\n", number,
                   c->count.logs == 1 ? "log matches" : "logs match");
    if (c->count.logs > 0) {
        buffer_append_string(&b, "  oldest  ");
        timestamp_append(&b, c->oldest_us);
        buffer_append_string(&b, "\n  newest  ");
        timestamp_append(&b, c->newest_us);
        buffer_append_string(&b,
                             "\nThis deletes them for ever, and only a backup has them then:\n  ");
        append_line(&b, job, until_us);
    }
    fwrite(b.data, 1, b.len, stdout);
    buffer_release(&b);
}

static int dry_run(const struct job *job, struct errbuf *err)
{
    int64_t now_us = clock_wall_us();
    struct counted c = {0};
    int error = count_all(job, &c, err);

    if (!error)
        print_counted(job, &c, now_us);
    return error;
}

/* ---- Deleting ---- */

/* Who runs this, as far as the system knows. */
static const char *user_name(void)
{
    const struct passwd *user = getpwuid(getuid());

    return user ? user->pw_name : "unknown";
}

/* The conditions without texts and values, which may be what is to be forgotten. */
static void append_conditions(struct buffer *b, const struct job *job)
{
    const struct log_filter *filter = &job->wanted.filter;

    for (int i = 0; i < job->flags->given_len; i++) {
        const char *flag = job->flags->given[i].flag->name;
        const char *value = job->flags->given[i].value;

        if (is_own(flag) || strcmp(flag, "since") == 0 || strcmp(flag, "until") == 0)
            continue;
        buffer_appendf(b, "%s--%s ", b->len > 0 ? " " : "", flag);
        if (strstr(flag, "level"))
            buffer_append_string(b, value);
        else if (strstr(flag, "attr"))
            buffer_append(b, value, strcspn(value, "=") + 1);
        buffer_append_string(b, strstr(flag, "level") ? "" : "…");
    }
    if (job->asked.len > 0)
        buffer_append_string(b, " QUERY");
    if (filter->since_us > TIMESTAMP_MIN_US)
        append_time(b, "since", filter->since_us);
    if (filter->until_us <= TIMESTAMP_MAX_US)
        append_time(b, "until", filter->until_us);
    if (b->len == 0)
        buffer_append_string(b, "--all");
    buffer_append_char(b, '\0');
}

static void say(const struct job *job, const char *what, uint64_t erased)
{
    struct buffer conditions;

    buffer_init(&conditions, TEXT_BYTES_MAX);
    append_conditions(&conditions, job);
    if (!buffer_error(&conditions))
        diag(DIAG_WARN, what, DIAG_STR("user", user_name()), DIAG_INT("uid", (int64_t)getuid()),
             DIAG_STR("conditions",
                      conditions.data[0] == ' ' ? conditions.data + 1 : conditions.data),
             DIAG_STR("reason", flags_text(job->flags, "reason")),
             DIAG_INT("deleted", (int64_t)erased));
    buffer_release(&conditions);
}

static void rest(uint64_t us)
{
    const struct timespec time = {(time_t)(us / 1000000), (long)(us % 1000000) * 1000};

    nanosleep(&time, NULL);
}

static bool show_deleted(uint64_t logs, void *ctx)
{
    (void)ctx;
    terminal_progress("deleted", logs, 0);
    return true;
}

static int forget(struct cache_client *cache, const struct config *config, struct errbuf *err)
{
    struct errbuf reason = ERRBUF_INIT;

    if (!cache)
        return 0;
    int error = cache_forget(cache, &reason);
    if (error)
        errbuf_set(err,
                   "the cache could not be told, and may show deleted logs for %llu s more, until "
                   "it is rebuilt: %s",
                   (unsigned long long)config->cache_rebuild_seconds, reason.text);
    return error;
}

int delete_scrub_queue(const struct config *config, struct errbuf *err)
{
    char path[PATH_MAX];
    struct sqlite_db_options options = {.path = path, .as_it_is = true};
    struct sqlite_db db;
    uint64_t left = 1;
    unsigned most = 0;
    int error;

    if (!ports_queue_is_embedded(config))
        return 0;
    error = data_dir_path(path, config->data_dir, "queue.db", err);

    if (error || access(path, F_OK))
        return error;
    error = sqlite_db_open(&db, &options, err);
    if (error)
        return error;
    for (unsigned steps = 0; !error && left > 0 && (most == 0 || steps < most); steps++) {
        error = sqlite_db_scrub_free(&db, &left, err);
        most = most ? most : SCRUB_TIMES * (unsigned)(left / SQLITE_DB_TIDY_BYTES + 1);
        rest(REST_US);
    }
    for (int i = 0; !error && i < SCRUB_LOG_TRIES && !sqlite_db_scrub_log(&db); i++)
        rest(SCRUB_REST_US);
    sqlite_db_close(&db);
    return error;
}

static int erase_all(const struct job *job, const struct config *config, struct cache *cache,
                     uint64_t *erased, struct errbuf *err)
{
    struct store_writer *w = store_writer_new(job->store, err);
    struct cache_client *client = NULL;
    int error = w ? 0 : LM_EUNAVAILABLE;

    if (!error && cache) {
        client = cache_client_new(cache, err);
        error = client ? 0 : LM_EUNAVAILABLE;
    }
    if (!error) {
        error = erasure_run(w, job->matcher, client, erased, show_deleted, NULL, err);
        terminal_clear_status();
    }
    int failure = forget(client, config, error ? NULL : err);
    if (!error) { /* though there were none: perhaps it goes on */
        int scrubbed = delete_scrub_queue(config, failure ? NULL : err);

        failure = failure ? failure : scrubbed;
    }
    cache_client_free(client);
    store_writer_free(w);
    return error ? error : failure;
}

static int do_it(const struct job *job, const struct config *config, struct errbuf *err)
{
    char number[TERMINAL_NUMBER_LEN];
    struct cache *cache;
    uint64_t erased = 0;
    int error = ports_open_cache(config, &cache, err);

    if (error)
        return error;
    say(job, "deleting logs", 0);
    error = erase_all(job, config, cache, &erased, err);
    cache_free(cache);
    say(job, error ? "deleting logs failed" : "deleted logs", erased);
    terminal_number(erased, number);
    printf("deleted %s %s%s\n", number, erased == 1 ? "log" : "logs",
           !error            ? ""
           : error == LM_EIO ? ", and not all that match"
                             : ", and then it failed: run it again to go on");
    return error;
}

/* ---- The command ---- */

int delete_command(const struct config *config, const struct flags *flags, char **args,
                   int args_len)
{
    struct job job = {.flags = flags, .words_len = args_len};
    struct errbuf err = ERRBUF_INIT;
    int status = check_flags(flags, args_len);

    if (status)
        return status;
    buffer_init(&job.params, TEXT_BYTES_MAX);
    buffer_init(&job.asked, TEXT_BYTES_MAX);
    int error = read_filter(&job, &err);
    if (error) {
        ask_show_mistake(args, args_len);
        terminal_say("delete", "%s", err.text[0] ? err.text : lm_error_text(error));
        status = COMMAND_USAGE;
    } else {
        error = open_store(&job, config, &err);
        if (!error)
            error = flags_has(flags, "yes") ? do_it(&job, config, &err) : dry_run(&job, &err);
        if (error && err.text[0] == '\0')
            errbuf_set(&err, "%s", lm_error_text(error));
        status = error ? command_fail(&err) : 0;
    }
    if (!status && fflush(stdout) != 0)
        status = COMMAND_FAILED;
    store_free(job.store);
    log_matcher_unref(job.matcher);
    query_string_release(&job.query);
    buffer_release(&job.asked);
    buffer_release(&job.params);
    return status;
}
