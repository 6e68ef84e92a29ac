#include "cli/follow_status.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/timestamp.h"
#include "base/utf8.h"
#include "base/visible.h"
#include "cli/cli.h"
#include "cli/show.h"
#include "cli/terminal.h"
#include "follow/state.h"
#include "json/writer.h"

enum { OUTPUT_BYTES = 64 << 10 }; /* written at a time */

struct status {
    const char *command;
    bool is_json;
    int64_t now_us;
    struct buffer out;
    struct errbuf err;
    uint64_t followed, finished, copies, passed, deleted;
    uint64_t bytes, seconds, deleted_bytes; /* behind; the most of the seconds */
    uint64_t unreadable, lost_bytes;
};

/* A file that is followed, as it is now. */
struct row {
    const struct state_file *file;
    uint64_t size, bytes, seconds; /* the last two: behind */
};

static struct row row_of(const struct status *s, const struct state_file *f)
{
    struct row row = {.file = f, .size = f->size};
    struct file_look look;
    struct buffer path;

    buffer_init_small(&path);
    buffer_append_slice(&path, f->path);
    buffer_append_char(&path, '\0');
    if (!f->is_deleted && file_look_path(path.data, true, &look) == 0 &&
        file_identity_equal(&look.identity, &f->identity))
        row.size = look.size;
    buffer_release(&path);
    /* What is shorter was truncated: all of it is new. */
    row.bytes = row.size >= f->mark.offset ? row.size - f->mark.offset : row.size;
    if (row.bytes > 0 && s->now_us > f->changed_us)
        row.seconds = (uint64_t)(s->now_us - f->changed_us) / 1000000;
    return row;
}

static void append_path_json(struct status *s, struct slice of)
{
    struct buffer path;

    buffer_init_small(&path);
    utf8_append_repaired(&path, of);
    buffer_append_string(&s->out, "{\"path\":");
    json_append_string(&s->out, buffer_slice(&path));
    buffer_release(&path);
}

static void append_json(struct status *s, const struct row *row)
{
    const struct state_file *f = row->file;

    append_path_json(s, f->path);
    buffer_appendf(&s->out,
                   ",\"behind_bytes\":%llu,\"behind_seconds\":%llu,\"offset\":%llu,"
                   "\"size\":%llu,\"generation\":%u,\"deleted\":%s,\"form\":",
                   (unsigned long long)row->bytes, (unsigned long long)row->seconds,
                   (unsigned long long)f->mark.offset, (unsigned long long)row->size, f->generation,
                   f->is_deleted ? "true" : "false");
    json_append_string(&s->out, slice_of_string(f->form));
    buffer_append_string(&s->out, "}\n");
}

static void append_text(struct status *s, const struct row *row)
{
    const struct state_file *f = row->file;
    char bytes[TERMINAL_AMOUNT_LEN], seconds[TERMINAL_AMOUNT_LEN];

    terminal_bytes(row->bytes, bytes);
    terminal_seconds(row->seconds, seconds);
    buffer_appendf(&s->out, "%12s  %8s  %-8s  %-8s  ", row->bytes ? bytes : "-",
                   row->bytes ? seconds : "-", f->form[0] ? f->form : "-",
                   f->is_deleted ? "deleted" : "");
    visible_append(&s->out, f->path);
    buffer_append_char(&s->out, '\n');
}

static int flush(struct status *s)
{
    int error = show_write(buffer_slice(&s->out), &s->err);

    buffer_clear(&s->out);
    return error;
}

static int take(const struct state_file *f, void *ctx)
{
    struct status *s = ctx;

    s->finished += f->kind == STATE_FINISHED || f->kind == STATE_LOST;
    s->copies += f->kind == STATE_COPY;
    s->passed += f->kind == STATE_PASSED;
    if (f->kind != STATE_LIVE)
        return 0;
    struct row row = row_of(s, f);
    s->followed++;
    s->bytes += row.bytes;
    s->seconds = row.seconds > s->seconds ? row.seconds : s->seconds;
    s->deleted += f->is_deleted;
    s->deleted_bytes += f->is_deleted ? row.bytes : 0;
    if (s->is_json)
        append_json(s, &row);
    else
        append_text(s, &row);
    return s->out.len >= OUTPUT_BYTES ? flush(s) : 0;
}

/* What cannot be read has no place in a file that could be told. */
static void take_unreadable(struct slice path, struct slice reason, void *ctx)
{
    struct status *s = ctx;

    s->unreadable++;
    if (s->is_json) {
        append_path_json(s, path);
        buffer_append_string(&s->out, ",\"unreadable\":");
        json_append_string(&s->out, reason);
        buffer_append_string(&s->out, "}\n");
        return;
    }
    buffer_appendf(&s->out, "%12s  %8s  %-8s  %-8s  ", "-", "-", "-", "unread");
    visible_append(&s->out, path);
    buffer_append_string(&s->out, ": ");
    visible_append(&s->out, reason);
    buffer_append_char(&s->out, '\n');
}

