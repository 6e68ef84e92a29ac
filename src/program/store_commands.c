#include "program/store_commands.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/timestamp.h"
#include "base/visible.h"
#include "cli/terminal.h"
#include "diag/diag.h"
#include "program/command.h"
#include "program/data_dir.h"
#include "program/ports.h"
#include "store/inspect.h"
#include "store/store.h"
#include "json/writer.h"

enum {
    TEXT_BYTES_MAX = 64 << 20,
    COMPACT_FAILURES_MAX = 100, /* damaged segments that compacting passes over */
};

/* Of PostgreSQL alone, or of the embedded store alone. */
static int open_store(const struct config *config, bool is_postgres, struct store **store,
                      struct errbuf *err)
{
    if (is_postgres && ports_store_is_embedded(config))
        return errbuf_fail(err, LM_EINVAL,
                           "by these settings the logs are in DATA_DIR, where each block has the "
                           "counts of its logs: there is nothing to count anew");
    if (is_postgres)
        return ports_open_store(config, store, err);
    if (!ports_store_is_embedded(config))
        return errbuf_fail(err, LM_EINVAL,
                           "by these settings the logs are in PostgreSQL, which has means of its "
                           "own: pg_total_relation_size, pg_amcheck, VACUUM");
    int error = data_dir_check_restored(config->data_dir, err);
    if (!error)
        error = data_dir_find(config->data_dir, "logs.db", err);
    return error ? error : ports_open_store(config, store, err);
}

/* Prints to standard output what was written into `b`, and releases it. */
static int print(struct buffer *b, struct errbuf *err)
{
    int error = buffer_error(b);

    if (!error && (fwrite(b->data, 1, b->len, stdout) != b->len || fflush(stdout) != 0))
        error = errbuf_fail(err, LM_EIO, "cannot write to standard output: %s", strerror(errno));
    buffer_release(b);
    return error;
}

/* ---- info ---- */

static const char *const part_names[STORE_PARTS] = {
    [STORE_RECENT] = "recent",
    [STORE_HOT] = "hot",
    [STORE_COLD] = "cold",
    [STORE_OLD] = "old rows",
};

static const char *const part_keys[STORE_PARTS] = {
    [STORE_RECENT] = "recent",
    [STORE_HOT] = "hot",
    [STORE_COLD] = "cold",
    [STORE_OLD] = "old",
};

static void append_number(struct buffer *b, uint64_t number, int width)
{
    char text[TERMINAL_NUMBER_LEN];

    terminal_number(number, text);
    buffer_appendf(b, "%*s", width, text);
}

/* Each `of` divided by `by`, with one digit; "-" where that is not known. */
static void append_ratio(struct buffer *b, uint64_t of, uint64_t by, int width)
{
    char text[32] = "-";

    if (of > 0 && by > 0)
        snprintf(text, sizeof(text), "%.1f", (double)of / (double)by);
    buffer_appendf(b, "%*s", width, text);
}

static void append_part(struct buffer *b, const struct store_part_info *p, const char *name)
{
    buffer_appendf(b, "%-9s", name);
    append_number(b, p->logs, 16);
    append_number(b, p->bytes, 18);
    append_ratio(b, p->bytes, p->logs + p->erased, 11);
    append_ratio(b, p->raw_bytes, p->bytes, 7);
    append_number(b, p->pieces, 10);
    append_number(b, p->blocks, 10);
    append_number(b, p->erased, 14);
    if (p->logs > 0) {
        buffer_append_string(b, "  ");
        timestamp_append(b, p->first_us);
        buffer_append_string(b, "  ");
        timestamp_append(b, p->last_us);
    }
    buffer_append_char(b, '\n');
}

static struct store_part_info sum_parts(const struct store_info *info)
{
    struct store_part_info sum = {0};

    for (int i = 0; i < STORE_PARTS; i++) {
        const struct store_part_info *p = &info->parts[i];

        if (p->logs > 0 && (sum.logs == 0 || p->first_us < sum.first_us))
            sum.first_us = p->first_us;
        if (p->logs > 0 && (sum.logs == 0 || p->last_us > sum.last_us))
            sum.last_us = p->last_us;
        sum.logs += p->logs;
        sum.erased += p->erased;
        sum.bytes += p->bytes;
        sum.raw_bytes += p->raw_bytes;
        sum.pieces += p->pieces;
        sum.blocks += p->blocks;
    }
    return sum;
}

static void append_line(struct buffer *b, const char *name, uint64_t number, const char *note)
{
    buffer_appendf(b, "%-9s", name);
    append_number(b, number, 34);
    buffer_appendf(b, "  %s\n", note);
}

