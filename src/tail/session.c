#include "tail/session.h"

#include <stdlib.h>

#include "access/access.h"
#include "base/check.h"
#include "base/xalloc.h"

static const state_moves WAITING = STATE(TAIL_STARTING_WAITS) | STATE(TAIL_CATCHING_UP_WAITS);
static const state_moves READING =
    STATE(TAIL_STARTING_READS) | STATE(TAIL_CATCHING_UP_READS) | STATE(TAIL_GONE);
static const state_moves STREAMING = STATE(TAIL_CATCHING_UP) | STATE(TAIL_CATCHING_UP_WAITS) |
                                     STATE(TAIL_CATCHING_UP_READS) | STATE(TAIL_LIVE);
static const state_moves UNLINKED = STATE(TAIL_NEW) | STATE(TAIL_OVER);

const state_moves tail_moves[TAIL_STATES] = {
    [TAIL_NEW] = STATE(TAIL_STARTING),
    /* Its parameters are refused; they are right; its first job is done and the stream begins. */
    [TAIL_STARTING] = STATE(TAIL_OVER) | STATE(TAIL_STARTING_WAITS) | STATE(TAIL_CATCHING_UP),
    /* Its client has gone, or there is no room for a job; it is its turn. */
    [TAIL_STARTING_WAITS] = STATE(TAIL_OVER) | STATE(TAIL_STARTING_READS),
    [TAIL_STARTING_READS] = STATE(TAIL_STARTING),
    [TAIL_CATCHING_UP] = STATE(TAIL_CATCHING_UP_WAITS) | STATE(TAIL_LIVE) | STATE(TAIL_OVER),
    /* It needs a job no more or cannot have one; has one; has caught up without; is over. */
    [TAIL_CATCHING_UP_WAITS] = STATE(TAIL_CATCHING_UP) | STATE(TAIL_CATCHING_UP_READS) |
                               STATE(TAIL_LIVE) | STATE(TAIL_OVER),
    [TAIL_CATCHING_UP_READS] = STATE(TAIL_CATCHING_UP) | STATE(TAIL_GONE),
    [TAIL_LIVE] = STATE(TAIL_CATCHING_UP) | STATE(TAIL_OVER),
    [TAIL_GONE] = STATE(TAIL_OVER),
};

/* ---- Lists ---- */

static void enter_hub(struct tail *t)
{
    struct tail_hub *hub = t->hub;

    t->next = hub->tails;
    if (t->next)
        t->next->prev = t;
    hub->tails = t;
    if (!t->next)
        tail_hub_fill(hub);
}

static void leave_hub(struct tail *t)
{
    struct tail_hub *hub = t->hub;

    if (t->prev)
        t->prev->next = t->next;
    else
        hub->tails = t->next;
    if (t->next)
        t->next->prev = t->prev;
    if (!hub->tails)
        tail_hub_empty(hub);
}

static void enter_line(struct tail *t)
{
    bool expensive = t->filter && atomic_load(&t->filter->cost) > TAIL_COST_EXPENSIVE;
    struct tail_line *line = &t->hub->lines[expensive ? TAIL_LINE_EXPENSIVE : TAIL_LINE];

    t->line = line;
    t->next_in_line = NULL;
    t->prev_in_line = line->last;
    if (line->last)
        line->last->next_in_line = t;
    else
        line->first = t;
    line->last = t;
}

static void leave_line(struct tail *t)
{
    struct tail_line *line = t->line;

    if (t->prev_in_line)
        t->prev_in_line->next_in_line = t->next_in_line;
    else
        line->first = t->next_in_line;
    if (t->next_in_line)
        t->next_in_line->prev_in_line = t->prev_in_line;
    else
        line->last = t->prev_in_line;
    t->prev_in_line = t->next_in_line = NULL;
}

