#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "history.h"

enum { NUMBERS = 5 };

/* ---- The follower, between two calls of a logger ---- */

static void look(struct history *h)
{
    static const uint32_t waits[] = {0, 1000, 60000, 300000, 1200000, 6000000};

    taking_step(h, history_chance(h, 70) ? 1000000 : history_random(h, 5),
                waits[history_random(h, 6)]);
}

static void maybe_look(struct history *h)
{
    if (!h->is_burst && history_chance(h, 40))
        look(h);
}

/* ---- Names ---- */

static void new_name(struct history *h, const char *before, const char *behind,
                     char name[NAME_SIZE])
{
    h->names++;
    history_name(name, "%s%02u%02u00%s", before, h->names / 60 % 24, h->names % 60, behind);
}

static void next_live(struct history *h, char name[NAME_SIZE])
{
    if (h->mode == MODE_PATTERN)
        new_name(h, "app-20261128-", ".log", name);
    else if (h->mode == MODE_LINK)
        new_name(h, "app.20261128T", ".log", name);
    else
        history_name(name, "app.log");
}

/* One that nobody has, of an old file. */
static void other_name(struct history *h, bool is_archive, char name[NAME_SIZE])
{
    if (h->mode == MODE_PATTERN)
        new_name(h, "app-20261128-", is_archive ? ".log.90.gz" : ".log.90", name);
    else if (h->mode == MODE_LINK)
        new_name(h, "app.20261128T", is_archive ? ".log.90.gz" : ".log.90", name);
    else
        new_name(h, "app.log-20261128-", is_archive ? ".gz" : "", name);
}

static void numbered(struct history *h, unsigned n, bool is_archive, char name[NAME_SIZE])
{
    history_name(name, "%s.%u%s", h->live, n, is_archive ? ".gz" : "");
}

/* Makes room at number 1. */
static void shift(struct history *h)
{
    char from[NAME_SIZE], to[NAME_SIZE];
    bool keeps = history_chance(h, 70);

    for (unsigned n = keeps ? 99 : NUMBERS; n > 0; n--)
        for (int is_archive = 0; is_archive < 2; is_archive++) {
            numbered(h, n, is_archive, from);
            numbered(h, n + 1, is_archive, to);
            if (!keeps && n == NUMBERS)
                files_unlink(h, from);
            else
                files_rename(h, from, to);
        }
}

/* The name that the live one gets. */
static void old_name(struct history *h, char name[NAME_SIZE])
{
    if (h->mode == MODE_FILE && history_chance(h, 40)) {
        new_name(h, "app.log-20261128-", "", name);
    } else {
        shift(h);
        numbered(h, 1, false, name);
    }
}

/* ---- What is done to the live file ---- */

static void append(struct history *h)
{
    files_append(h, h->live, 1 + history_random(h, 5));
}

static void append_half(struct history *h)
{
    files_append_half(h, h->live);
}

static void append_long(struct history *h)
{
    if (history_chance(h, 20))
        files_append_long(h, h->live,
                          FOLLOW_LINE_MAX - 3 + history_random(h, 6) +
                              history_random(h, 3) * FOLLOW_PIECE_MAX);
    else
        append(h);
}

static void begin_next(struct history *h, const char *live)
{
    history_name(h->live, "%s", live);
    if (history_chance(h, 80)) {
        maybe_look(h);
        append(h);
    }
}

static void switch_link(struct history *h, const char *target)
{
    const char *link = files_path(h, "current.log");

    history_tell(h, "current.log leads to %s", target);
    if (history_chance(h, 50)) {
        unlink(link);
        maybe_look(h);
        MUST(symlink(target, link) == 0);
    } else {
        const char *other = files_path(h, ".link.tmp");

        MUST(symlink(target, other) == 0);
        MUST(rename(other, link) == 0);
    }
}

/* A new name is written to; the old one keeps its own. */
static void next_name(struct history *h)
{
    char live[NAME_SIZE];

    if (history_chance(h, 40))
        files_open(h, h->live);
    next_live(h, live);
    if (h->mode == MODE_LINK && history_chance(h, 50)) {
        switch_link(h, live);
        begin_next(h, live);
    } else {
        begin_next(h, live);
        maybe_look(h);
        if (h->mode == MODE_LINK)
            switch_link(h, live);
    }
}