static void append_columns(struct buffer *b, const struct store_info *info)
{
    if (info->columns_len == 0)
        return;
    buffer_append_string(b, "\nof blocks, by column:\n             bytes     raw bytes  ratio    "
                            "blocks  kept as, column\n");
    for (size_t i = 0; i < info->columns_len; i++) {
        const struct store_column_info *c = &info->columns[i];

        append_number(b, c->bytes, 18);
        append_number(b, c->raw_bytes, 18);
        append_ratio(b, c->raw_bytes, c->bytes, 7);
        append_number(b, c->blocks, 10);
        buffer_appendf(b, "  %-12s ", c->kinds);
        visible_append(b, slice_of_string(c->name));
        buffer_append_char(b, '\n');
    }
}

static void append_table(struct buffer *b, const struct store_info *info)
{
    struct store_part_info sum = sum_parts(info);

    buffer_append_string(b, "                     logs             bytes  bytes/log  ratio    "
                            "pieces    blocks        erased  oldest, newest\n");
    for (int i = 0; i < STORE_PARTS; i++)
        append_part(b, &info->parts[i], part_names[i]);
    append_part(b, &sum, "together");
    buffer_append_char(b, '\n');
    append_line(b, "filters", info->filter_bytes, "of hot and cold, which words are where");
    append_line(b, "heads", info->head_bytes, "of hot and cold, what is known of each block");
    append_line(b, "summaries", info->summary_bytes, "of cold, what each segment has, together");
    append_line(b, "free", info->free_bytes, "in the file, for what comes next");
    append_line(b, "file", info->file_bytes, "logs.db");
    append_line(b, "log", info->log_bytes, "logs.db-wal, what is not in the file yet");
    if (info->tombstones > 0)
        append_line(b, "deleted", info->tombstones,
                    "logs that are remembered, so that they do not come again");
    if (info->damaged_blocks > 0)
        append_line(b, "damaged", info->damaged_blocks, "blocks: `logmill store verify`");
    append_columns(b, info);
}

static void append_json_number(struct buffer *b, const char *name, uint64_t number)
{
    buffer_appendf(b, "%s\"%s\":%llu", b->data[b->len - 1] == '{' ? "" : ",", name,
                   (unsigned long long)number);
}

static void append_json_part(struct buffer *b, const struct store_part_info *p, const char *name)
{
    buffer_appendf(b, ",\"%s\":{", name);
    append_json_number(b, "logs", p->logs);
    append_json_number(b, "erased", p->erased);
    append_json_number(b, "bytes", p->bytes);
    append_json_number(b, "raw_bytes", p->raw_bytes);
    append_json_number(b, "pieces", p->pieces);
    append_json_number(b, "blocks", p->blocks);
    if (p->logs > 0) {
        buffer_append_string(b, ",\"oldest\":\"");
        timestamp_append(b, p->first_us);
        buffer_append_string(b, "\",\"newest\":\"");
        timestamp_append(b, p->last_us);
        buffer_append_char(b, '"');
    }
    buffer_append_char(b, '}');
}

static void append_json(struct buffer *b, const struct store_info *info)
{
    struct store_part_info sum = sum_parts(info);

    buffer_append_char(b, '{');
    append_json_number(b, "logs", sum.logs);
    append_json_number(b, "bytes", sum.bytes);
    append_json_number(b, "raw_bytes", sum.raw_bytes);
    append_json_number(b, "file_bytes", info->file_bytes);
    append_json_number(b, "log_bytes", info->log_bytes);
    append_json_number(b, "free_bytes", info->free_bytes);
    append_json_number(b, "filter_bytes", info->filter_bytes);
    append_json_number(b, "head_bytes", info->head_bytes);
    append_json_number(b, "summary_bytes", info->summary_bytes);
    append_json_number(b, "tombstones", info->tombstones);
    append_json_number(b, "damaged_blocks", info->damaged_blocks);
    for (int i = 0; i < STORE_PARTS; i++)
        append_json_part(b, &info->parts[i], part_keys[i]);
    buffer_append_string(b, ",\"columns\":[");
    for (size_t i = 0; i < info->columns_len; i++) {
        const struct store_column_info *c = &info->columns[i];

        buffer_append_string(b, i > 0 ? ",{\"name\":" : "{\"name\":");
        json_append_string(b, slice_of_string(c->name));
        buffer_append_string(b, ",\"kinds\":");
        json_append_string(b, slice_of_string(c->kinds));
        append_json_number(b, "blocks", c->blocks);
        append_json_number(b, "bytes", c->bytes);
        append_json_number(b, "raw_bytes", c->raw_bytes);
        buffer_append_char(b, '}');
    }
    buffer_append_string(b, "]}\n");
}

static int info(struct store *store, const struct flags *flags, struct errbuf *err)
{
    struct store_info found;
    struct buffer b;
    int error = store_info(store, &found, err);

    if (!error) {
        buffer_init(&b, TEXT_BYTES_MAX);
        if (flags_has(flags, "json"))
            append_json(&b, &found);
        else
            append_table(&b, &found);
        error = print(&b, err);
    }
    store_info_release(&found);
    return error;
}

/* ---- verify ---- */

