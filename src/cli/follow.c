/*
 * One thread reads (this one), one sends (courier.h). Two parcels exist, one on its way and one
 * that is being filled; while both are full no lines are taken, but what happens to the files is
 * noted all the same (follower_wait), so that nothing is forgotten while a server is away.
 *
 * Each parcel has a mark: what of the files is in it or in those before it. What the mark says is
 * written before the parcel leaves (the times of lines that have none), and acknowledged when it is
 * stored or refused.
 */
#include "cli/follow.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/container_of.h"
#include "base/xalloc.h"
#include "cli/cli.h"
#include "cli/courier.h"
#include "cli/follow_behind.h"
#include "cli/follow_service.h"
#include "cli/follow_status.h"
#include "cli/line.h"
#include "cli/state_home.h"
#include "cli/stop.h"
#include "cli/terminal.h"
#include "follow/follower.h"

enum {
    FOLLOW_DELAY_US = 20000,     /* between two parcels, if the first is not full */
    FOLLOW_EMPTY_US = 1000000,   /* after which lines that gave no log are noted as dealt with */
    FOLLOW_TAKE_BYTES = 4 << 20, /* of lines, after which a parcel leaves, whatever is in it */
    FOLLOW_IDLE_MS = 1000,       /* between two looks, at most */
};

/* A file, as struct follow_file.user. */
struct followed {
    struct line_input input;
    struct follow_file *file;
    const char *form; /* that the file has; NULL: not known */
    uint64_t part_at; /* the offset of the next part of a line */
    char *source;     /* for stderr: "PATH: byte" */
    char path[];
};

struct follow {
    const char *command;
    struct line_reader lines;
    struct dispatch out; /* the courier's, while it is out */
    struct courier *courier;
    struct follower *follower;
    struct parcel parcels[2];
    struct parcel *filling;
    struct follow_mark *on_way; /* the mark of what the courier has */
    size_t taken;               /* bytes of lines since the last mark */
    bool has_rest;              /* … and there may be more lines at once */
    uint64_t left_us;           /* when the last parcel left */
    uint64_t refused;           /* lines that can be no log */
    bool has_told_unfit;        /* that there are lines that are not of --format */
    struct follow_behind behind;
    struct follow_service service;
    bool is_given_up; /* the end was asked for before all files were looked at */
    int error;
};

/* ---- Lines ---- */

static struct followed *followed_by(struct line_input *in)
{
    return container_of(in, struct followed, input);
}

/*
 * What was found out about the form of its lines, before those that are held back, is the state's
 * to keep: to be called when a line was taken, or is held back no longer.
 */
static void note_form(struct followed *u)
{
    const char *form = line_input_form(&u->input, &u->file->guessed);

    if (u->form == form)
        return;
    u->form = form;
    strncpy(u->file->form, form, sizeof(u->file->form) - 1);
}

static void added(void *ctx)
{
    struct follow *f = ctx;
    const struct followed *file = followed_by(f->lines.log_input);

    note_form(followed_by(f->lines.input));
    parcel_source(f->filling, file->source);
    parcel_add(f->filling, f->lines.log_number);
}

/* Something was added, or could not be. */
static void look(struct follow *f, int error, const struct errbuf *err, uint64_t repaired_before)
{
    const struct line_reader *r = &f->lines;
    const char *source = r->log_input ? followed_by(r->log_input)->source : "";

    if (error == LM_ENOMEM) { /* not lost: not acknowledged, it is read again */
        f->error = error;
        terminal_say(f->command, "no memory");
    } else if (error) {
        f->refused++;
        terminal_say(f->command, "%s %llu is left out: %s", source,
                     (unsigned long long)r->log_number,
                     err->text[0] ? err->text : lm_error_text(error));
    }
    if (repaired_before == 0 && r->repaired > 0)
        terminal_say(f->command,
                     "%s %llu is not UTF-8: U+FFFD stands for what is not, there and in others "
                     "like it",
                     source, (unsigned long long)r->log_number);
}

static struct followed *followed_of(struct follow *f, struct follow_file *file)
{
    static const char place[] = ": byte";
    size_t len = strlen(file->path);
    struct followed *u = file->user;