void tail_move(struct tail *t, enum tail_state state)
{
    enum tail_state before = t->state;

    CHECK(state_may_move(tail_moves, before, state));
    if (state_in(before, WAITING))
        leave_line(t);
    if (state_in(before, READING) && !state_in(state, READING))
        t->line->served = NULL;
    if (!state_in(state, WAITING | READING))
        t->line = NULL;
    t->state = state;
    if (state_in(state, WAITING))
        enter_line(t);
    if (state_in(state, READING)) {
        CHECK(!t->line->served || t->line->served == t);
        t->line->served = t;
    }
    if (state_in(before, UNLINKED))
        enter_hub(t);
    if (state_in(state, UNLINKED))
        leave_hub(t);
}

bool tail_streams(const struct tail *t)
{
    return state_in(t->state, STREAMING);
}

bool tail_waits(const struct tail *t)
{
    return state_in(t->state, WAITING);
}

bool tail_reads(const struct tail *t)
{
    return state_in(t->state, READING);
}

/* ---- Invariants ---- */

void tail_check(const struct tail *t)
{
    const struct tail_hub *hub = t->hub;

    CHECK(t->state < TAIL_STATES);
    CHECK(state_in(t->state, UNLINKED) || (t->prev ? t->prev->next == t : hub->tails == t));
    CHECK(!t->next || t->next->prev == t);
    CHECK(!t->line == !state_in(t->state, WAITING | READING));
    CHECK(!tail_reads(t) || (t->line && t->line->served == t));
    CHECK(tail_reads(t) || !t->reading.batch);
    if (tail_waits(t) && t->line) {
        CHECK(t->prev_in_line ? t->prev_in_line->next_in_line == t : t->line->first == t);
        CHECK(t->next_in_line ? t->next_in_line->prev_in_line == t : t->line->last == t);
    } else {
        CHECK(!t->prev_in_line && !t->next_in_line);
    }
    if (t->state == TAIL_LIVE) {
        CHECK(hub->has_position);
        CHECK(store_position_compare(&t->place.position, &hub->position) >= 0);
        CHECK(t->place.part == 0);
    }
}

/* Returns how many wait in the line. */
static size_t check_line(const struct tail_line *line)
{
    size_t waiting = 0;

    CHECK(!line->served || (line->served->line == line && tail_reads(line->served)));
    CHECK(!line->first == !line->last);
    for (const struct tail *t = line->first; t; t = t->next_in_line, waiting++)
        CHECK(t->line == line && tail_waits(t));
    return waiting;
}

void tail_check_all(const struct tail_hub *hub)
{
    size_t waiting = 0;
    size_t reading = 0;

    for (size_t i = 0; i < TAIL_LINES; i++) {
        waiting += check_line(&hub->lines[i]);
        reading += hub->lines[i].served ? 1 : 0;
    }
    for (const struct tail *t = hub->tails; t; t = t->next) {
        CHECK(t->hub == hub);
        CHECK(!state_in(t->state, UNLINKED));
        tail_check(t);
        waiting -= tail_waits(t);
        reading -= tail_reads(t);
    }
    CHECK(waiting == 0);
    CHECK(reading == 0);
    CHECK(hub->tails || (!hub->has_position && hub->recent.len == 0));
    tail_recent_check(&hub->recent);
}

/* ---- Life ---- */

struct tail *tail_new(struct tail_hub *hub, struct http_request *req)
{
    struct tail *t = xcalloc(1, sizeof(*t));

    t->hub = hub;
    t->req = req;
    buffer_init(&t->out, TAIL_OUT_BYTES_MAX);
    tail_move(t, TAIL_STARTING);
    return t;
}

void tail_free(struct tail *t)
{
    struct tail_hub *hub = t->hub;

    tail_feed_drop_filter(hub->feed, t->filter);
    tail_feed_dismiss(hub->feed);
    access_give_place(t->holder, PLACE_TAIL);
    buffer_release(&t->out);
    tail_move(t, TAIL_OVER);
    free(t);
}

void tail_refuse(struct tail *t, enum refusal why)
{
    answers_refuse(t->req, why, 0);
    tail_free(t);
}

void tail_let_go(struct tail *t)
{
    if (!tail_reads(t)) {
        tail_free(t);
        return;
    }
    tail_move(t, TAIL_GONE);
    read_job_leave(t->hub->readers, &t->job);
}

void tail_end(struct tail *t)
{
    http_stream_end(t->req);
    tail_let_go(t);
}
