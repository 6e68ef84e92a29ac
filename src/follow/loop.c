/* The follower as a whole: waiting, and the next line of whoever has one. */
#include "follow/follower.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "follow/internal.h"

enum {
    DESCRIPTORS_LEFT = 64, /* for all else */
    PARKED_US = 50000,     /* between looks at what waits for another one's end */
};

/* ---- What the other files ask for ---- */

void follower_say(struct follower *f, const char *format, ...)
{
    char text[PATH_MAX + ERRBUF_SIZE];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    f->calls.say(f->calls.ctx, text);
}

void follower_say_short(struct follower *f, const char *path)
{
    if (!f->is_short)
        follower_say(f,
                     "too many files are open: %s and others have to wait; a higher limit "
                     "(ulimit -n) helps",
                     path);
    f->is_short = true;
}

void follower_say_many(struct follower *f, const char *path)
{
    if (!f->is_many)
        follower_say(f, "%s and others have to wait: %d files are followed, the most that can be",
                     path, (int)f->files_max);
    f->is_many = true;
}

bool follower_gives_up(struct follower *f)
{
    if (f->is_starting && !f->is_given_up && f->calls.is_over)
        f->is_given_up = f->calls.is_over(f->calls.ctx);
    return f->is_given_up;
}

void follower_ready(struct follower *f, struct source *s)
{
    if (s->is_ready || s->is_parked || s->fd < 0)
        return;
    s->is_ready = true;
    roll_append(&f->ready, &s->in_ready);
}

void follower_not_ready(struct follower *f, struct source *s)
{
    if (s->is_ready)
        roll_remove(&f->ready, &s->in_ready);
    s->is_ready = false;
}

static void park(struct follower *f, struct source *s)
{
    if (s->is_ready)
        return;
    s->is_parked = true;
    roll_append(&f->parked, &s->in_parked);
    roll_append(&s->family->parked, &s->in_family_parked);
}

static void unpark(struct follower *f, struct source *s)
{
    s->is_parked = false;
    roll_remove(&f->parked, &s->in_parked);
    roll_remove(&s->family->parked, &s->in_family_parked);
}

void follower_unpark(struct follower *f, struct family *family)
{
    while (family->parked.first) {
        struct source *s = container_of(family->parked.first, struct source, in_family_parked);

        unpark(f, s);
        follower_ready(f, s);
    }
}

static void unpark_all(struct follower *f)
{
    while (f->parked.first) {
        struct source *s = container_of(f->parked.first, struct source, in_parked);

        unpark(f, s);
        follower_ready(f, s);
    }
}

void follower_attend(struct follower *f, struct source *s, uint64_t us)
{
    agenda_put(&f->agenda, &s->attention, f->now_us + us);
}

void follower_forget(struct follower *f, struct source *s)
{
    if (s->is_ready)
        roll_remove(&f->ready, &s->in_ready);
    if (s->is_parked)
        unpark(f, s);
    agenda_remove(&f->agenda, &s->attention);
    if (s->is_touched)
        roll_remove(&f->touched, &s->in_touched);
    if (s->is_dirty)
        roll_remove(&f->dirty, &s->in_dirty);
    if (s->phase == SOURCE_OVER && !s->is_told)
        roll_remove(&f->over, &s->in_over);
}

/* ---- Waiting ---- */

static void on_folder(void *ctx, const char *folder, const char *name)
{
    place_look(ctx, folder, name);
}

static void on_file(void *ctx, void *file)
{
    struct follower *f = ctx;
    struct source *s = file;

    if (s->phase == SOURCE_READING || s->phase == SOURCE_ENDING)
        follower_ready(f, s);
    if (s->phase != SOURCE_READING || s->place != PLACE_LIVE)
        follower_attend(f, s, 0);
}

static void on_say(void *ctx, const char *text)
{
    follower_say(ctx, "%s", text);
}

/* When something is to be looked at next. */
static uint64_t attend_us(const struct follower *f)
{
    uint64_t us = agenda_next_us(&f->agenda);

    return f->troubled > 0 && f->retry_us < us ? f->retry_us : us;
}

static void attend(struct follower *f)
{
    struct agenda_item *item;

    if (f->troubled > 0 && f->now_us >= f->retry_us)
        place_retry(f);
    /* What is put there meanwhile has the next turn. */
    for (size_t left = f->agenda.len; left > 0 && (item = agenda_take(&f->agenda, f->now_us));
         left--) {
        struct source *s = container_of(item, struct source, attention);

        if (s->phase == SOURCE_UNKNOWN)
            candidate_attend(f, s);
        else if (s->phase == SOURCE_SEEKING)
            candidate_seek(f, s);
        else
            ending_attend(f, s);
    }
}

