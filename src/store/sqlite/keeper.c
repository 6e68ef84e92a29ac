/*
 * A step is a piece of what is under way, or looks for what is to be done:
 *
 *   compaction under way ──► one block of it
 *   old rows in `logs`   ──► some thousand become a hot segment
 *   at rest              ──► recent logs that fill a block are sealed
 *   a second has passed, ──► the list of segments is read, plan.c chooses
 *   and something changed
 *   logs were deleted    ──► what is left of them in the file goes, once no block has them
 *   all is done at once  ──► once, what no segment has is deleted
 *
 * A connection of its own; nothing is held in the file from one step to the next.
 */
#include "store/sqlite/keeper.h"

#include <assert.h>
#include <stdlib.h>
#include <time.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "diag/diag.h"
#include "store/sqlite/internal.h"
#include "store/sqlite/plan.h"
#include "store/sqlite/scrub.h"
#include "store/sqlite/seal.h"
#include "store/sqlite/strays.h"
#include "store/sqlite/takeover.h"
#include "store/sqlite/walk.h"

enum {
    KEEPER_CACHE_KIB = 1024,
    LOOK_MS = 1000,              /* between looks for something to do */
    REST_MS = 5000,              /* without a new log, after which the store is at rest */
    SEAL_REST_BYTES = 256 << 10, /* beside what is kept, that are sealed at rest */
    TIDY_MS = 60000,             /* between looks for what can be forgotten */
    ERASE_INTERVAL_S = 240,      /* between beginnings of erasing what was deleted on purpose */
    RETRY_FIRST_MS = 1000,       /* after a failure, doubled … */
    RETRY_MAX_MS = 60000,        /* … up to this */
    PACE = 3,                    /* rests so many times as long as it worked */
    TRIES = 3,                   /* that fail in a row, after which the same is left alone … */
    LATER_S = 600,               /* … for so long, and others get on */
    SCRUB_WAIT_MS = 200,         /* for whoever reads, if all is done at once */
};

/*
 * The backlog, in times sizes.backlog_blocks of hot blocks. Past once it does not rest, and an
 * append waits: a little at first, then so long that nobody stores faster than it compacts; at last
 * none is taken until it has come on. Logs wait in the queue meanwhile, until that is full.
 */
enum {
    BACKLOG_EASY = 2,             /* up to here an append waits for up to … */
    BACKLOG_EASY_PAUSE_MS = 40,   /* … this, … */
    BACKLOG_HARD = 4,             /* … up to here for up to … */
    BACKLOG_HARD_PAUSE_MS = 1000, /* … this, and past it none is taken … */
    BACKLOG_AGAIN = 3,            /* … until it is down to this */
};

static_assert((int)COMPACT_SOURCES_MAX <= (int)MERGING_MAX, "all sources can be told of");

/* Some of the segments that are there. */
struct numbers {
    int64_t *items;
    size_t len;
    size_t capacity;
};

/* How often something has failed in a row, and when it may be tried again. */
struct tries {
    unsigned failures;
    uint64_t again_us; /* monotonic; UINT64_MAX: never */
};

/* Segments that could not be compacted. */
struct troubles {
    struct trouble {
        int64_t number;
        struct tries tries;
    } *items;
    size_t len;
    size_t capacity;
};

struct keeper {
    struct store_keeper base;
    struct store_sqlite *s;
    struct sqlite_db db; /* not open before the first step, and after an input/output error */
    struct compaction *compaction;
    struct takeover *takeover;
    struct strays strays; /* that are still to be deleted, … */
    bool has_strays;      /* … if there are any … */
    bool sought_strays;   /* … which is looked for once, if all is done at once */
    unsigned retry_ms;

    bool takes_over; /* `logs` is not known to be empty */
    bool told_takeover;
    struct tries takeover_tries;

    /* What was seen at the last look: */
    uint64_t look_us; /* when the next one is due; monotonic */
    int64_t changes;
    int64_t end;     /* of the order of storing */
    uint64_t end_us; /* since when it is the same; monotonic */
    bool was_at_rest;
    uint64_t plan_us;   /* when a plan is due though nothing has changed; monotonic */
    bool is_behind;     /* there is a backlog */
    int64_t sealed_end; /* `end`, when recent logs were last looked at for that */

