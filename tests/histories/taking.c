#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../simulation/simulated_clock.h"
#include "base/array.h"
#include "base/buffer.h"
#include "base/xalloc.h"
#include "history.h"

enum {
    SETTLE_STEPS = 60,
    SETTLE_US = 400000,
    PIECES = 4, /* steps in which a look is made */
};

/* One that was handed out. */
struct log {
    uint64_t key, offset;
    int64_t read_us;
    char *text;
    size_t len;
    enum found found; /* the whole line, with its last part */
    int line, other;  /* the latter of a MIXED one */
    bool is_last;
};

struct taken {
    struct log *logs;
    size_t len, capacity;
    struct follow_mark *mark;
    bool is_stored;
};

/* A file, as its lines are taken. */
struct opened {
    struct buffer line;
    uint64_t at; /* of the next part */
    uint64_t next;
    bool is_ended;
};

static void drop(struct taken *t)
{
    for (size_t i = 0; t && i < t->len; i++)
        free(t->logs[i].text);
    if (t)
        t->len = 0;
}

static void release(struct taken *t)
{
    drop(t);
    if (t)
        free(t->logs);
    free(t);
}

/* ---- What the follower tells ---- */

static void on_goes_on(void *ctx, struct follow_file *old, struct follow_file *next)
{
    history_fail(ctx, "%s goes on though nothing is held back", next->path);
}

static void on_ended(void *ctx, struct follow_file *file)
{
    struct history *h = ctx;
    struct opened *o = file->user;

    if (!o)
        return;
    if (o->is_ended)
        history_fail(h, "%s ended twice", file->path);
    o->is_ended = true;
}

static void on_freed(void *ctx, struct follow_file *file)
{
    struct history *h = ctx;
    struct opened *o = file->user;

    if (!o)
        return;
    buffer_release(&o->line);
    free(o);
    file->user = NULL;
    h->opened--;
}

static void on_say(void *ctx, const char *text)
{
    history_tell(ctx, "said: %s", text);
}

/* ---- Lines ---- */

static void note_found(struct history *h, struct log *log, const struct buffer *line)
{
    log->found = files_which(h, line->data, line->len, &log->line, &log->other);
    if (log->found == FOUND_NOTHING)
        history_fail(h, "broken: \"%.*s\" … \"%.*s\" (%zu bytes)",
                     (int)(line->len < 60 ? line->len : 60), line->data,
                     (int)(line->len < 30 ? line->len : 30),
                     line->data + line->len - (line->len < 30 ? line->len : 30), line->len);
    else if (log->found != FOUND_BANNER)
        h->lines[log->line].is_handed = true;
    if (log->found == FOUND_MIXED)
        h->lines[log->other].is_handed = true;
}

static struct opened *opened_of(struct history *h, struct follow_file *file)
{
    if (!file->user) {
        struct opened *o = xcalloc(1, sizeof(*o));

        buffer_init(&o->line, SIZE_MAX / 2);
        file->user = o;
        h->opened++;
    }
    return file->user;
}

static void take_line(struct history *h, const struct follow_line *line)
{
    struct opened *o = opened_of(h, line->file);
    struct taken *t = h->filling;

    if (o->is_ended)
        history_fail(h, "a line of %s came after its end", line->file->path);
    if (line->is_first) {
        buffer_clear(&o->line);
        o->at = line->offset;
        if (line->offset < o->next)
            history_fail(h, "offset %llu of %s came after %llu", (unsigned long long)line->offset,
                         line->file->path, (unsigned long long)o->next);
    }
    buffer_append(&o->line, line->text.data, line->text.len);
    t->logs = array_reserve(t->logs, &t->capacity, t->len + 1, sizeof(*t->logs));
    struct log *log = &t->logs[t->len++];
    *log = (struct log){.key = line->file->key,
                        .offset = o->at,
                        .read_us = line->read_us,
                        .text = xmalloc(line->text.len + 1),
                        .len = line->text.len,
                        .is_last = line->is_last};
    memcpy(log->text, line->text.data, line->text.len);
    o->at += line->text.len;
    if (!line->is_last)
        return;
    o->next = line->offset + 1;
    note_found(h, log, &o->line);
    if (h->is_telling)
        history_tell(h, "  handed out %.*s of %s, key %04x, at %llu",
                     (int)(o->line.len < 8 ? o->line.len : 8), o->line.data, line->file->path,
                     (unsigned)line->file->key & 0xffff, (unsigned long long)line->offset);
}