static void dispatch(struct follower *f)
{
    f->now_us = clock_monotonic_us();
    watch_dispatch(f->watch, f->now_us);
    attend(f);
    if (f->closed > 0 && f->now_us >= f->closed_us)
        f->closed_us = f->now_us + (source_look_closed(f) ? RETRY_US : ATTEND_US);
}

static int ms_until(uint64_t now, uint64_t then, int limit_ms)
{
    if (then <= now)
        return 0;
    uint64_t ms = (then - now + 999) / 1000;
    return ms < (uint64_t)limit_ms ? (int)ms : limit_ms;
}

/* Files that grow all the time are read once in a while; somebody who has no room for lines does
 * not want to know each of their writes. */
static void rest(struct follower *f, int wake_fd)
{
    struct pollfd wake = {.fd = wake_fd, .events = POLLIN};
    uint64_t until = f->read_us + REST_US;

    if (!f->is_drained)
        until = f->now_us + REST_US;
    if (until > f->now_us)
        (void)poll(&wake, 1, ms_until(f->now_us, until, REST_US / 1000));
}

void follower_wait(struct follower *f, int timeout_ms, int wake_fd)
{
    struct pollfd fds[] = {{.fd = watch_fd(f->watch), .events = POLLIN},
                           {.fd = wake_fd, .events = POLLIN}};

    f->now_us = clock_monotonic_us();
    ending_tell(f);
    ledger_flush(f, false);
    attend(f);
    if (f->ready.first && f->is_drained)
        timeout_ms = 0;
    timeout_ms = ms_until(f->now_us, attend_us(f), timeout_ms);
    if (f->parked.first)
        timeout_ms = ms_until(f->now_us, f->now_us + PARKED_US, timeout_ms);
    if (f->over.first)
        timeout_ms = ms_until(f->now_us, f->now_us + PARKED_US, timeout_ms);
    if (f->closed > 0)
        timeout_ms = ms_until(f->now_us, f->closed_us, timeout_ms);
    timeout_ms = watch_timeout_ms(f->watch, f->now_us, timeout_ms);
    if (timeout_ms > 0)
        rest(f, wake_fd);
    (void)poll(fds, 2, timeout_ms);
    dispatch(f);
    unpark_all(f);
}

/* ---- Lines ---- */

/* Its name is a live one still, but a newer one is there: whether somebody writes to it yet, or its
 * last line ends there, is to be looked at. */
static void attend_end(struct follower *f, struct source *s)
{
    if (s->phase == SOURCE_READING && s->place == PLACE_LIVE && s->newer && s->is_at_end &&
        !family_is_whole(s))
        follower_attend(f, s, ATTEND_US);
}

/* Reads some of the next file whose turn it is; false: there is none. True with *is_line: its last
 * line. */
static bool begin_turn(struct follower *f, struct follow_line *line, bool *is_line)
{
    struct roll_node *n = roll_take(&f->ready);

    *is_line = false;
    if (!n)
        return false;
    struct source *s = container_of(n, struct source, in_ready);
    s->is_ready = false;
    if (s->phase == SOURCE_ENDING) {
        *is_line = ending_last_line(f, s, line);
        return true;
    }
    if (s->phase != SOURCE_READING)
        return true;
    if (!family_lets_read(f, s)) {
        park(f, s);
        return true;
    }
    if (!judge_still_has(s)) {
        candidate_truncated(f, s);
        return true;
    }
    switch (reading_begin(f, s)) {
    case TURN_FAILED:
        source_failed(f, s, errno);
        return true;
    case TURN_TRUNCATED:
        source_works(f, s);
        candidate_truncated(f, s);
        return true;
    case TURN_NOTHING:
        if (!s->is_at_end)
            follower_ready(f, s);
        attend_end(f, s);
        break;
    case TURN_READ:
        break;
    }
    source_works(f, s);
    return true;
}

/* What was read is handed out. */
static void end_turn(struct follower *f, struct source *s)
{
    if (f->reader.of)
        reading_end(f, s);
    attend_end(f, s);
    if (!s->is_at_end)
        follower_ready(f, s);
    else if (s->newer && s->newer->is_parked)
        follower_unpark(f, s->family);
}