    uint64_t tidy_us;    /* monotonic */
    int64_t erase_limit; /* segments up to this number are looked through for deleted logs … */
    uint64_t erase_us;   /* … and others from then on; monotonic */
    int64_t round_last;  /* the last deletion when that round began */
    struct scrub scrub;
    struct tries scrub_tries;
    struct troubles troubles;
    struct numbers alone; /* those that take too much memory to merge with what they overlap */

    struct plan_segment *segments;
    size_t segments_len;
    size_t segments_capacity;
    struct plan plan;
};

/* ---- Life ---- */

static void close_db(struct keeper *k)
{
    compact_stop(k->compaction);
    sqlite_db_close(&k->db);
}

static int open_db(struct keeper *k, struct errbuf *err)
{
    struct sqlite_db_options options = store_sqlite_db_options(k->s, KEEPER_CACHE_KIB, false);

    return sqlite_db_open(&k->db, &options, err);
}

struct store_keeper *store_sqlite_keeper_new(struct store *base, struct errbuf *err)
{
    struct keeper *k = xcalloc(1, sizeof(*k));

    k->base.ops = base->ops;
    k->s = (struct store_sqlite *)base;
    k->compaction = compact_new(&k->s->sizes);
    k->takes_over = true;
    k->changes = -1;
    k->retry_ms = RETRY_FIRST_MS;
    return &k->base;
}

/* Nobody needs to wait for it. */
static void let_append(struct keeper *k)
{
    atomic_store(&k->s->append_pause_ms, 0);
    atomic_store(&k->s->is_overtaxed, false);
}

void store_sqlite_keeper_free(struct store_keeper *base)
{
    struct keeper *k = (struct keeper *)base;

    close_db(k);
    merging_set(&k->s->merging, NULL, 0);
    compact_free(k->compaction);
    takeover_free(k->takeover);
    strays_release(&k->strays);
    let_append(k);
    free(k->troubles.items);
    free(k->alone.items);
    free(k->segments);
    free(k);
}

uint64_t store_sqlite_keeper_rows(const struct store_keeper *base)
{
    return compact_rows(((const struct keeper *)base)->compaction);
}

/* ---- Looking ---- */

/* Numbers of the first row of `sql`, which may be NULL: 0. */
static int ask(struct keeper *k, const char *sql, int64_t *numbers, int n, struct errbuf *err)
{
    sqlite3_stmt *stmt;
    int error = sqlite_db_statement(&k->db, sql, &stmt, err);

    if (error)
        return error;
    int rc = sqlite3_step(stmt);
    for (int i = 0; rc == SQLITE_ROW && i < n; i++)
        numbers[i] = sqlite3_column_int64(stmt, i);
    if (rc != SQLITE_ROW)
        error = sqlite_db_error(&k->db, rc, err);
    sqlite3_reset(stmt);
    return error;
}

static bool is_among(const struct numbers *n, int64_t number)
{
    for (size_t i = 0; i < n->len; i++)
        if (n->items[i] == number)
            return true;
    return false;
}

static void remember(struct numbers *n, int64_t number)
{
    n->items = array_reserve(n->items, &n->capacity, n->len + 1, sizeof(*n->items));
    n->items[n->len++] = number;
}

static bool may_try(const struct tries *t)
{
    return t->again_us == 0 || clock_monotonic_us() >= t->again_us;
}

/* Once it is left alone, each further failure leaves it alone again. */
static void note_failure(struct tries *t)
{
    if (++t->failures < TRIES)
        return;
    t->failures = TRIES - 1;
    t->again_us = clock_monotonic_us() + (uint64_t)LATER_S * 1000000;
}

static struct trouble *trouble_with(struct keeper *k, int64_t number)
{
    for (size_t i = 0; i < k->troubles.len; i++)
        if (k->troubles.items[i].number == number)
            return &k->troubles.items[i];
    return NULL;
}

/* Remembers why the compaction has failed, so that it does not keep others for ever. */
static void note_trouble(struct keeper *k)
{
    struct troubles *all = &k->troubles;
    bool is_damaged;
    int64_t number = compact_failed(k->compaction, &is_damaged);
    struct trouble *t = trouble_with(k, number);

    if (!number)
        return;
    if (!t) {
        all->items = array_reserve(all->items, &all->capacity, all->len + 1, sizeof(*all->items));
        t = &all->items[all->len++];
        *t = (struct trouble){.number = number};
    }
    note_failure(&t->tries);
    if (is_damaged) /* that stays as it is */
        t->tries.again_us = UINT64_MAX;
}

