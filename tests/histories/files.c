#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "../simulation/simulated_clock.h"
#include "base/array.h"
#include "base/hash.h"
#include "base/xalloc.h"
#include "history.h"
#include "system.h"

enum { LINE_LEAST = 28, BANNER_LINES = 20, TICK_US = 2000 };

static const char BANNER[] = "BANNER of a program that writes the same at the beginning of each\n";

/* ---- Lines ---- */

/* A new one of `len` bytes with its line feed. */
static int new_line(struct history *h, size_t len)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
    int number = (int)h->lines_len;
    uint64_t random = hash_mix(h->seed * 1000003 + (uint64_t)number);

    h->lines = array_reserve(h->lines, &h->lines_capacity, h->lines_len + 1, sizeof(*h->lines));
    struct written *l = &h->lines[h->lines_len++];
    *l = (struct written){.len = len - 1, .text = xmalloc(len + 1)};
    snprintf(l->text, len, "%06d ", number);
    for (size_t i = 7; i < l->len - 7; i++) {
        random = i % 16 ? random >> 4 : hash_mix(random + i);
        l->text[i] = letters[(random & 15) + number % 10];
    }
    snprintf(l->text + l->len - 7, 8, " %06d", number);
    return number;
}

static size_t usual_len(struct history *h)
{
    if (history_chance(h, 3))
        return 2000 + history_random(h, 70000);
    return LINE_LEAST + 1 + history_random(h, history_chance(h, 10) ? 1200 : 60);
}

static bool is_readable(const struct content *c)
{
    return !c->is_closed && (files_is_covered(c) || c->is_held);
}

/*
 * Two lines were cut, and the file that has the rest of the one and the first part of the other is
 * not there: whoever sees the one before it and the one behind it takes them for one line.
 */
static bool is_mixed(struct history *h, const char *text, size_t len, int first, int rest)
{
    struct written *a = &h->lines[first], *b = &h->lines[rest];

    if (first == rest || !a->is_joined || !b->is_joined || len != a->cut + b->len - b->cut ||
        memcmp(text, a->text, a->cut) != 0 ||
        memcmp(text + a->cut, b->text + b->cut, b->len - b->cut) != 0 ||
        is_readable(&h->files[a->rest_in]) || is_readable(&h->files[b->first_in]))
        return false;
    a->is_excused = b->is_excused = true;
    return true;
}

enum found files_which(struct history *h, const char *text, size_t len, int *line, int *other)
{
    char digits[7] = {0};

    if (len + 1 == strlen(BANNER) && memcmp(text, BANNER, len) == 0)
        return FOUND_BANNER;
    if (len < 7)
        return FOUND_NOTHING;
    memcpy(digits, text, 6);
    *line = atoi(digits);
    if (text[6] == ' ' && *line >= 0 && (size_t)*line < h->lines_len) {
        const struct written *l = &h->lines[*line];

        if (len == l->len && memcmp(text, l->text, len) == 0)
            return FOUND_WHOLE;
        if (len == l->cut && memcmp(text, l->text, len) == 0)
            return FOUND_FIRST;
    }
    bool may_be_first = *line >= 0 && (size_t)*line < h->lines_len;
    int first = *line;
    memcpy(digits, text + len - 6, 6);
    *line = atoi(digits);
    if (*line >= 0 && (size_t)*line < h->lines_len) {
        const struct written *l = &h->lines[*line];

        if (l->cut > 0 && len == l->len - l->cut && memcmp(text, l->text + l->cut, len) == 0)
            return FOUND_REST;
        *other = *line;
        *line = first;
        if (may_be_first && is_mixed(h, text, len, first, *other))
            return FOUND_MIXED;
    }
    return FOUND_NOTHING;
}

/* ---- Files ---- */

const char *files_path(struct history *h, const char *name)
{
    static char paths[4][512];
    static unsigned at;
    char *path = paths[at++ % 4];

    snprintf(path, sizeof(paths[0]), "%s/%s", h->folder, name);
    return path;
}

struct content *files_find(struct history *h, const char *name)
{
    for (size_t i = h->files_len; i-- > 0;)
        if (strcmp(h->files[i].name, name) == 0 && !h->files[i].is_closed)
            return &h->files[i];
    return NULL;
}

bool files_is_live(struct history *h, const struct content *c)
{
    if (h->mode == MODE_FILE || h->mode == MODE_LINK)
        return strcmp(c->name, h->live) == 0;
    if (!c->name[0] || !files_is_covered(c))
        return false;
    /* All that is in a folder is: "app.log.1", too, as long as no other one has taken its place. */
    return !strstr(c->name, ".log.") || (h->mode == MODE_FOLDER && !files_find(h, "app.log"));
}