bool follower_next(struct follower *f, struct follow_line *line)
{
    bool is_line, waits;

    ending_tell(f);
    f->is_drained = false;
    for (;;) {
        struct source *s = f->reader.of;

        if (s && !family_is_begun(s) && s->older) {
            if (ending_hand_out(f, s, line, &waits))
                return true;
            if (waits) {
                reading_end(f, s);
                park(f, s);
                continue;
            }
        }
        if (s && reading_next(f, s, line))
            return true;
        if (s)
            end_turn(f, s);
        dispatch(f);
        if (!begin_turn(f, line, &is_line))
            break;
        if (is_line)
            return true;
    }
    f->is_drained = true;
    return false;
}

/* ---- The follower ---- */

static size_t descriptors(void)
{
    struct rlimit limit;
    size_t max = FOLLOW_OPEN_MAX;

    if (!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur < max + DESCRIPTORS_LEFT)
        max = limit.rlim_cur > 2 * DESCRIPTORS_LEFT ? limit.rlim_cur - DESCRIPTORS_LEFT
                                                    : limit.rlim_cur / 2;
    return max;
}

/* Whoever opens a file at the moment at which it is asked for writers sends one. */
static void ignore_sigio(void)
{
    struct sigaction now;

    if (!sigaction(SIGIO, NULL, &now) && now.sa_handler == SIG_DFL)
        signal(SIGIO, SIG_IGN);
}

struct follower *follower_new(const struct follower_options *options, struct errbuf *err)
{
    struct follower *f = xcalloc(1, sizeof(*f));
    struct watch_calls calls = {.folder = on_folder, .file = on_file, .say = on_say, .ctx = f};

    f->calls = options->calls;
    f->from = options->from;
    f->open_max = descriptors();
    f->files_max = options->files_max > 0 ? options->files_max : FOLLOW_FILES_MAX;
    f->now_us = clock_monotonic_us();
    f->prune_us = f->now_us + FLUSH_US; /* what is there was noted by then */
    buffer_init(&f->joined, 4 * FOLLOW_LINE_MAX);
    buffer_init_small(&f->path);
    buffer_init_small(&f->ladder);
    ignore_sigio();
    f->names = names_new(options->given, options->given_len, options->excluded,
                         options->excluded_len, err);
    if (!f->names || !(f->state = state_open(options->state_path, err)) ||
        !(f->watch = watch_new(&calls, err)))
        goto failed;
    f->is_first = state_is_new(f->state);
    f->began_us = state_began_us(f->state);
    f->is_starting = true;
    ledger_news(f); /* what it was when the state was written last is no matter */
    if (resume_load(f, err))
        goto failed;
    place_start(f);
    resume_finish(f);
    if (f->is_given_up) {
        errbuf_set(err, "given up at the start");
        goto failed;
    }
    f->is_starting = false;
    if (f->is_first && ledger_begin(f, err))
        goto failed;
    return f;
failed:
    follower_free(f);
    return NULL;
}

void follower_free(struct follower *f)
{
    if (!f)
        return;
    f->now_us = clock_monotonic_us();
    if (f->state && !f->is_given_up)
        ledger_flush(f, true);
    f->is_released = true;
    while (f->all) {
        struct source *s = f->all;

        if (s->is_handed)
            f->calls.freed(f->calls.ctx, &s->file);
        source_free(f, s);
    }
    families_release(f);
    places_release(f);
    table_release(&f->identities);
    agenda_release(&f->agenda);
    ledger_release(f);
    watch_free(f->watch);
    state_close(f->state);
    names_free(f->names);
    buffer_release(&f->joined);
    buffer_release(&f->path);
    buffer_release(&f->ladder);
    free(f->reader.bytes);
    free(f);
}

void follower_behind(struct follower *f, struct follower_behind *b)
{
    uint64_t oldest = f->now_us;

    *b = (struct follower_behind){.files = f->files,
                                  .open = f->open,
                                  .lost_bytes = state_lost_bytes(f->state),
                                  .unreadable = f->unreadable};
    for (const struct source *s = f->all; s; s = s->all_behind) {
        uint64_t behind = s->look.size > s->acked.offset ? s->look.size - s->acked.offset : 0;

        if (behind == 0 || s->phase == SOURCE_UNKNOWN || s->is_archive)
            continue;
        b->bytes += behind;
        if (s->place == PLACE_DELETED) {
            b->deleted++;
            b->deleted_bytes += behind;
        }
        if (s->grown_us < oldest)
            oldest = s->grown_us;
    }
    b->oldest_s = (f->now_us - oldest) / 1000000;
}