static void take(struct history *h, unsigned limit)
{
    struct follow_line line;

    for (; limit > 0 && follower_next(h->follower, &line); limit--)
        take_line(h, &line);
}

void taking_step(struct history *h, unsigned limit, uint32_t us)
{
    if (!h->follower)
        return;
    if (us != SETTLE_US)
        history_tell(h, "the follower looks, takes up to %u, %u µs pass", limit, us);
    take(h, limit);
    for (int i = 0; i < PIECES; i++) {
        simulated_clock_advance(us / PIECES);
        follower_wait(h->follower, 0, -1);
    }
    files_seen(h);
    take(h, limit);
    files_seen(h);
}

/* ---- The server ---- */

static const struct stored *find_stored(const struct history *h, const struct log *log)
{
    for (size_t i = 0; i < h->stored_len; i++)
        if (h->stored[i].key == log->key && h->stored[i].offset == log->offset &&
            h->stored[i].len == log->len && memcmp(h->stored[i].text, log->text, log->len) == 0)
            return &h->stored[i];
    return NULL;
}

static void count(struct history *h, const struct log *log)
{
    switch (log->is_last ? log->found : FOUND_NOTHING) {
    case FOUND_BANNER:
        h->banners_stored++;
        break;
    case FOUND_WHOLE:
        h->lines[log->line].whole++;
        break;
    case FOUND_FIRST:
        h->lines[log->line].first++;
        break;
    case FOUND_REST:
        h->lines[log->line].rest++;
        break;
    case FOUND_MIXED:
        h->lines[log->line].first++;
        h->lines[log->other].rest++;
        break;
    case FOUND_NOTHING:
        break;
    }
}

static void store(struct history *h, struct log *log)
{
    const struct stored *s = find_stored(h, log);

    if (s) {
        if (s->read_us != log->read_us)
            history_fail(h, "\"%.*s\" was read at %lld, then at %lld",
                         (int)(log->len < 60 ? log->len : 60), log->text, (long long)s->read_us,
                         (long long)log->read_us);
        return;
    }
    count(h, log);
    h->stored =
        array_reserve(h->stored, &h->stored_capacity, h->stored_len + 1, sizeof(*h->stored));
    h->stored[h->stored_len++] = (struct stored){.key = log->key,
                                                 .offset = log->offset,
                                                 .read_us = log->read_us,
                                                 .text = log->text,
                                                 .len = log->len};
    log->text = NULL;
}

void taking_send(struct history *h)
{
    struct errbuf err = ERRBUF_INIT;
    struct taken *t = h->filling;

    if (!h->follower || h->on_way->mark)
        return;
    t->mark = follower_mark(h->follower);
    t->is_stored = false;
    history_tell(h, "%zu are sent", t->len);
    if (follower_prepare(h->follower, t->mark, &err))
        history_fail(h, "follower_prepare: %s", err.text);
    h->filling = h->on_way;
    h->on_way = t;
}

void taking_store(struct history *h)
{
    struct taken *t = h->on_way;

    if (!t->mark || t->is_stored)
        return;
    history_tell(h, "%zu are stored", t->len);
    for (size_t i = 0; i < t->len; i++)
        store(h, &t->logs[i]);
    drop(t);
    t->is_stored = true;
}