/* Forgets those that are no more. */
static void forget_troubles(struct keeper *k)
{
    struct troubles *all = &k->troubles;
    size_t len = 0;

    for (size_t i = 0; i < all->len; i++) {
        bool is_there = false;

        for (size_t s = 0; s < k->segments_len && !is_there; s++)
            is_there = k->segments[s].segment.number == all->items[i].number;
        if (is_there)
            all->items[len++] = all->items[i];
    }
    all->len = len;
}

/* Says what is known of each segment, and forgets those that are no more. */
static void tell_segments(struct keeper *k)
{
    for (size_t i = 0; i < k->segments_len; i++) {
        struct plan_segment *p = &k->segments[i];
        const struct trouble *t = trouble_with(k, p->segment.number);

        p->bad = t && !may_try(&t->tries);
        p->alone = is_among(&k->alone, p->segment.number);
    }
    forget_troubles(k);
    k->alone.len = 0;
    for (size_t i = 0; i < k->segments_len; i++)
        if (k->segments[i].alone)
            remember(&k->alone, k->segments[i].segment.number);
}

static int read_segments(struct keeper *k, struct errbuf *err)
{
    sqlite3_stmt *stmt;
    int rc = SQLITE_ROW;
    int error = sqlite_db_statement(&k->db,
                                    "SELECT " SEGMENT_COLUMNS
                                    " FROM segments WHERE " SEGMENT_IS_WHOLE " ORDER BY first",
                                    &stmt, err);

    k->segments_len = 0;
    if (error)
        return error;
    while (!error && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        k->segments = array_reserve(k->segments, &k->segments_capacity, k->segments_len + 1,
                                    sizeof(*k->segments));
        struct plan_segment *p = &k->segments[k->segments_len++];

        *p = (struct plan_segment){0};
        error = segment_take(&k->db, stmt, &p->segment, err);
    }
    if (!error && rc != SQLITE_DONE)
        error = sqlite_db_error(&k->db, rc, err);
    sqlite3_reset(stmt);
    if (!error)
        tell_segments(k);
    return error;
}

/* Whether logs between these keys were deleted on purpose. */
static int has_tombstones(struct keeper *k, const struct segment *s, bool *has, struct errbuf *err)
{
    char first[LOG_KEY_BYTES], last[LOG_KEY_BYTES];
    sqlite3_stmt *stmt;
    int error = sqlite_db_statement(
        &k->db, "SELECT 1 FROM tombstones WHERE last >= ? AND first <= ? LIMIT 1", &stmt, err);

    if (error)
        return error;
    log_key_pack_ordered(&s->first, first);
    log_key_pack_ordered(&s->last, last);
    sqlite3_bind_blob(stmt, 1, first, sizeof(first), SQLITE_STATIC);
    sqlite3_bind_blob(stmt, 2, last, sizeof(last), SQLITE_STATIC);
    int rc = sqlite3_step(stmt);
    *has = rc == SQLITE_ROW;
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        error = sqlite_db_error(&k->db, rc, err);
    sqlite3_reset(stmt);
    return error;
}

/*
 * Marks in a segment are of logs that were deleted or that have expired, and here nobody can tell.
 * So segments with deleted logs are erased in rounds: each that is there at the beginning of a
 * round once, whatever is marked in it meanwhile.
 */
static int judge_urgency(struct keeper *k, uint64_t now_us, struct errbuf *err)
{
    int64_t highest = 0;
    uint64_t last;
    bool any = false, in_round = false;
    int error = walk_number(&k->db, "SELECT max(number) FROM tombstones", &last, err);

    for (size_t i = 0; !error && i < k->segments_len; i++) {
        struct plan_segment *p = &k->segments[i];

        highest = p->segment.number > highest ? p->segment.number : highest;
        if (p->segment.erased == 0 || p->bad)
            continue;
        error = has_tombstones(k, &p->segment, &p->urgent, err);
        any = any || p->urgent;
        in_round = in_round || (p->urgent && p->segment.number <= k->erase_limit);
    }
    if (!error && !in_round &&
        may_try(&k->scrub_tries)) /* no block has the logs of these deletions any more */
        scrub_begin(&k->scrub, any ? k->round_last : (int64_t)last);
    if (!error && any && !in_round && now_us >= k->erase_us) {
        k->round_last = (int64_t)last;
        k->erase_limit = highest;
        k->erase_us = now_us + (uint64_t)ERASE_INTERVAL_S * 1000000;
    }
    for (size_t i = 0; i < k->segments_len; i++)
        if (k->segments[i].segment.number > k->erase_limit)
            k->segments[i].urgent = false;
    return error;
}

