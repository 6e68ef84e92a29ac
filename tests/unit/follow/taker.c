#include "follow/taker.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "cmocka_all.h"
#include "temp_directory.h"

enum { PATIENCE_S = 120, GIVEN_MAX = 8 };

/* ---- What the follower calls ---- */

static void on_goes_on(void *ctx, struct follow_file *old, struct follow_file *next)
{
    struct taker *t = ctx;

    t->gone_on++;
}

static void on_ended(void *ctx, struct follow_file *file)
{
    struct taker *t = ctx;

    t->ended++;
    file->held_from = UINT64_MAX;
}

static void on_freed(void *ctx, struct follow_file *file)
{
    struct taker *t = ctx;

    t->freed++;
}

static void on_say(void *ctx, const char *text)
{
    struct taker *t = ctx;
    size_t len = strlen(t->said);

    snprintf(t->said + len, sizeof(t->said) - len, "%s\n", text);
}

/* ---- Life ---- */

void taker_init(struct taker *t)
{
    *t = (struct taker){.folder = temp_directory_new()};
    t->state = xstrdup(taker_path(t, ".state/follow.db"));
    char folder[4096];
    snprintf(folder, sizeof(folder), "%s/.state", t->folder);
    assert_int_equal(mkdir(folder, 0700), 0);
    t->options.calls = (struct follower_calls){
        .goes_on = on_goes_on, .ended = on_ended, .freed = on_freed, .say = on_say, .ctx = t};
}

static void forget(struct taker *t)
{
    for (size_t i = 0; i < t->len; i++) {
        free(t->lines[i].text);
        free(t->lines[i].path);
    }
    t->len = 0;
}

void taker_release(struct taker *t)
{
    follower_free(t->f);
    forget(t);
    free(t->lines);
    temp_directory_free(t->folder);
    free(t->state);
}

void taker_start(struct taker *t, const char *const *given)
{
    struct errbuf err = ERRBUF_INIT;
    char paths[GIVEN_MAX][4096];
    const char *pointers[GIVEN_MAX];
    int n = 0;

    for (; given[n]; n++) {
        snprintf(paths[n], sizeof(paths[n]), "%s/%s", t->folder, given[n]);
        pointers[n] = paths[n];
    }
    t->options.given = pointers;
    t->options.given_len = n;
    t->options.state_path = t->state;
    t->f = follower_new(&t->options, &err);
    if (!t->f)
        fail_msg("follower_new: %s", err.text);
}

void taker_stop(struct taker *t)
{
    taker_acknowledge(t);
    follower_free(t->f);
    t->f = NULL;
}

static void copy_file(const char *from, const char *to)
{
    char bytes[65536];
    int in = open(from, O_RDONLY), out;
    ssize_t n;

    if (in < 0)
        return;
    out = open(to, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(out >= 0);
    while ((n = read(in, bytes, sizeof(bytes))) > 0)
        assert_int_equal(write(out, bytes, (size_t)n), n);
    close(in);
    close(out);
}

void taker_kill(struct taker *t)
{
    static const char *const endings[] = {"", "-wal", "-shm"};
    char from[4096], to[4096];
    char *kept = xstrdup(t->state);

    /* The state as it is now, under another name: the one that goes on writes to is the old one. */
    free(t->state);
    snprintf(to, sizeof(to), "%sx", kept);
    t->state = xstrdup(to);
    for (size_t i = 0; i < 2; i++) {
        snprintf(from, sizeof(from), "%s%s", kept, endings[i]);
        snprintf(to, sizeof(to), "%s%s", t->state, endings[i]);
        copy_file(from, to);
    }
    free(kept);
    follower_free(t->f);
    t->f = NULL;
}

/* ---- Files ---- */

const char *taker_path(struct taker *t, const char *name)
{
    static char paths[8][4096];
    static unsigned at;
    char *path = paths[at++ % 8];

    snprintf(path, sizeof(paths[0]), "%s/%s", t->folder, name);
    return path;
}

static void put(const char *path, int flags, const char *text, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | flags, 0644);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, len), len);
    close(fd);
}

void taker_append(struct taker *t, const char *name, const char *text)
{
    put(taker_path(t, name), O_APPEND, text, strlen(text));
}