bool files_is_covered(const struct content *c)
{
    return c->name[0] && strncmp(c->name, ".away/", 6) != 0 && strstr(c->name, ".tmp") == NULL;
}

static struct content *add_file(struct history *h, const char *name)
{
    h->files = array_reserve(h->files, &h->files_capacity, h->files_len + 1, sizeof(*h->files));
    struct content *c = &h->files[h->files_len++];
    *c = (struct content){.fd = -1, .half = -1};
    history_name(c->name, "%s", name);
    return c;
}

static void add_to(struct history *h, struct content *c, int line)
{
    c->lines = array_reserve(c->lines, &c->lines_capacity, c->lines_len + 1, sizeof(*c->lines));
    c->lines[c->lines_len++] = line;
    h->lines[line].places++;
    h->lines[line].is_excused |= c->name[0] == '\0' && !c->is_held;
}

/* When it was changed, as the clocks of the history say. */
static void set_time(int fd)
{
    simulated_clock_advance(TICK_US);
    int64_t us = simulated_clock_now();
    struct timespec now = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};

    MUST(futimens(fd, (struct timespec[]){now, now}) == 0);
}

static void put(struct history *h, struct content *c, const char *bytes, size_t len)
{
    int fd = c->fd;

    if (fd < 0)
        fd = open(files_path(h, c->name), O_WRONLY | O_APPEND | O_CREAT, 0644);
    MUST(fd >= 0);
    MUST(pwrite(fd, bytes, len, (off_t)c->size) == (ssize_t)len);
    c->size += len;
    set_time(fd);
    if (c->fd < 0)
        close(fd);
}

static struct content *get(struct history *h, const char *name)
{
    struct content *c = files_find(h, name);

    if (c)
        return c;
    int fd = open(files_path(h, name), O_WRONLY | O_CREAT | O_EXCL, 0644);
    MUST(fd >= 0);
    system_made(fd);
    set_time(fd);
    close(fd);
    c = add_file(h, name);
    if (h->has_banner && history_chance(h, 90))
        for (int i = 0; i < BANNER_LINES; i++) {
            put(h, c, BANNER, strlen(BANNER));
            h->banners++;
        }
    return c;
}

void files_end_half(struct history *h, struct content *c)
{
    if (c->half < 0)
        return;
    const struct written *l = &h->lines[c->half];
    char *rest = xmalloc(l->len - l->cut + 1);

    memcpy(rest, l->text + l->cut, l->len - l->cut);
    rest[l->len - l->cut] = '\n';
    put(h, c, rest, l->len - l->cut + 1);
    free(rest);
    h->lines[c->half].cut = 0;
    c->half = -1;
}

static void append_line(struct history *h, struct content *c, size_t len)
{
    int line = new_line(h, len);
    struct written *l = &h->lines[line];

    l->text[l->len] = '\n';
    put(h, c, l->text, len);
    l->text[l->len] = '\0';
    add_to(h, c, line);
}

void files_append_open(struct history *h, struct content *c, unsigned lines)
{
    files_end_half(h, c);
    for (; lines > 0; lines--)
        append_line(h, c, usual_len(h));
}

void files_append(struct history *h, const char *name, unsigned lines)
{
    history_tell(h, "append %u to %s", lines, name);
    files_append_open(h, get(h, name), lines);
}

void files_append_long(struct history *h, const char *name, size_t len)
{
    history_tell(h, "append one of %zu bytes to %s", len, name);
    struct content *c = get(h, name);

    files_end_half(h, c);
    append_line(h, c, len);
}

static int append_half(struct history *h, struct content *c)
{
    int line = new_line(h, usual_len(h));
    struct written *l = &h->lines[line];

    files_end_half(h, c);
    l->cut = 8 + history_random(h, (uint32_t)l->len - 14);
    if (l->cut > l->len - 7)
        l->cut = l->len - 7;
    put(h, c, l->text, l->cut);
    add_to(h, c, line);
    return line;
}

void files_append_half(struct history *h, const char *name)
{
    history_tell(h, "append half a line to %s", name);
    files_open(h, name);
    struct content *c = get(h, name);
    int line = append_half(h, c);

    c->half = line;
}