    if (u)
        return u;
    u = xcalloc(1, sizeof(*u) + 2 * len + 1 + sizeof(place));
    memcpy(u->path, file->path, len);
    u->source = u->path + len + 1;
    memcpy(u->source, file->path, len);
    memcpy(u->source + len, place, sizeof(place));
    line_input_begin_file(&u->input, &f->lines.forms, file->key, u->path, &file->held_from);
    line_chosen_again(&u->input.chosen, file->form, file->guessed);
    u->file = file;
    u->form = NULL;
    file->user = u;
    return u;
}

static void look_for_unfit(struct follow *f, const struct followed *u)
{
    if (f->has_told_unfit || u->input.chosen.unfit == 0)
        return;
    f->has_told_unfit = true;
    terminal_say(f->command,
                 "%s %llu is not of the form %s: kept as text, there and in others like it",
                 u->source, (unsigned long long)u->input.chosen.first_unfit, f->lines.forms.name);
}

static void take_line(struct follow *f, const struct follow_line *line)
{
    struct followed *u = followed_of(f, line->file);
    struct line_part part = {.text = line->text,
                             .is_first = line->is_first,
                             .is_last = line->is_last,
                             .number = line->is_first ? line->offset : u->part_at,
                             .read_us = line->read_us};
    uint64_t repaired = f->lines.repaired;
    struct errbuf err = ERRBUF_INIT;
    int error = line_append(&f->filling->body, &f->lines, &u->input, &part, added, f, &err);

    look(f, error, &err, repaired);
    u->part_at = part.number + part.text.len;
    note_form(u);
    look_for_unfit(f, u);
    f->taken += line->text.len + 1;
}

/* Lets go of lines that have waited long enough for others: for longer than since `now_us`, before
 * all was read that is there. If there was no room for all, what they wait for may be in the rest.
 */
static void flush_due(struct follow *f, uint64_t now_us)
{
    uint64_t repaired = f->lines.repaired;
    struct errbuf err = ERRBUF_INIT;

    if (f->has_rest || line_due_us(&f->lines) > now_us)
        return;
    int error = line_flush_due(&f->filling->body, &f->lines, now_us, added, f, &err);
    look(f, error, &err, repaired);
    f->taken++;
}

static bool is_full(const struct follow *f)
{
    return parcel_is_full(f->filling) || f->taken >= FOLLOW_TAKE_BYTES;
}

/* Fills the parcel with what is there. */
static void fill(struct follow *f)
{
    uint64_t now = clock_monotonic_us();
    struct follow_line line;

    f->has_rest = true;
    while (!f->error && f->has_rest && !is_full(f)) {
        f->has_rest = follower_next(f->follower, &line);
        if (f->has_rest)
            take_line(f, &line);
    }
    flush_due(f, now);
}

/* ---- What the follower tells ---- */

static void goes_on(void *ctx, struct follow_file *old, struct follow_file *next)
{
    line_input_goes_on(&followed_of(ctx, old)->input, &followed_of(ctx, next)->input);
    note_form(next->user);
}

static void ended(void *ctx, struct follow_file *file)
{
    struct follow *f = ctx;
    struct followed *u = file->user;
    uint64_t repaired = f->lines.repaired;
    struct errbuf err = ERRBUF_INIT;

    if (!u || !line_is_open(&u->input))
        return;
    int error = line_flush(&f->filling->body, &f->lines, &u->input, added, f, &err);
    look(f, error, &err, repaired);
    f->taken++;
}

static void freed(void *ctx, struct follow_file *file)
{
    struct follow *f = ctx;
    struct followed *u = file->user;

    if (u)
        line_input_release(&u->input, &f->lines.gather);
    free(u);
    file->user = NULL;
}

static void say(void *ctx, const char *text)
{
    const struct follow *f = ctx;

    terminal_say(f->command, "%s", text);
}

static bool is_over(void *ctx)
{
    struct follow *f = ctx;

    f->is_given_up = stop_is_asked();
    return f->is_given_up;
}

/* ---- Parcels ---- */

/* What the courier has dealt with is the state's. */
static void take_back(struct follow *f)
{
    int error = 0;
    struct parcel *p = courier_take(f->courier, &error);

    if (p && !error) {
        follower_acknowledge(f->follower, f->on_way);
        f->on_way = NULL;
    }
    f->error = f->error ? f->error : error;
}