void taking_acknowledge(struct history *h)
{
    if (!h->follower || !h->on_way->mark || !h->on_way->is_stored)
        return;
    history_tell(h, "they are acknowledged");
    follower_acknowledge(h->follower, h->on_way->mark);
    h->on_way->mark = NULL;
}

void taking_settle(struct history *h)
{
    if (!h->follower)
        return;
    history_tell(h, "it settles");
    bool is_telling = h->is_telling;
    for (int i = 0; i < SETTLE_STEPS; i++) {
        taking_step(h, 1000000, SETTLE_US);
        taking_store(h);
        taking_acknowledge(h);
        h->is_telling = false;
        taking_send(h);
        taking_store(h);
        taking_acknowledge(h);
        h->is_telling = is_telling;
    }
    files_check_handed(h);
}

/* ---- Life ---- */

static void begin(struct history *h)
{
    const char *given = h->mode == MODE_FILE      ? "app.log"
                        : h->mode == MODE_PATTERN ? "app-*.log"
                        : h->mode == MODE_LINK    ? "current.log"
                                                  : "";
    char path[512];
    const char *const paths[] = {path};
    struct errbuf err = ERRBUF_INIT;
    struct follower_options options = {.given = paths, .given_len = 1};

    snprintf(path, sizeof(path), "%s/%s", h->folder, given);
    options.state_path = files_path(h, h->state);
    options.calls = (struct follower_calls){
        .goes_on = on_goes_on, .ended = on_ended, .freed = on_freed, .say = on_say, .ctx = h};
    h->follower = follower_new(&options, &err);
    if (!h->follower)
        history_fail(h, "follower_new: %s", err.text);
}

void taking_start(struct history *h)
{
    if (h->follower)
        return;
    history_tell(h, "the follower starts");
    if (!h->filling) {
        h->filling = xcalloc(1, sizeof(*h->filling));
        h->on_way = xcalloc(1, sizeof(*h->on_way));
    }
    begin(h);
}

static void end(struct history *h)
{
    follower_free(h->follower);
    h->follower = NULL;
    drop(h->filling);
    drop(h->on_way);
    h->filling->mark = h->on_way->mark = NULL;
    files_let_go(h);
    if (h->opened > 0)
        history_fail(h, "%u files were not freed", h->opened);
}

void taking_stop(struct history *h)
{
    if (!h->follower)
        return;
    history_tell(h, "the follower stops");
    taking_store(h);
    taking_acknowledge(h);
    taking_send(h);
    taking_store(h);
    taking_acknowledge(h);
    end(h);
}

static void copy_state(const char *from, const char *to)
{
    static char bytes[1 << 16];
    int in = open(from, O_RDONLY | O_CLOEXEC), out;
    ssize_t n;

    if (in < 0)
        return;
    out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    MUST(out >= 0);
    while ((n = read(in, bytes, sizeof(bytes))) > 0)
        MUST(write(out, bytes, (size_t)n) == n);
    close(in);
    close(out);
}

void taking_kill(struct history *h)
{
    static const char *const endings[] = {"", "-wal"};
    char from[512], to[512], name[sizeof(h->state)];

    if (!h->follower)
        return;
    history_tell(h, "the follower is killed");
    snprintf(name, sizeof(name), ".state/%d.db", ++h->states);
    for (int i = 0; i < 2; i++) {
        snprintf(from, sizeof(from), "%s%s", files_path(h, h->state), endings[i]);
        snprintf(to, sizeof(to), "%s%s", files_path(h, name), endings[i]);
        copy_state(from, to);
    }
    memcpy(h->state, name, sizeof(name));
    end(h);
}

void taking_release(struct history *h)
{
    follower_free(h->follower);
    h->follower = NULL;
    release(h->filling);
    release(h->on_way);
    for (size_t i = 0; i < h->stored_len; i++)
        free(h->stored[i].text);
    free(h->stored);
}