/* How long an append is to wait with that many hot blocks. */
static unsigned backlog_pause_ms(uint64_t hot, uint64_t limit)
{
    if (hot <= limit)
        return 0;
    if (hot <= BACKLOG_EASY * limit)
        return (unsigned)((hot - limit) * BACKLOG_EASY_PAUSE_MS / ((BACKLOG_EASY - 1) * limit));

    uint64_t past = hot < BACKLOG_HARD * limit ? hot - BACKLOG_EASY * limit
                                               : (BACKLOG_HARD - BACKLOG_EASY) * limit;
    return (unsigned)(BACKLOG_EASY_PAUSE_MS + past *
                                                  (BACKLOG_HARD_PAUSE_MS - BACKLOG_EASY_PAUSE_MS) /
                                                  ((BACKLOG_HARD - BACKLOG_EASY) * limit));
}

/* Once the plan is made: where it has nothing to compact, waiting is of no use. */
static void judge_backlog(struct keeper *k)
{
    uint64_t limit = k->s->sizes.backlog_blocks;
    uint64_t hot = 0;

    for (size_t i = 0; k->plan.len > 0 && i < k->segments_len; i++) {
        const struct plan_segment *p = &k->segments[i];

        hot += p->segment.cold || p->bad ? 0 : p->segment.blocks - p->segment.gone;
    }
    k->is_behind = hot > limit;
    atomic_store(&k->s->append_pause_ms, backlog_pause_ms(hot, limit));
    uint64_t most = atomic_load(&k->s->is_overtaxed) ? BACKLOG_AGAIN : BACKLOG_HARD;
    atomic_store(&k->s->is_overtaxed, hot > most * limit);
}

/* Whether anything is different from the last look, and whether logs come. */
static int look(struct keeper *k, uint64_t now_us, bool *changed, bool *at_rest, struct errbuf *err)
{
    int64_t seen[2] = {0};
    int error = ask(k,
                    "SELECT changes, max(last, coalesce((SELECT max(last) FROM recent), 0)) "
                    "FROM sequence",
                    seen, 2, err);

    if (error)
        return error;
    if (seen[1] != k->end) {
        k->end = seen[1];
        k->end_us = now_us;
    }
    *at_rest = now_us - k->end_us >= (uint64_t)REST_MS * 1000;
    *changed = seen[0] != k->changes || *at_rest != k->was_at_rest || now_us >= k->plan_us;
    k->changes = seen[0];
    k->was_at_rest = *at_rest;
    return 0;
}

/* Begins what the plan says, if anything. In one snapshot: what goes meanwhile is no damage. */
static int plan_in_snapshot(struct keeper *k, uint64_t now_us, bool at_rest, bool at_once,
                            bool *found, struct errbuf *err)
{
    const struct plan_options options = {
        .block_rows = k->s->sizes.block_rows,
        .segment_blocks = k->s->sizes.segment_blocks,
        .segment_bytes = k->s->sizes.segment_bytes < COMPACT_HELD_BYTES ? k->s->sizes.segment_bytes
                                                                        : COMPACT_HELD_BYTES,
        .now_us = clock_wall_us(),
        /* Where nothing is taken nothing comes that would be worth waiting for. */
        .at_rest = at_rest || at_once || atomic_load(&k->s->is_overtaxed),
        .takes_over = k->takes_over,
        .erases_all = at_once,
    };
    int error = read_segments(k, err);

    if (!error)
        error = judge_urgency(k, now_us, err);
    if (error)
        return error;
    plan_choose(&options, k->segments, k->segments_len, &k->plan);
    judge_backlog(k);
    *found = k->plan.len > 0;
    if (!*found)
        return 0;
    k->changes = -1; /* what comes after it is planned anew */
    error = compact_begin(k->compaction, &k->db, k->plan.sources, k->plan.len,
                          k->plan.drops_sequence, k->plan.late != 0, err);
    if (!error)
        merging_set(&k->s->merging, k->plan.sources, k->plan.len);
    if (error != LM_ETOOBIG)
        return error;
    remember(&k->alone, k->plan.late);
    return 0;
}