static void print_damage(const struct store_damage *d, void *ctx)
{
    struct buffer b;

    terminal_clear_status();
    buffer_init(&b, TEXT_BYTES_MAX);
    buffer_appendf(&b, "%s: %s\n", d->what, d->reason);
    if (d->logs > 0) {
        buffer_append_string(&b, "  ");
        append_number(&b, d->logs, 0);
        buffer_append_string(&b, d->logs == 1 ? " log" : " logs");
        buffer_append_string(&b, " at most, from ");
        timestamp_append(&b, d->from_us);
        buffer_append_string(&b, " to ");
        timestamp_append(&b, d->to_us);
        buffer_append_char(&b, '\n');
    }
    (void)!print(&b, NULL);
}

static void tell_progress(uint64_t logs, void *ctx)
{
    terminal_progress("verified", logs, 0);
}

static int verify(struct store *store, const struct flags *flags, struct errbuf *err)
{
    const struct store_verifier v = {.found = print_damage, .progress = tell_progress};
    struct store_verified all;
    struct buffer b;
    int error = store_verify(store, &v, &all, err);

    terminal_clear_status();
    buffer_init(&b, TEXT_BYTES_MAX);
    append_number(&b, all.logs, 0);
    buffer_append_string(&b, " logs in ");
    append_number(&b, all.segments, 0);
    buffer_append_string(&b, " segments, ");
    append_number(&b, all.blocks, 0);
    buffer_appendf(&b, " blocks: %s\n",
                   error         ? "not all could be read"
                   : all.damages ? "damaged, as said above"
                                 : "all is whole");
    int failure = print(&b, err);
    if (!error && !failure && all.damages > 0)
        failure = errbuf_fail(
            err, LM_EIO,
            "the store is damaged: all else in it goes on. What is named may be in a backup: "
            "restore that into another DATA_DIR, `export` the time that is named, and `import` it "
            "here. Then look for the cause: the disk, or memory");
    return error ? error : failure;
}

/* ---- compact ---- */

/*
 * All of the background work at once; `doing` and `done` say which. What is damaged is told, and
 * left as it is: all else goes on.
 */
static int keep(struct store *store, const char *doing, const char *done, struct errbuf *err)
{
    uint64_t began_us = clock_monotonic_us();
    struct store_keeper *k = store_keeper_new(store, err);
    unsigned wait_ms = 0, failures = 0;
    int error = k ? 0 : LM_EIO;
    bool more = !error;

    for (unsigned steps = 1; more; steps++) {
        struct errbuf reason = ERRBUF_INIT;
        int failure = store_keeper_step(k, true, &wait_ms, &reason);

        if (failure && !error) { /* the first one is told */
            error = failure;
            *err = reason;
        }
        failures += failure != 0;
        if (failure)
            more = failure == LM_EIO && failures < COMPACT_FAILURES_MAX;
        else if ((more = wait_ms < STORE_KEEPER_WAIT_MAX_MS) && wait_ms > 0)
            usleep(wait_ms * 1000);
        terminal_progress(doing, steps, 0);
    }
    terminal_clear_status();
    store_keeper_free(k);
    if (!error)
        diag(DIAG_INFO, done, DIAG_INT("ms", (int64_t)((clock_monotonic_us() - began_us) / 1000)));
    return error;
}

static int compact(struct store *store, const struct flags *flags, struct errbuf *err)
{
    return keep(store, "compacting: step", "compacted", err);
}

/* ---- recount ---- */

/* Workers may go on meanwhile, one of which may do some of it. */
static int recount(struct store *store, const struct flags *flags, struct errbuf *err)
{
    int error = store_recount(store, err);

    return error ? error : keep(store, "counting: step", "counted anew", err);
}

/* ---- All ---- */

static const struct {
    const char *name;
    bool of_postgres; /* else of the embedded store */
    int (*run)(struct store *store, const struct flags *flags, struct errbuf *err);
} verbs[] = {
    {"info", false, info},
    {"verify", false, verify},
    {"compact", false, compact},
    {"recount", true, recount},
};

int store_commands_run(const struct config *config, const struct flags *flags, char **args,
                       int args_len)
{
    struct errbuf err = ERRBUF_INIT;
    struct store *store = NULL;
    int error = LM_EINVAL;
    size_t i = 0;

    while (args_len == 1 && i < sizeof(verbs) / sizeof(verbs[0]) &&
           strcmp(verbs[i].name, args[0]) != 0)
        i++;
    if (args_len != 1 || i == sizeof(verbs) / sizeof(verbs[0])) {
        terminal_say("store", "one of info, verify, compact, recount is expected");
        return COMMAND_USAGE;
    }
    error = open_store(config, verbs[i].of_postgres, &store, &err);
    if (!error)
        error = verbs[i].run(store, flags, &err);
    store_free(store);
    if (error && err.text[0] == '\0')
        errbuf_set(&err, "%s", lm_error_text(error));
    return error ? command_fail(&err) : 0;
}