void files_cut(struct history *h, const char *from, const char *to)
{
    struct content *c = get(h, from);
    int line;

    history_tell(h, "a line is cut: %s, %s", from, to);
    files_append_open(h, c, 1);
    line = append_half(h, c);
    h->lines[line].is_joined = true;
    h->lines[line].first_in = (size_t)(c - h->files);
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    files_rename(h, from, to);

    bool has_banner = h->has_banner;
    h->has_banner = false;
    c = get(h, from);
    h->has_banner = has_banner;
    struct written *l = &h->lines[line];
    l->rest_in = (size_t)(c - h->files);
    l->text[l->len] = '\n';
    put(h, c, l->text + l->cut, l->len - l->cut + 1);
    l->text[l->len] = '\0';
    add_to(h, c, line);
    l->places--; /* it is whole only if both are there */
}

void files_open(struct history *h, const char *name)
{
    struct content *c = get(h, name);

    if (c->fd < 0)
        c->fd = open(files_path(h, name), O_WRONLY | O_CLOEXEC);
    MUST(c->fd >= 0);
}

/* What a file had is there no more. */
static void lose_lines(struct history *h, struct content *c, bool is_truncated)
{
    for (size_t i = 0; i < c->lines_len; i++) {
        struct written *l = &h->lines[c->lines[i]];

        if (l->places > 0)
            l->places--;
        if (is_truncated)
            l->is_seen = false; /* a copy is to be seen itself */
        if (l->is_joined) {
            l->is_excused = true;
            continue;
        }
        if (l->places > 0 || l->is_handed)
            continue;
        if (is_truncated || !(l->is_seen || c->is_held))
            l->is_excused = true;
    }
    c->lines_len = 0;
}

static void forget(struct history *h, struct content *c)
{
    (void)h;
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    c->name[0] = '\0';
    c->is_closed = true;
}

void files_close(struct history *h, struct content *c)
{
    if (c->fd < 0)
        return;
    history_tell(h, "who writes to %s ends", c->name[0] ? c->name : "a deleted file");
    if (c->half >= 0) {
        if (history_chance(h, 50) || files_is_live(h, c))
            files_end_half(h, c);
        else
            h->lines[c->half].is_half = true;
    }
    c->half = -1;
    close(c->fd);
    c->fd = -1;
    if (c->name[0] == '\0' && !c->is_held)
        forget(h, c);
}

/* It has no name any more, or not one that is looked at. */
static void no_name(struct history *h, struct content *c)
{
    bool can_be_read = c->is_held;

    for (size_t i = 0; i < c->lines_len; i++)
        can_be_read |= h->lines[c->lines[i]].is_seen && !h->lines[c->lines[i]].is_handed;
    c->name[0] = '\0';
    if (can_be_read && h->follower)
        return;
    lose_lines(h, c, false);
    if (c->fd < 0)
        forget(h, c);
}

void files_rename(struct history *h, const char *from, const char *to)
{
    struct content *c = files_find(h, from), *over = files_find(h, to);

    if (!c)
        return;
    history_tell(h, "%s → %s", from, to);
    MUST(rename(files_path(h, from), files_path(h, to)) == 0);
    if (over)
        no_name(h, over);
    c = files_find(h, from);
    history_name(c->name, "%s", to);
}

void files_unlink(struct history *h, const char *name)
{
    struct content *c = files_find(h, name);

    if (!c)
        return;
    history_tell(h, "unlink %s", name);
    MUST(unlink(files_path(h, name)) == 0);
    no_name(h, c);
}

void files_copy(struct history *h, const char *from, const char *to, bool compresses)
{
    static char bytes[1 << 16];
    struct content *c = files_find(h, from), *copy;
    gzFile gz = NULL;
    ssize_t n;

    if (!c || files_find(h, to))
        return;
    files_end_half(h, c);
    history_tell(h, "%s %s to %s", compresses ? "compress" : "copy", from, to);
    int in = open(files_path(h, from), O_RDONLY);
    int out = open(files_path(h, to), O_WRONLY | O_CREAT | O_EXCL, 0644);
    MUST(in >= 0 && out >= 0);
    system_made(out);
    if (compresses)
        gz = gzdopen(dup(out), "wb1");
    while ((n = read(in, bytes, sizeof(bytes))) > 0) {
        if (gz)
            MUST(gzwrite(gz, bytes, (unsigned)n) == n);
        else
            MUST(write(out, bytes, (size_t)n) == n);
    }
    if (gz)
        gzclose(gz);
    set_time(out);
    close(in);
    close(out);
    copy = add_file(h, to);
    c = files_find(h, from);
    copy->size = c->size;
    copy->is_archive = compresses;
    for (size_t i = 0; i < c->lines_len; i++)
        add_to(h, copy, c->lines[i]);
}