static void rotate(struct history *h)
{
    char name[NAME_SIZE];

    if (!files_find(h, h->live))
        return;
    if ((h->mode == MODE_PATTERN || h->mode == MODE_LINK) && history_chance(h, 80)) {
        next_name(h);
        return;
    }
    if (history_chance(h, 40))
        files_open(h, h->live);
    else
        files_close(h, files_find(h, h->live));
    maybe_look(h);
    old_name(h, name);
    files_rename(h, h->live, name);
    maybe_look(h);
    begin_next(h, h->live);
}

static void rotate_cut(struct history *h)
{
    char name[NAME_SIZE];

    if (!files_find(h, h->live) || h->mode == MODE_LINK || h->mode == MODE_PATTERN)
        return;
    old_name(h, name);
    files_cut(h, h->live, name);
}

static void rotate_fast(struct history *h)
{
    h->is_burst = true;
    for (uint32_t n = 2 + history_random(h, 4); n > 0; n--) {
        rotate(h);
        append(h);
    }
    h->is_burst = false;
}

static void write_anew(struct history *h)
{
    uint64_t old;
    const struct content *c = files_find(h, h->live);
    bool has_hole = c && c->fd >= 0 && history_chance(h, 30);

    if (!c)
        return;
    old = c->size;
    files_truncate(h, h->live, has_hole);
    if (has_hole || history_chance(h, 30))
        append(h);
    else if (history_chance(h, 40) && old >= 40)
        files_append_long(h, h->live, old);
    else if (history_chance(h, 50))
        files_append_long(h, h->live, old + 16 + history_random(h, 300));
}

static void copy_and_truncate(struct history *h)
{
    char name[NAME_SIZE];

    if (!files_find(h, h->live))
        return;
    old_name(h, name);
    files_copy(h, h->live, name, false);
    maybe_look(h);
    if (history_chance(h, 20))
        append(h);
    maybe_look(h);
    files_truncate(h, h->live, false);
    maybe_look(h);
    if (history_chance(h, 60))
        append(h);
}

static void remove_live(struct history *h)
{
    if (!files_find(h, h->live))
        return;
    if (history_chance(h, 40))
        files_open(h, h->live);
    files_unlink(h, h->live);
    maybe_look(h);
    begin_next(h, h->live);
}

static void compress_in_place(struct history *h)
{
    char name[NAME_SIZE];

    if (!files_find(h, h->live))
        return;
    files_close(h, files_find(h, h->live));
    shift(h);
    numbered(h, 1, true, name);
    files_copy(h, h->live, name, true);
    maybe_look(h);
    files_unlink(h, h->live);
    maybe_look(h);
    begin_next(h, h->live);
}

static void rename_over(struct history *h)
{
    files_append(h, "app.log.tmp", 1 + history_random(h, 3));
    maybe_look(h);
    files_rename(h, "app.log.tmp", h->live);
}

/* ---- Old files ---- */

/* A file that is not the live one: of those that somebody writes to, or of all. NULL: none. */
static struct content *pick(struct history *h, bool is_open)
{
    struct content *found = NULL;
    uint32_t n = 0;

    for (size_t i = 0; i < h->files_len; i++) {
        struct content *c = &h->files[i];

        if (c->is_closed || strcmp(c->name, h->live) == 0 || (is_open && c->fd < 0) ||
            (!is_open && c->name[0] == '\0'))
            continue;
        if (history_random(h, ++n) == 0)
            found = c;
    }
    return found;
}

static void write_late(struct history *h)
{
    struct content *c = pick(h, true);

    if (!c)
        return;
    history_tell(h, "append late to %s", c->name);
    files_append_open(h, c, 1 + history_random(h, 3));
}

static void end_late(struct history *h)
{
    struct content *c = pick(h, true);

    if (c)
        files_close(h, c);
}

static void remove_old(struct history *h)
{
    struct content *c = pick(h, false);

    if (c)
        files_unlink(h, c->name);
}