static int plan(struct keeper *k, uint64_t now_us, bool at_rest, bool at_once, bool *found,
                struct errbuf *err)
{
    int error = walk_begin(&k->db, err);

    if (error)
        return error;
    error = plan_in_snapshot(k, now_us, at_rest, at_once, found, err);
    walk_end(&k->db);
    return error;
}

/* ---- What a step does ---- */

static int take_over(struct keeper *k, struct errbuf *err)
{
    bool more;

    if (!k->takeover)
        k->takeover = takeover_new(&k->s->sizes);
    int error = takeover_step(k->takeover, &k->db, &more, err);
    if (error) {
        note_failure(&k->takeover_tries);
        return error;
    }
    k->takeover_tries = (struct tries){0};
    if (more && !k->told_takeover)
        diag(DIAG_INFO, "logs of an older logmill become compressed blocks in the background");
    if (!more && k->told_takeover)
        diag(DIAG_INFO, "all logs of an older logmill are compressed blocks now");
    k->told_takeover = more;
    if (more)
        return 0;
    k->takes_over = false;
    k->changes = -1;
    takeover_free(k->takeover);
    k->takeover = NULL;
    return 0;
}

static int seal_in_transaction(struct keeper *k, size_t *sealed, struct errbuf *err)
{
    struct recent_store recent;
    struct seal_result result = {0};

    recent_store_init(&recent, k->s->sizes.row_bytes);
    int error = sealer_seal(k->s->sealer, &k->db, NULL, 0, clock_wall_us(), &recent, &result, err);
    *sealed = result.sealed;
    recent_store_release(&recent);
    return error;
}

/* Whether so much more is recent than is kept that it is worth a block. */
static int is_worth_sealing(struct keeper *k, bool *is_worth, struct errbuf *err)
{
    const struct store_sqlite_sizes *sizes = &k->s->sizes;
    int64_t numbers[2] = {0}; /* logs, bytes */
    int error = ask(k, "SELECT coalesce(sum(rows), 0), coalesce(sum(length(logs)), 0) FROM recent",
                    numbers, 2, err);

    if (error)
        return error;
    uint64_t rows = (uint64_t)numbers[0];
    uint64_t kept = rows > 0 ? (uint64_t)numbers[1] / rows * sizes->keep_rows : 0;
    kept = kept < sizes->keep_bytes ? kept : sizes->keep_bytes;
    *is_worth = rows >= sizes->keep_rows + sizes->block_rows ||
                (uint64_t)numbers[1] > kept + SEAL_REST_BYTES;
    return 0;
}

/* When no more logs come, only the newest need to stay recent, which are nine times larger than
 * those in blocks. A seal takes what fills whole blocks, or else the rest. */
static int seal(struct keeper *k, size_t *sealed, struct errbuf *err)
{
    bool is_worth = false;

    *sealed = 0;
    if (k->sealed_end == k->end)
        return 0;
    int error = is_worth_sealing(k, &is_worth, err);
    if (error || !is_worth) {
        k->sealed_end = k->end;
        return error;
    }
    error = sqlite_db_begin(&k->db, err);
    if (!error)
        error = seal_in_transaction(k, sealed, err);
    if (!error)
        error = sqlite_db_commit(&k->db, err);
    if (error)
        sqlite_db_rollback(&k->db);
    if (error || *sealed == 0)
        k->sealed_end = k->end;
    return error;
}

static int forget(struct keeper *k, struct errbuf *err)
{
    int64_t now_us = clock_wall_us();
    int64_t there[2] = {0};
    int error = ask(k, "SELECT EXISTS(SELECT 1 FROM arrivals), EXISTS(SELECT 1 FROM tombstones)",
                    there, 2, err);

    if (!error && there[0])
        error = takeover_forget_arrivals(&k->db, now_us, err);
    if (error || !there[1])
        return error;
    error = sqlite_db_begin(&k->db, err);
    if (!error)
        error = store_sqlite_erase_forget(&k->db, now_us, err);
    if (!error)
        error = sqlite_db_commit(&k->db, err);
    if (error)
        sqlite_db_rollback(&k->db);
    return error;
}

enum outcome {
    WORKED, /* something was done, and there may be more */
    WAITS,  /* somebody is in the way */
    IDLE,   /* there is nothing to do */
};