static void append_sum_json(struct status *s, int64_t changed_us, int64_t pid)
{
    buffer_appendf(&s->out,
                   "{\"followed\":%llu,\"behind_bytes\":%llu,\"behind_seconds\":%llu,"
                   "\"deleted\":%llu,\"deleted_bytes\":%llu,\"finished\":%llu,\"copies\":%llu,"
                   "\"passed\":%llu,\"unreadable\":%llu,\"lost_bytes\":%llu,\"pid\":",
                   (unsigned long long)s->followed, (unsigned long long)s->bytes,
                   (unsigned long long)s->seconds, (unsigned long long)s->deleted,
                   (unsigned long long)s->deleted_bytes, (unsigned long long)s->finished,
                   (unsigned long long)s->copies, (unsigned long long)s->passed,
                   (unsigned long long)s->unreadable, (unsigned long long)s->lost_bytes);
    if (pid)
        buffer_append_i64(&s->out, pid);
    else
        buffer_append_string(&s->out, "null");
    buffer_append_string(&s->out, ",\"changed\":");
    if (changed_us) {
        buffer_append_char(&s->out, '"');
        timestamp_append(&s->out, changed_us);
        buffer_append_char(&s->out, '"');
    } else {
        buffer_append_string(&s->out, "null");
    }
    buffer_append_string(&s->out, "}\n");
}

static void append_sum_text(struct status *s, int64_t changed_us, int64_t pid)
{
    char bytes[TERMINAL_AMOUNT_LEN], seconds[TERMINAL_AMOUNT_LEN];

    terminal_bytes(s->bytes, bytes);
    terminal_seconds(s->seconds, seconds);
    buffer_appendf(&s->out, "%12s  %8s  in %llu file%s", s->bytes ? bytes : "-",
                   s->bytes ? seconds : "-", (unsigned long long)s->followed,
                   s->followed == 1 ? "" : "s");
    if (s->finished + s->copies > 0)
        buffer_appendf(&s->out, "; %llu finished, %llu copies of others",
                       (unsigned long long)s->finished, (unsigned long long)s->copies);
    if (s->passed > 0)
        buffer_appendf(&s->out, "; %llu passed over", (unsigned long long)s->passed);
    if (s->deleted_bytes > 0) {
        terminal_bytes(s->deleted_bytes, bytes);
        buffer_appendf(&s->out, "; %s in %llu deleted", bytes, (unsigned long long)s->deleted);
    }
    if (s->unreadable > 0)
        buffer_appendf(&s->out, "; %llu cannot be read", (unsigned long long)s->unreadable);
    if (s->lost_bytes > 0) {
        terminal_bytes(s->lost_bytes, bytes);
        buffer_appendf(&s->out, "; %s lost", bytes);
    }
    buffer_append_string(&s->out, "; changed ");
    if (changed_us) {
        terminal_seconds(s->now_us > changed_us ? (uint64_t)(s->now_us - changed_us) / 1000000 : 0,
                         seconds);
        buffer_appendf(&s->out, "%s ago", seconds);
    } else {
        buffer_append_string(&s->out, "never");
    }
    if (pid)
        buffer_appendf(&s->out, "; pid %lld\n", (long long)pid);
    else
        buffer_append_string(&s->out, "; nobody follows\n");
}

static int print(struct status *s, struct state *state, int64_t pid)
{
    int64_t changed_us = state_changed_us(state);

    if (!s->is_json)
        buffer_appendf(&s->out, "%12s  %8s  %-8s  %-8s  %s\n", "BEHIND", "FOR", "FORM", "", "FILE");
    int error = state_load(state, 0, take, s, &s->err);
    if (!error)
        error = state_load_unreadable(state, take_unreadable, s, &s->err);
    if (error)
        return error;
    s->lost_bytes = state_lost_bytes(state);
    if (s->is_json)
        append_sum_json(s, changed_us, pid);
    else
        append_sum_text(s, changed_us, pid);
    return flush(s);
}

int follow_status(const struct flags *flags, const char *path)
{
    const char *form = flags_text(flags, "output");
    struct status s = {.command = flags->command->name,
                       .is_json = form ? strcmp(form, "json") == 0 : !isatty(STDOUT_FILENO),
                       .now_us = clock_wall_us()};
    struct state *state = state_open_to_read(path, &s.err);

    if (!state) {
        terminal_say(s.command, "%s", s.err.text[0] ? s.err.text : "nothing was followed yet");
        return 1;
    }
    int64_t pid = state_owner(state);
    buffer_init(&s.out, SIZE_MAX / 2);
    int error = print(&s, state, pid);
    buffer_release(&s.out);
    state_close(state);
    if (s.err.text[0])
        terminal_say(s.command, "%s", s.err.text);
    return error || !pid ? 1 : 0;
}