static void compress_old(struct history *h)
{
    struct content *c = pick(h, false);
    char from[NAME_SIZE], to[NAME_SIZE];

    if (!c || c->fd >= 0 || c->is_archive || !files_is_covered(c))
        return;
    memcpy(from, c->name, sizeof(from));
    history_name(to, "%s.gz", from);
    if (files_find(h, to))
        return;
    files_copy(h, from, to, true);
    maybe_look(h);
    files_unlink(h, from);
}

static void move_away(struct history *h)
{
    struct content *c = pick(h, false);
    char from[NAME_SIZE], to[NAME_SIZE];

    if (!c || !files_is_covered(c))
        return;
    memcpy(from, c->name, sizeof(from));
    history_name(to, ".away/%s", from);
    if (!files_find(h, to))
        files_rename(h, from, to);
}

static void move_back(struct history *h)
{
    for (size_t i = 0; i < h->files_len; i++) {
        const struct content *c = &h->files[i];
        char from[NAME_SIZE], to[NAME_SIZE];

        if (c->is_closed || c->name[0] == '\0' || files_is_covered(c))
            continue;
        memcpy(from, c->name, sizeof(from));
        if (files_find(h, from + 6))
            other_name(h, strstr(from, ".gz"), to);
        else
            history_name(to, "%s", from + 6);
        files_rename(h, from, to);
        maybe_look(h);
    }
}

/* ---- The follower and the server ---- */

static void start(struct history *h)
{
    taking_start(h);
}

static void stop(struct history *h)
{
    taking_stop(h);
    if (history_chance(h, 50))
        taking_start(h);
}

static void kill_it(struct history *h)
{
    taking_kill(h);
    if (history_chance(h, 50))
        taking_start(h);
}

static void send(struct history *h)
{
    taking_send(h);
    if (history_chance(h, 80))
        taking_store(h);
    if (history_chance(h, 80))
        taking_acknowledge(h);
}

static void store(struct history *h)
{
    taking_store(h);
    taking_acknowledge(h);
}

static const struct {
    void (*step)(struct history *h);
    unsigned weight;
} steps[] = {
    {append, 20},      {append_half, 4},
    {append_long, 2},  {rotate, 14},
    {rotate_cut, 3},   {rotate_fast, 3},
    {write_anew, 5},   {copy_and_truncate, 5},
    {remove_live, 3},  {compress_in_place, 3},
    {rename_over, 2},  {write_late, 8},
    {end_late, 5},     {remove_old, 3},
    {compress_old, 3}, {move_away, 2},
    {move_back, 2},    {look, 25},
    {send, 14},        {store, 6},
    {stop, 3},         {kill_it, 4},
    {start, 8},        {taking_settle, 2},
};

enum { STEPS_LEN = sizeof(steps) / sizeof(steps[0]) };

/* ---- A history ---- */

void steps_begin(struct history *h)
{
    MUST(mkdir(files_path(h, ".away"), 0755) == 0);
    MUST(mkdir(files_path(h, ".state"), 0700) == 0);
    snprintf(h->state, sizeof(h->state), ".state/0.db");
    h->mode = history_chance(h, 60) ? MODE_FILE : (enum mode)history_random(h, MODES);
    h->has_banner = history_chance(h, 25);
    next_live(h, h->live);
    if (h->mode == MODE_LINK)
        MUST(symlink(h->live, files_path(h, "current.log")) == 0);
    taking_start(h);
}

void steps_one(struct history *h)
{
    unsigned sum = 0, at;

    for (int i = 0; i < STEPS_LEN; i++)
        sum += steps[i].weight;
    at = history_random(h, sum);
    for (int i = 0; i < STEPS_LEN; i++) {
        if (at < steps[i].weight) {
            steps[i].step(h);
            return;
        }
        at -= steps[i].weight;
    }
}

void steps_end(struct history *h)
{
    history_tell(h, "the end");
    move_back(h);
    taking_start(h);
    for (size_t i = 0; i < h->files_len; i++)
        if (!h->files[i].is_closed)
            files_close(h, &h->files[i]);
    for (int i = 0; i < 2; i++) {
        taking_settle(h);
        files_check_stored(h);
        taking_stop(h);
        taking_start(h);
    }
    taking_settle(h);
    files_check_stored(h);
    taking_stop(h);
}