void taker_write(struct taker *t, const char *name, const char *text)
{
    put(taker_path(t, name), O_TRUNC, text, strlen(text));
}

void taker_append_lines(struct taker *t, const char *name, const char *word, int from, int to)
{
    struct buffer b;

    buffer_init(&b, SIZE_MAX / 2);
    for (int i = from; i < to; i++)
        buffer_appendf(&b, "%s %06d of a text that is as long as most lines of logs are\n", word,
                       i);
    put(taker_path(t, name), O_APPEND, b.data, b.len);
    buffer_release(&b);
}

void taker_rename(struct taker *t, const char *from, const char *to)
{
    assert_int_equal(rename(taker_path(t, from), taker_path(t, to)), 0);
}

void taker_copy(struct taker *t, const char *from, const char *to)
{
    copy_file(taker_path(t, from), taker_path(t, to));
}

void taker_unlink(struct taker *t, const char *name)
{
    assert_int_equal(unlink(taker_path(t, name)), 0);
}

/* ---- Taking ---- */

static void record(struct taker *t, const struct follow_line *line)
{
    char *text = xmalloc(line->text.len + 1);

    memcpy(text, line->text.data, line->text.len);
    text[line->text.len] = '\0';
    t->lines = array_reserve(t->lines, &t->capacity, t->len + 1, sizeof(*t->lines));
    t->lines[t->len++] = (struct taken_line){
        .text = text,
        .path = xstrdup(line->file->path),
        .key = line->file->key,
        .offset = line->offset,
        .read_us = line->read_us,
        .is_first = line->is_first,
        .is_last = line->is_last,
    };
    if (t->holds)
        line->file->held_from = line->offset;
    if (t->on_line)
        t->on_line(t, line);
}

void taker_take(struct taker *t)
{
    struct follow_line line;

    while (follower_next(t->f, &line))
        record(t, &line);
}

static bool has(const struct taker *t, const char *text)
{
    for (size_t i = t->len; i-- > 0;)
        if (strcmp(t->lines[i].text, text) == 0)
            return true;
    return false;
}

static void wait_for(struct taker *t, size_t n, const char *text, const char *said)
{
    uint64_t until = clock_monotonic_us() + (uint64_t)PATIENCE_S * 1000000;

    while (t->len < n || (text && !has(t, text)) || (said && !strstr(t->said, said))) {
        if (clock_monotonic_us() > until)
            fail_msg("waited for %zu lines, \"%s\", \"%s\"; there are %zu; said: %s", n,
                     text ? text : "", said ? said : "", t->len, t->said);
        taker_take(t);
        follower_wait(t->f, 20, -1);
    }
}

void taker_wait(struct taker *t, size_t n)
{
    wait_for(t, n, NULL, NULL);
}

void taker_wait_for(struct taker *t, const char *text)
{
    wait_for(t, 0, text, NULL);
}

void taker_wait_said(struct taker *t, const char *part)
{
    wait_for(t, 0, NULL, part);
}

void taker_acknowledge(struct taker *t)
{
    struct follow_mark *m = follower_mark(t->f);
    struct errbuf err = ERRBUF_INIT;

    if (follower_prepare(t->f, m, &err))
        fail_msg("follower_prepare: %s", err.text);
    follower_acknowledge(t->f, m);
}

/* ---- What came ---- */

const char *taker_text(struct taker *t)
{
    static char text[1 << 20];
    size_t len = 0;

    text[0] = '\0';
    for (size_t i = 0; i < t->len && len < sizeof(text) - 1; i++) {
        int n =
            snprintf(text + len, sizeof(text) - len, "%s%s", i > 0 ? "|" : "", t->lines[i].text);
        len += (size_t)n;
    }
    return text;
}

void taker_assert_lines(struct taker *t, const char *word, int from, int to)
{
    char expected[256];
    int next = from;

    for (size_t i = 0; i < t->len; i++) {
        if (strncmp(t->lines[i].text, word, strlen(word)) != 0)
            continue;
        snprintf(expected, sizeof(expected),
                 "%s %06d of a text that is as long as most lines of logs are", word, next++);
        assert_string_equal(t->lines[i].text, expected);
    }
    assert_int_equal(next, to);
}