void files_truncate(struct history *h, const char *name, bool has_hole)
{
    struct content *c = files_find(h, name);

    if (!c)
        return;
    files_end_half(h, c);
    history_tell(h, "truncate %s%s", name, has_hole ? ", who writes goes on where it was" : "");
    int fd = open(files_path(h, name), O_WRONLY | O_TRUNC);
    MUST(fd >= 0);
    set_time(fd);
    close(fd);
    lose_lines(h, c, true);
    c->half = -1;
    if (!has_hole)
        c->size = 0;
}

void files_let_go(struct history *h)
{
    for (size_t i = 0; i < h->lines_len; i++)
        h->lines[i].is_seen = h->lines[i].is_handed = false;
    for (size_t i = 0; i < h->files_len; i++) {
        struct content *c = &h->files[i];

        c->is_held = false;
        if (c->is_closed || c->name[0])
            continue;
        lose_lines(h, c, false);
        if (c->fd < 0)
            forget(h, c);
    }
    /* Handed out, but neither stored nor anywhere. */
    for (size_t i = 0; i < h->lines_len; i++)
        if (h->lines[i].places == 0)
            h->lines[i].is_excused = true;
}

/* A link that leads elsewhere does not hold it. */
static bool is_led_to(struct history *h, const struct content *c)
{
    char target[NAME_SIZE] = "";

    if (h->mode != MODE_LINK)
        return true;
    ssize_t n = readlink(files_path(h, "current.log"), target, sizeof(target) - 1);
    return n > 0 && strcmp(target, c->name) == 0;
}

void files_seen(struct history *h)
{
    for (size_t i = 0; i < h->files_len; i++) {
        struct content *c = &h->files[i];
        bool has_more = false;

        if (c->is_closed || !files_is_covered(c) || c->is_archive)
            continue;
        for (size_t k = 0; k < c->lines_len; k++) {
            h->lines[c->lines[k]].is_seen = true;
            has_more |= !h->lines[c->lines[k]].is_handed;
        }
        c->is_held = c->size > 0 && ((files_is_live(h, c) && is_led_to(h, c)) ||
                                     (c->is_held && c->fd >= 0) || (c->fd >= 0 && has_more));
    }
}

/* ---- What has to be ---- */

void files_check_handed(struct history *h)
{
    for (size_t i = 0; i < h->files_len; i++) {
        const struct content *c = &h->files[i];

        if (!is_readable(c))
            continue;
        for (size_t k = 0; k < c->lines_len; k++) {
            const struct written *l = &h->lines[c->lines[k]];

            if (l->is_handed || l->whole || l->first || l->rest || c->lines[k] == c->half)
                continue;
            if ((l->is_half || (l->is_joined && l->is_excused)) && files_is_live(h, c))
                continue; /* it may go on */
            history_fail(h, "line %d of \"%s\" was not handed out", c->lines[k], c->name);
            return;
        }
    }
}

void files_check_stored(struct history *h)
{
    for (size_t i = 0; i < h->lines_len; i++) {
        const struct written *l = &h->lines[i];
        unsigned n = l->whole + l->first;

        if (l->is_joined && l->whole == 0 && l->first <= 1 && l->rest <= 1 &&
            (l->is_excused || l->first + l->rest == 2))
            continue;
        /* Sent as one; the other part is gone, and whether that was stored is not known. */
        if (l->is_joined && l->is_excused && l->whole == 1 && l->first + l->rest == 1)
            continue;
        if (l->rest > 0)
            history_fail(h, "of line %zu the end was stored: whole %u, first part %u", i, l->whole,
                         l->first);
        if (n > 1)
            history_fail(h, "line %zu was stored %u times", i, n);
        if (n == 0 && !l->is_excused && l->places > 0 && (l->cut == 0 || l->is_half))
            history_fail(h, "line %zu was not stored", i);
    }
    if (h->banners_stored > h->banners)
        history_fail(h, "%u lines of banners were stored, %u written", h->banners_stored,
                     h->banners);
}

void files_release(struct history *h)
{
    for (size_t i = 0; i < h->files_len; i++) {
        if (h->files[i].fd >= 0)
            close(h->files[i].fd);
        free(h->files[i].lines);
    }
    for (size_t i = 0; i < h->lines_len; i++)
        free(h->lines[i].text);
    free(h->files);
    free(h->lines);
}