static int find_strays(struct keeper *k, struct errbuf *err)
{
    int error = walk_begin(&k->db, err);

    if (error)
        return error;
    strays_release(&k->strays);
    error = strays_find(&k->db, &k->strays, err);
    walk_end(&k->db);
    k->sought_strays = true; /* they cost room, and no log: not again and again */
    k->has_strays = !error;
    return error;
}

static int delete_strays(struct keeper *k, struct errbuf *err)
{
    int error = sqlite_db_begin(&k->db, err);

    if (error)
        return error;
    error = strays_delete(&k->db, &k->strays, &k->has_strays, err);
    if (!error)
        error = sqlite_db_commit(&k->db, err);
    if (error) {
        sqlite_db_rollback(&k->db);
        k->has_strays = false;
        return error;
    }
    sqlite_db_checkpoint(&k->db);
    return 0;
}

static int scrub(struct keeper *k, enum outcome *outcome, struct errbuf *err)
{
    bool wait;
    int error = scrub_step(&k->scrub, &k->db, &wait, err);

    if (error)
        note_failure(&k->scrub_tries);
    else if (k->scrub.state == SCRUB_IDLE)
        k->scrub_tries = (struct tries){0};
    *outcome = wait ? WAITS : WORKED;
    return error;
}

static int work(struct keeper *k, bool at_once, enum outcome *outcome, struct errbuf *err)
{
    uint64_t now_us = clock_monotonic_us();
    bool changed, at_rest;
    int error;

    *outcome = WORKED;
    if (compact_is_under_way(k->compaction))
        return compact_step(k->compaction, &k->db, err);
    if (now_us >= k->tidy_us) {
        k->tidy_us = now_us + (uint64_t)TIDY_MS * 1000;
        return forget(k, err);
    }
    if (at_once || k->is_behind || now_us >= k->look_us) {
        k->look_us = now_us + (uint64_t)LOOK_MS * 1000;
        size_t sealed = 0;

        error = look(k, now_us, &changed, &at_rest, err);
        if (!error && (at_rest || at_once))
            error = seal(k, &sealed, err);
        if (sealed > 0)
            return error;
        if (!error && (changed || at_once)) {
            bool found = false;

            k->plan_us = now_us + (uint64_t)TIDY_MS * 1000;
            error = plan(k, now_us, at_rest, at_once, &found, err);
            if (found)
                return error;
        }
        if (error)
            return error;
    }
    if (k->takes_over && may_try(&k->takeover_tries))
        return take_over(k, err);
    if (at_once && !k->sought_strays)
        return find_strays(k, err);
    if (k->has_strays)
        return delete_strays(k, err);
    if (k->scrub.state != SCRUB_IDLE) /* last: what else goes leaves something, too */
        return scrub(k, outcome, err);
    *outcome = IDLE;
    return 0;
}

static uint64_t cpu_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static int fail(struct keeper *k, int error, unsigned *wait_ms)
{
    note_trouble(k);
    k->changes = -1;
    let_append(k);
    compact_stop(k->compaction);
    if (error == LM_EFULL)
        sqlite_db_checkpoint_now(&k->db);
    else if (error == LM_EIO)
        close_db(k);
    *wait_ms = k->retry_ms;
    k->retry_ms = k->retry_ms * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : k->retry_ms * 2;
    return error;
}

int store_sqlite_keeper_step(struct store_keeper *base, bool at_once, unsigned *wait_ms,
                             struct errbuf *err)
{
    struct keeper *k = (struct keeper *)base;
    uint64_t began_us = cpu_us();
    enum outcome outcome = IDLE;
    int error = k->db.handle ? 0 : open_db(k, err);

    if (!error)
        error = work(k, at_once, &outcome, err);
    if (error || !compact_is_under_way(k->compaction))
        merging_set(&k->s->merging, NULL, 0);
    if (error)
        return fail(k, error, wait_ms);
    k->retry_ms = RETRY_FIRST_MS;
    if (outcome == IDLE)
        *wait_ms = at_once ? STORE_KEEPER_WAIT_MAX_MS : LOOK_MS;
    else if (outcome == WAITS)
        *wait_ms = at_once ? SCRUB_WAIT_MS : LOOK_MS;
    else if (at_once || k->is_behind)
        *wait_ms = 0;
    else
        *wait_ms = (unsigned)((cpu_us() - began_us) * PACE / 1000 + 1);
    return 0;
}