/* What was taken leaves; the courier is not out. */
static void hand_over(struct follow *f, uint64_t now_us)
{
    struct follow_mark *mark = follower_mark(f->follower);
    struct errbuf err = ERRBUF_INIT;
    int error = follower_prepare(f->follower, mark, &err);

    (void)error; /* has been said; it is sent all the same */
    f->left_us = now_us;
    f->taken = 0;
    if (f->filling->len == 0) {
        follower_acknowledge(f->follower, mark);
        return;
    }
    f->on_way = mark;
    courier_send(f->courier, f->filling);
    f->filling = f->filling == &f->parcels[0] ? &f->parcels[1] : &f->parcels[0];
}

/* When what was taken is to leave: UINT64_MAX if nothing was. */
static uint64_t due_us(const struct follow *f)
{
    if (f->filling->len == 0 && f->taken == 0)
        return UINT64_MAX;
    if (is_full(f))
        return 0;
    return f->left_us + (f->filling->len > 0 ? FOLLOW_DELAY_US : FOLLOW_EMPTY_US);
}

static int wait_ms(const struct follow *f, uint64_t now_us)
{
    uint64_t next = now_us + (uint64_t)FOLLOW_IDLE_MS * 1000;

    if (!courier_is_out(f->courier) && due_us(f) < next)
        next = due_us(f);
    if (!f->has_rest && line_due_us(&f->lines) < next)
        next = line_due_us(&f->lines);
    return next > now_us ? (int)((next - now_us + 999) / 1000) : 0;
}

static void follow_files(struct follow *f)
{
    while (!f->error && !stop_is_asked()) {
        fill(f);
        uint64_t now = clock_monotonic_us();

        if (!courier_is_out(f->courier) && due_us(f) <= now)
            hand_over(f, now);
        if (f->has_rest && !is_full(f))
            continue;
        follower_wait(f->follower, wait_ms(f, now), courier_fd(f->courier));
        take_back(f);
        bool is_idle = !f->has_rest && !courier_is_out(f->courier) && f->taken == 0;
        now = clock_monotonic_us();
        follow_behind_look(&f->behind, f->follower, is_idle, now);
        follow_service_look(&f->service, f->follower, is_idle, now);
    }
}

/* What was taken is sent, in the time that a signal leaves. What is held back is not: it is read
 * again, and is one log then. */
static void send_rest(struct follow *f)
{
    struct pollfd courier = {.fd = courier_fd(f->courier), .events = POLLIN};

    while (!f->error && (courier_is_out(f->courier) || f->filling->len > 0 || f->taken > 0)) {
        if (!courier_is_out(f->courier))
            hand_over(f, clock_monotonic_us());
        else
            (void)poll(&courier, 1, FOLLOW_IDLE_MS);
        take_back(f);
    }
}

/* ---- The command ---- */

static enum follow_from from_of(const char *name)
{
    return strcmp(name, "start") == 0 ? FOLLOW_FROM_START
           : strcmp(name, "end") == 0 ? FOLLOW_FROM_END
                                      : FOLLOW_FROM_SAVED;
}

static struct follower *open_follower(struct follow *f, const struct flags *flags,
                                      const char *state, struct errbuf *err)
{
    const char *excluded[FLAGS_MAX];
    struct follower_options options = {
        .given = (const char *const *)flags->args,
        .given_len = flags->args_len,
        .excluded = excluded,
        .state_path = state,
        .from = from_of(flags_text(flags, "from")),
        .calls = {.goes_on = goes_on,
                  .ended = ended,
                  .freed = freed,
                  .say = say,
                  .is_over = is_over,
                  .ctx = f},
    };

    for (int i = 0; i < flags->given_len; i++)
        if (strcmp(flags->given[i].flag->name, "exclude") == 0)
            excluded[options.excluded_len++] = flags->given[i].value;
    return follower_new(&options, err);
}

/* A name that is mistyped would be waited for in silence. */
static void tell_what_is_not_there(const struct follow *f, const struct flags *flags)
{
    for (int i = 0; i < flags->args_len; i++)
        if (!strpbrk(flags->args[i], "*?[") && access(flags->args[i], F_OK) && errno == ENOENT)
            terminal_say(f->command, "%s is not there yet; it is waited for", flags->args[i]);
}

/* Returns the exit status. */
static int follow(struct follow *f, const struct flags *flags, const char *state)
{
    uint64_t begun_us = clock_monotonic_us();
    struct errbuf err = ERRBUF_INIT;
    int status = 1;

    follow_service_init(&f->service);
    f->filling = &f->parcels[0];
    parcel_init(&f->parcels[0]);
    parcel_init(&f->parcels[1]);
    f->out.is_patient = true;
    f->courier = courier_new(&f->out, &err);
    if (f->courier)
        stop_catch_signals(courier_fd(f->courier));
    if (f->courier)
        f->follower = open_follower(f, flags, state, &err);
    if (f->follower) {
        tell_what_is_not_there(f, flags);
        follow_behind_init(&f->behind, f->command, clock_monotonic_us());
        follow_service_ready(&f->service);
        follow_files(f);
        follow_service_stopping(&f->service);
        send_rest(f);
        status = f->error && !stop_is_asked();
    } else if (f->is_given_up) {
        status = 0;
    } else {
        terminal_say(f->command, "%s", err.text);
    }
    courier_free(f->courier);
    if (f->error && stop_is_asked())
        terminal_say(f->command, "what was not sent is read again at the next start");
    f->out.refused += f->refused;
    if (f->follower && (isatty(STDERR_FILENO) || f->out.refused > 0))
        dispatch_say_sum(&f->out, begun_us);
    follower_free(f->follower);
    parcel_release(&f->parcels[0]);
    parcel_release(&f->parcels[1]);
    return status;
}

bool follow_is_meant(const struct flags *flags)
{
    return flags_has(flags, "follow") || flags_has(flags, "status");
}

static int refuse_given(const struct flags *flags, const char *const *names, const char *reason,
                        struct errbuf *err)
{
    for (; *names; names++)
        if (flags_has(flags, *names))
            return errbuf_fail(err, LM_EINVAL, "--%s %s", *names, reason);
    return 0;
}

int follow_check(const struct flags *flags, struct errbuf *err)
{
    static const char *const of_files[] = {"from", "exclude", "offset", NULL};
    static const char *const of_state[] = {"state", NULL}, *const of_status[] = {"output", NULL};
    bool is_status = flags_has(flags, "status");
    int error = 0;

    if (!follow_is_meant(flags))
        error = refuse_given(flags, of_state, "is for --follow and --status", err);
    if (!error && !is_status)
        error = refuse_given(flags, of_status, "is for --status", err);
    if (!error && (is_status || !flags_has(flags, "follow")))
        error = refuse_given(flags, of_files, "is for --follow, without --status", err);
    if (error || !follow_is_meant(flags))
        return error;
    if (is_status && flags->args_len > 0)
        return errbuf_fail(err, LM_EINVAL, "--status takes no FILE: it tells of all");
    if (!is_status && flags->args_len == 0)
        return errbuf_fail(err, LM_EINVAL, "--follow: no FILE, 'PATTERN' or DIR is given");
    for (int i = 0; i < flags->args_len; i++)
        if (strcmp(flags->args[i], "-") == 0)
            return errbuf_fail(err, LM_EINVAL,
                               "--follow: standard input is no file; without --follow it is read");
    return 0;
}

int follow_run(const struct flags *flags)
{
    struct follow f = {.command = flags->command->name};
    struct errbuf err = ERRBUF_INIT;
    struct buffer state;
    int status = CLIENT_USAGE;

    buffer_init_small(&state);
    if (flags_has(flags, "state")) {
        buffer_append(&state, flags_text(flags, "state"), strlen(flags_text(flags, "state")) + 1);
    } else {
        state_home_append(&state, "follow.db");
        state_home_make_folders(state.data);
    }
    if (flags_has(flags, "status")) {
        status = follow_status(flags, state.data);
    } else {
        if (line_reader_init(&f.lines, flags, &err) || dispatch_init(&f.out, flags, &err))
            terminal_say(f.command, "%s", err.text);
        else
            status = follow(&f, flags, state.data);
        dispatch_release(&f.out);
        line_reader_release(&f.lines);
    }
    buffer_release(&state);
    return status;
}
