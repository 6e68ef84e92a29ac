#include "life.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "../unit/store/store_logs.h"
#include "../unit/store/store_model.h"
#include "base/byte_order.h"
#include "base/fault.h"
#include "base/xalloc.h"
#include "memory_files.h"
#include "old_file.h"
#include "simulated_clock.h"
#include "store/sqlite/adapter.h"

/* 2026-01-01T00:00:00Z */
#define T0 INT64_C(1767225600000000)

enum {
    PROCESSES = 3,
    FOLLOWERS = 2,
    STEPS_MIN = 20,
    STEPS_MAX = 90,
    DOUBTS_MAX = 16,
    OLD_LOGS_MAX = 300,
    ENDING_LOOKS = 12,
    KEEPER_STEPS_MAX = 5000, /* a keeper that takes more never ends */
};

/* A process that has the store open, or not. */
struct process {
    struct store *s;
    struct store_writer *w;
    struct store_reader *r;
    struct store_keeper *k;
};

/* A live tail: it is behind by what came after the `order`-th log. */
struct follower {
    struct store_position position;
    uint64_t order;
};

/* What was asked for and failed: the next start of all shows whether it was done. */
struct doubt {
    enum { DOUBT_APPEND, DOUBT_EXPIRE, DOUBT_ERASE } what;
    struct store_logs logs;
    int64_t before_us;
    struct log_matcher *erased;
    bool remembers;
};

struct life {
    struct dice dice;
    struct dice chance; /* of what the disk keeps: apart, so that telling changes nothing */
    const char *directory;
    struct store_sqlite_sizes sizes;
    struct process processes[PROCESSES];
    unsigned now;  /* the process that does something */
    unsigned many; /* processes there may be */
    bool faults;   /* there are some */
    bool armed;    /* something may fail in this step */
    bool leaps;    /* time leaps by hours and days */
    struct store_model model;
    struct store_logs logs; /* of this step */
    struct follower followers[FOLLOWERS];
    struct doubt doubts[DOUBTS_MAX];
    unsigned doubts_len;
    uint32_t next_id;
    bool tells;
    struct life_figures *figures;
    struct life_end *end;
};

static void tell(const struct life *l, const char *format, ...) LM_PRINTF(2, 3);
static void tell(const struct life *l, const char *format, ...)
{
    va_list args;

    if (!l->tells)
        return;
    printf("  %u: process %u: ", l->end->step, l->now);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    fflush(stdout);
}

/* ---- Processes ---- */

static bool is_open(const struct process *p)
{
    return p->s;
}

static void close_process(struct life *l, unsigned n)
{
    struct process *p = &l->processes[n];

    if (!is_open(p))
        return;
    memory_files_process(n);
    store_keeper_free(p->k);
    if (p->r)
        store_reader_free(p->r);
    if (p->w)
        store_writer_free(p->w);
    store_free(p->s);
    *p = (struct process){0};
    memory_files_process(l->now);
}

/* Opens what is not open. */
static int open_process(struct life *l)
{
    struct process *p = &l->processes[l->now];
    struct errbuf *err = &l->end->err;

    memory_files_process(l->now);
    if (!p->s)
        p->s = store_sqlite_new_sized(l->directory, &l->sizes, err);
    if (!p->s)
        return LM_EIO;
    if (!p->w && !(p->w = store_writer_new(p->s, err)))
        return LM_EIO;
    if (!p->r && !(p->r = store_reader_new(p->s, err)))
        return LM_EIO;
    if (!p->k && !(p->k = store_keeper_new(p->s, err)))
        return LM_EIO;
    return 0;
}

/* ---- What fails ---- */

static void calm(struct life *l)
{
    static const struct fault_plan none;

    l->figures->faults += fault_count() > 0;
    fault_plan(&none);
    memory_files_calm();
}

static const char *arm_error(struct life *l, uint64_t reach, bool memory)
{
    static const enum fault_way ways[] = {FAULT_EIO, FAULT_ENOSPC, FAULT_SHORT};
    static const enum fault_kind kinds[] = {FAULT_WRITE, FAULT_WRITE, FAULT_SYNC, FAULT_LIBRARY,
                                            FAULT_INPUT};
    struct fault_plan plan = {.kind = kinds[dice_below(&l->dice, memory ? 5 : 3)],
                              .first = 1 + (unsigned)dice_below(&l->dice, reach),
                              .onwards = dice_one_in(&l->dice, 3),
                              .way = FAULT_EIO};

    if (plan.kind == FAULT_WRITE)
        plan.way = ways[dice_below(&l->dice, 3)];
    if (plan.kind == FAULT_LIBRARY)
        plan.first *= 1 + (unsigned)dice_below(&l->dice, 50);
    if (plan.kind == FAULT_SYNC)
        plan.first = 1 + plan.first % 3;
    fault_plan(&plan);
    return plan.kind == FAULT_WRITE     ? "a write fails"
           : plan.kind == FAULT_SYNC    ? "a sync fails"
           : plan.kind == FAULT_LIBRARY ? "SQLite has no memory"
                                        : "there is no memory";
}

/* Something may fail during what comes next; memory, too, if the model needs none meanwhile. */
static void arm(struct life *l, bool memory)
{
    static const uint64_t reaches[] = {3, 10, 40, 200};
    uint64_t reach = reaches[dice_below(&l->dice, 4)];
    const char *what;

    calm(l);
    l->armed = l->faults && dice_one_in(&l->dice, 3);
    if (!l->armed)
        return;
    switch (dice_below(&l->dice, 5)) {
    case 0:
        memory_files_end_at(1 + dice_below(&l->dice, reach), true);
        what = "killed";
        break;
    case 1:
        memory_files_end_at(1 + dice_below(&l->dice, reach), false);
        what = "the power is cut";
        break;
    case 2:
        memory_files_fail_read_at(1 + dice_below(&l->dice, reach));
        what = "a read fails";
        break;
    default:
        what = arm_error(l, reach, memory);
    }
    tell(l, "(maybe %s)", what);
}

static void doubts_clear(struct life *l)
{
    for (unsigned i = 0; i < l->doubts_len; i++) {
        store_logs_release(&l->doubts[i].logs);
        log_matcher_unref(l->doubts[i].erased);
    }
    l->doubts_len = 0;
}

static struct doubt *doubt_add(struct life *l)
{
    if (l->doubts_len == DOUBTS_MAX) { /* the oldest has long been written over */
        store_logs_release(&l->doubts[0].logs);
        log_matcher_unref(l->doubts[0].erased);
        memmove(l->doubts, l->doubts + 1, (DOUBTS_MAX - 1) * sizeof(l->doubts[0]));
        l->doubts_len--;
    }
    l->doubts[l->doubts_len] = (struct doubt){0};
    return &l->doubts[l->doubts_len++];
}

/* ---- After all have ended ---- */

struct present {
    struct store_logs logs; /* descending by key */
};

static int take_present(const struct record *record, void *ctx)
{
    store_logs_add_slices(&((struct present *)ctx)->logs, record);
    return 0;
}

static const struct record *find_present(const struct present *p, const struct log_key *key)
{
    size_t low = 0;
    size_t high = p->logs.len;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = log_key_compare(&p->logs.items[middle].key, key);

        if (order == 0)
            return &p->logs.items[middle];
        if (order > 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static bool same_texts(const struct record *a, const struct record *b)
{
    return slice_equal(a->level, b->level) && slice_equal(a->message, b->message) &&
           slice_equal(a->attributes, b->attributes);
}

/* Whether all that is new of a batch is there. */
static bool batch_is_there(const struct life *l, const struct doubt *d, const struct present *p)
{
    size_t is_new = 0;

    for (size_t i = 0; i < d->logs.len; i++) {
        const struct record *r = &d->logs.items[i];
        const struct record *there = find_present(p, &r->key);
        bool found;

        store_model_find(&l->model, &r->key, &found);
        if (found || store_model_is_gone(&l->model, &r->key))
            continue;
        if (!there)
            return false;
        is_new += same_texts(there, r);
    }
    return is_new > 0;
}

struct removal {
    const struct doubt *doubt;
    const struct present *present;
};

static bool was_removed(const struct record *r, void *ctx)
{
    const struct removal *removal = ctx;
    const struct doubt *d = removal->doubt;
    bool matches = true;

    if (d->what == DOUBT_EXPIRE)
        matches = r->key.timestamp_us < d->before_us;
    else if (log_matcher_match(d->erased, r, &matches) != 0)
        abort();
    return matches && !find_present(removal->present, &r->key);
}

static int settle_doubts(struct life *l)
{
    struct log_query query = {.limit = UINT32_MAX};
    struct present present = {{0}};

    if (l->doubts_len == 0)
        return 0;
    log_filter_init(&query.filter);
    int error = store_query(l->processes[l->now].r, &query, take_present, &present, &l->end->err);
    for (unsigned i = 0; !error && i < l->doubts_len; i++) {
        const struct doubt *d = &l->doubts[i];
        struct removal removal = {d, &present};

        if (d->what != DOUBT_APPEND) {
            size_t n = store_model_remove(&l->model, was_removed, &removal, d->remembers);

            tell(l, "what was in doubt had removed %zu logs", n);
        } else if (batch_is_there(l, d, &present)) {
            tell(l, "%zu logs that were in doubt are there", d->logs.len);
            store_model_append(&l->model, d->logs.items, d->logs.len);
        }
    }
    store_logs_release(&present.logs);
    return error;
}

static int check_all(struct life *l)
{
    l->figures->checks++;
    return store_model_check_all(&l->model, l->processes[l->now].r, &l->dice, &l->end->err);
}

/*
 * All that had the file open have ended, and the machine starts again: what was confirmed is there,
 * and of the rest each batch is there as a whole or not at all.
 */
static int come_back(struct life *l, bool by_power)
{
    calm(l);
    tell(l, by_power ? "the power comes back" : "all have ended");
    for (unsigned i = 0; i < PROCESSES; i++)
        close_process(l, i);
    if (by_power) {
        memory_files_restore_power(&l->chance, dice_one_in(&l->chance, 2));
        l->figures->power_cuts++;
    }
    for (unsigned i = 0; i < PROCESSES; i++)
        memory_files_revive(i);
    int error = open_process(l);
    if (!error)
        error = settle_doubts(l);
    doubts_clear(l);
    return error ? error : check_all(l);
}

/* True if the power is gone: the machine counts as ended if a process that did not act has. */
static bool power_is_cut(struct life *l)
{
    bool all = true;

    for (unsigned i = 0; i < PROCESSES; i++) {
        memory_files_process(i);
        all = all && memory_files_ended();
    }
    memory_files_process(l->now);
    return all;
}

static bool others_are_open(const struct life *l)
{
    for (unsigned i = 0; i < PROCESSES; i++)
        if (i != l->now && is_open(&l->processes[i]))
            return true;
    return false;
}

/*
 * The process was killed, others live on. What it was at may be seen by now; if not, it may be
 * found in the log once all have ended, unless another commits before.
 */
static int outlive(struct life *l)
{
    unsigned dead = l->now;

    tell(l, "was killed");
    close_process(l, dead);
    memory_files_revive(dead);
    while (!is_open(&l->processes[l->now]))
        l->now = (l->now + 1) % PROCESSES;
    memory_files_process(l->now);
    int error = settle_doubts(l);
    return error ? error : check_all(l);
}

/*
 * What was called returned `error`, maybe since something failed. `changed`: nothing that was in
 * doubt can come back any more.
 */
static int after(struct life *l, int error, bool changed)
{
    calm(l);
    if (memory_files_ended()) {
        if (power_is_cut(l))
            return come_back(l, true);
        l->figures->kills++;
        return others_are_open(l) ? outlive(l) : come_back(l, false);
    }
    if (!error && changed)
        doubts_clear(l);
    if (error)
        tell(l, "failed: %s", l->end->err.text);
    if (error && l->armed && l->processes[l->now].r) /* then it has done nothing */
        return check_all(l);
    return l->armed ? 0 : error;
}

/* ---- Steps ---- */

/* At the end of all that is there, as most logs come. */
static void make_newest(struct life *l, size_t n)
{
    static const char *const services[] = {"{\"service\":\"api\",\"n\":1}",
                                           "{\"service\":\"web\",\"n\":22}", NULL};
    char message[64];

    for (size_t i = 0; i < n; i++) {
        struct log_key key = log_key_lowest(simulated_clock_now() + (int64_t)i);

        byte_order_put32((char *)key.id.bytes + 12, l->next_id++);
        snprintf(message, sizeof(message), "request %u took %u ms", l->next_id,
                 (unsigned)dice_below(&l->dice, 90));
        store_logs_add(&l->logs, &key, dice_one_in(&l->dice, 9) ? "error" : "info", message,
                       services[dice_below(&l->dice, 3)]);
    }
}

static void make_any(struct life *l, size_t n)
{
    const struct store_logs_kind kind = {.from_us = T0 - INT64_C(600000000),
                                         .to_us = simulated_clock_now(),
                                         .any_time = true,
                                         .spelled = true,
                                         .large_bytes = 20000};

    for (size_t i = 0; i < n; i++) {
        if (l->model.len > 0 && dice_one_in(&l->dice, 4)) {
            size_t k = dice_below(&l->dice, l->model.len);

            store_logs_add_slices(&l->logs, &l->model.logs[k]->record);
            if (dice_one_in(&l->dice, 5))
                l->logs.items[l->logs.len - 1].message = SLICE_LITERAL("another with its key");
        } else if (l->model.gone_len > 0 && dice_one_in(&l->dice, 6)) {
            size_t k = dice_below(&l->dice, l->model.gone_len);

            store_logs_add(&l->logs, &l->model.gone[k], "info", "comes again", NULL);
        } else {
            store_logs_add_random(&l->logs, &l->dice, &kind);
        }
    }
}

static size_t random_size(struct dice *dice)
{
    switch (dice_below(dice, 12)) {
    case 0:
        return 1 + dice_below(dice, 200);
    case 1:
    case 2:
        return 1 + dice_below(dice, 40);
    default:
        return 1 + dice_below(dice, 5);
    }
}

static int differs(struct life *l, const char *what, uint64_t came, uint64_t expected)
{
    return errbuf_fail(&l->end->err, LM_EDATA, "%llu %s for %llu", (unsigned long long)came, what,
                       (unsigned long long)expected);
}

static int compare_results(struct life *l, const struct store_append_result *came,
                           const struct store_append_result *expected)
{
    if (came->stored != expected->stored)
        return differs(l, "logs were stored", came->stored, expected->stored);
    if (came->repeated != expected->repeated)
        return differs(l, "logs were repeated", came->repeated, expected->repeated);
    if (came->conflicts != expected->conflicts)
        return differs(l, "logs were in conflict", came->conflicts, expected->conflicts);
    return 0;
}

static int append(struct life *l)
{
    struct store_append_result result;
    size_t n = random_size(&l->dice);

    if (dice_below(&l->dice, 5) < 3)
        make_newest(l, n);
    else
        make_any(l, n);
    tell(l, "appends %zu", n);
    arm(l, true);
    int error = store_append(l->processes[l->now].w, l->logs.items, n, &result, &l->end->err);
    l->figures->appends++;
    if (error) {
        struct doubt *d = doubt_add(l);

        d->what = DOUBT_APPEND;
        for (size_t i = 0; i < n; i++)
            store_logs_add_slices(&d->logs, &l->logs.items[i]);
        error = after(l, error, false);
    } else {
        calm(l);
        struct store_append_result expected = store_model_append(&l->model, l->logs.items, n);

        error = compare_results(l, &result, &expected);
        l->figures->logs += expected.stored;
        if (!error)
            error = after(l, 0, expected.stored > 0);
    }
    store_logs_release(&l->logs);
    return error;
}

struct below {
    int64_t before_us;
    const struct present *present;
};

static bool is_gone_below(const struct record *r, void *ctx)
{
    const struct below *b = ctx;

    return r->key.timestamp_us < b->before_us && !find_present(b->present, &r->key);
}

/* Which ones went is the store's business, as long as they are old enough and as many as it says.
 */
static int adopt_expired(struct life *l, int64_t before_us, size_t max, size_t deleted)
{
    struct log_query query = {.limit = UINT32_MAX};
    struct present present = {{0}};
    struct below below = {before_us, &present};

    log_filter_init(&query.filter);
    query.filter.until_us = before_us;
    int error = store_query(l->processes[l->now].r, &query, take_present, &present, &l->end->err);
    if (!error) {
        size_t n = store_model_remove(&l->model, is_gone_below, &below, false);

        l->figures->expired += n;
        if (n != deleted)
            error = differs(l, "logs were said to have expired", deleted, n);
        else if (deleted < max && present.logs.len > 0)
            error = differs(l, "logs are left that are too old", present.logs.len, 0);
    }
    store_logs_release(&present.logs);
    return error;
}

static int expire(struct life *l)
{
    size_t max = dice_one_in(&l->dice, 2) ? 1 + dice_below(&l->dice, 50) : 100000;
    size_t deleted;

    if (l->model.len == 0)
        return 0;
    size_t at = dice_below(&l->dice, 1 + (l->model.len - 1) / (dice_one_in(&l->dice, 4) ? 1 : 8));
    int64_t before_us = l->model.logs[at]->record.key.timestamp_us + (int64_t)(at % 2);
    tell(l, "expires before the %zu-th of %zu logs, at most %zu", at, l->model.len, max);
    arm(l, true);
    int error = store_expire(l->processes[l->now].w, before_us, max, &deleted, &l->end->err);
    if (error) {
        struct doubt *d = doubt_add(l);

        d->what = DOUBT_EXPIRE;
        d->before_us = before_us;
        return after(l, error, false);
    }
    error = after(l, 0, deleted > 0);
    return error ? error : adopt_expired(l, before_us, max, deleted);
}

struct erasing {
    const struct log_matcher *matcher;
    struct log_key from, to; /* above from, at or below to: descending */
};

static bool is_erased(const struct record *r, void *ctx)
{
    const struct erasing *e = ctx;
    const struct log_filter *f = log_matcher_filter(e->matcher);
    bool matches;

    if (log_key_compare(&r->key, &e->from) >= 0 || log_key_compare(&r->key, &e->to) < 0 ||
        r->key.timestamp_us < f->since_us || r->key.timestamp_us >= f->until_us)
        return false;
    if (log_matcher_match(e->matcher, r, &matches) != 0)
        abort();
    return matches;
}

/* One slice. */
static int erase_some(struct life *l, struct store_scan *scan, bool remembers, bool *failed)
{
    const struct store_slice slice = {.rows = 1 + dice_below(&l->dice, 60),
                                      .until_us = dice_one_in(&l->dice, 5) ? 1 : 0};
    struct erasing erasing = {.matcher = scan->matcher, .from = scan->before};
    size_t erased;

    arm(l, true);
    int error = store_erase(l->processes[l->now].w, scan, &slice, remembers, &erased, &l->end->err);
    *failed = error;
    if (error) {
        struct doubt *d = doubt_add(l);

        d->what = DOUBT_ERASE;
        d->remembers = remembers;
        d->erased = (struct log_matcher *)scan->matcher;
        log_matcher_ref(d->erased);
        return after(l, error, false);
    }
    calm(l);
    erasing.to = scan->before;
    if (scan->done)
        erasing.to = (struct log_key){.timestamp_us = INT64_MIN};
    size_t expected = store_model_remove(&l->model, is_erased, &erasing, remembers);
    l->figures->erased += expected;
    if (erased != expected)
        return differs(l, "logs were erased", erased, expected);
    return after(l, 0, erased > 0);
}

static int erase(struct life *l)
{
    const struct record *sample =
        l->model.len > 0 ? &l->model.logs[dice_below(&l->dice, l->model.len)]->record : NULL;
    bool remembers = !l->leaps && dice_one_in(&l->dice, 2);
    struct log_filter f;
    struct store_scan scan;
    bool failed = false;
    int error = 0;

    store_logs_random_filter(&f, &l->dice, sample);
    if (sample && dice_below(&l->dice, 3) > 0) {
        f.since_us = sample->key.timestamp_us - (int64_t)dice_below(&l->dice, 60000000);
        f.until_us = sample->key.timestamp_us + (int64_t)dice_below(&l->dice, 60000000);
    }
    struct log_matcher *matcher = log_matcher_new(&f);
    if (!matcher)
        abort();
    tell(l, "erases what matches a filter%s", remembers ? ", for good" : "");
    store_scan_init(&scan, matcher, NULL, 0);
    while (!error && !failed && !scan.done)
        error = erase_some(l, &scan, remembers, &failed);
    log_matcher_unref(matcher);
    return error;
}

static int keep(struct life *l)
{
    bool at_once = dice_below(&l->dice, 3) > 0;
    size_t steps = dice_one_in(&l->dice, 3) ? KEEPER_STEPS_MAX : 1 + dice_below(&l->dice, 3);
    unsigned wait_ms = 0;
    int error = 0;

    tell(l, "keeps house, %zu steps%s", steps, at_once ? " at once" : "");
    arm(l, true);
    for (size_t i = 0; !error && i < steps && wait_ms == 0; i++) {
        error = store_keeper_step(l->processes[l->now].k, at_once, &wait_ms, &l->end->err);
        l->figures->keeper_steps++;
        if (i + 1 == KEEPER_STEPS_MAX)
            return errbuf_fail(&l->end->err, LM_EDATA, "the keeper never ends");
    }
    return after(l, error, false);
}

static int tidy(struct life *l)
{
    tell(l, "tidies");
    simulated_clock_advance(INT64_C(20000000));
    arm(l, true);
    (void)store_tidy(l->processes[l->now].w);
    return after(l, 0, false);
}

static int follow(struct life *l)
{
    struct follower *f = &l->followers[dice_below(&l->dice, FOLLOWERS)];

    return store_model_check_follow(&l->model, l->processes[l->now].r, &l->dice, &f->position,
                                    &f->order, &l->end->err);
}

static int look_calmly(struct life *l)
{
    struct store_reader *r = l->processes[l->now].r;
    struct errbuf *err = &l->end->err;

    l->figures->checks++;
    switch (dice_below(&l->dice, l->leaps ? 4 : 5)) {
    case 0:
        tell(l, "reads all");
        return store_model_check_all(&l->model, r, &l->dice, err);
    case 1:
        tell(l, "counts");
        return store_model_check_counts(&l->model, r, &l->dice, err);
    case 2:
        tell(l, "gets a log");
        return store_model_check_get(&l->model, r, &l->dice, err);
    case 3:
        tell(l, "scans");
        return store_model_check_scan(&l->model, r, &l->dice, err);
    default:
        tell(l, "follows");
        return follow(l);
    }
}

/* LM_EDATA is an answer that was wrong; other errors are what was to fail. */
static int look(struct life *l)
{
    arm(l, false);
    int error = look_calmly(l);
    return error == LM_EDATA ? error : after(l, error, false);
}

/* A scan for which there is not always memory: compared when it is over. */
static int look_in_need(struct life *l)
{
    struct log_query query = {.limit = UINT32_MAX};
    struct present present = {{0}};
    size_t next = 0;

    log_filter_init(&query.filter);
    if (l->model.len > 0)
        store_logs_random_filter(&query.filter, &l->dice,
                                 &l->model.logs[dice_below(&l->dice, l->model.len)]->record);
    tell(l, "scans in need");
    arm(l, true);
    int error = store_query(l->processes[l->now].r, &query, take_present, &present, &l->end->err);
    calm(l);
    for (size_t i = l->model.len; !error && i > 0; i--) {
        const struct record *r = &l->model.logs[i - 1]->record;

        if (!store_model_takes(&query.filter, r))
            continue;
        if (next == present.logs.len || log_key_compare(&present.logs.items[next].key, &r->key) ||
            !same_texts(&present.logs.items[next], r))
            error = errbuf_fail(&l->end->err, LM_EDATA, "another log came, the %zu-th", next);
        next++;
    }
    if (!error && next < present.logs.len)
        error = differs(l, "logs came", present.logs.len, next);
    store_logs_release(&present.logs);
    return error == LM_EDATA ? error : after(l, error, false);
}

static int end_all(struct life *l)
{
    bool by_power = dice_one_in(&l->dice, 2);

    tell(l, by_power ? "the power is cut" : "all are killed");
    for (unsigned i = 0; !by_power && i < PROCESSES; i++)
        memory_files_kill(i);
    if (by_power)
        memory_files_cut_power();
    l->figures->kills += !by_power;
    return come_back(l, by_power);
}

/* Another process goes on, or this one starts anew. */
static int change_process(struct life *l)
{
    if (dice_one_in(&l->dice, 3)) {
        tell(l, "ends");
        close_process(l, l->now);
    }
    l->now = (unsigned)dice_below(&l->dice, l->many);
    tell(l, "goes on");
    return 0;
}

static int leap(struct life *l)
{
    int64_t hours = 1 + (int64_t)dice_below(&l->dice, dice_one_in(&l->dice, 3) ? 400 : 4);

    if (!l->leaps)
        return 0;
    tell(l, "%lld hours pass", (long long)hours);
    simulated_clock_advance(hours * INT64_C(3600000000));
    return 0;
}

/* Opening may fail as all else. */
static int start(struct life *l)
{
    arm(l, true);
    int error = open_process(l);
    if (error) {
        error = after(l, error, false);
        if (!error && !memory_files_ended())
            error = open_process(l);
    }
    calm(l);
    return error;
}

static int step(struct life *l)
{
    static const struct {
        unsigned share;
        const char *name;
        int (*fn)(struct life *l);
    } steps[] = {
        {40, "appending", append},
        {6, "expiring", expire},
        {5, "erasing", erase},
        {14, "keeping house", keep},
        {2, "tidying", tidy},
        {18, "looking", look},
        {4, "looking in need", look_in_need},
        {3, "ending all", end_all},
        {5, "changing the process", change_process},
        {2, "leaping", leap},
    };
    size_t at = dice_below(&l->dice, 99);
    size_t i = 0;
    int error = 0;

    simulated_clock_advance(1000 + (int64_t)dice_below(&l->dice, 3000000));
    memory_files_process(l->now);
    if (!l->processes[l->now].k) {
        l->end->doing = "starting";
        error = start(l);
    }
    for (; at >= steps[i].share; i++)
        at -= steps[i].share;
    l->end->doing = steps[i].name;
    return error ? error : steps[i].fn(l);
}

/* ---- Beginnings and ends ---- */

static int begin_with_old_file(struct life *l)
{
    size_t n = 1 + dice_below(&l->dice, OLD_LOGS_MAX);
    size_t batch = 1 + dice_below(&l->dice, 30);
    struct store_model old = {0};

    make_newest(l, n / 2);
    make_any(l, n - n / 2);
    /* Each key once, as it was stored. */
    struct store_logs unique = {0};
    for (size_t i = 0; i < l->logs.len; i++)
        if (store_model_append(&old, &l->logs.items[i], 1).stored > 0)
            store_logs_add_slices(&unique, &l->logs.items[i]);
    for (size_t i = 0; i < unique.len; i += batch)
        store_model_append(&l->model, unique.items + i,
                           unique.len - i < batch ? unique.len - i : batch);
    tell(l, "a file of an older logmill, with %zu logs", unique.len);
    memory_files_process(0);
    int error = old_file_make(l->directory, unique.items, unique.len, batch, &l->end->err);
    store_model_release(&old);
    store_logs_release(&unique);
    store_logs_release(&l->logs);
    return error;
}

static int count_into(void *ctx, int n, char **values, char **names)
{
    *(int64_t *)ctx = values[0] ? strtoll(values[0], NULL, 10) : 0;
    return 0;
}

static int is_ok(void *ctx, int n, char **values, char **names)
{
    *(bool *)ctx = values[0] && strcmp(values[0], "ok") == 0;
    return 0;
}

/* Each log is in one place, and SQLite finds the file whole. */
static int check_file(struct life *l)
{
    static const char each_once[] =
        "SELECT (SELECT count(*) FROM logs) + (SELECT coalesce(sum(rows), 0) FROM recent) + "
        "(SELECT coalesce(sum(rows - erased), 0) FROM segments)";
    char path[512];
    sqlite3 *db;
    int64_t logs = -1;
    int64_t segments = 0;
    bool ok = false;

    snprintf(path, sizeof(path), "%s/logs.db", l->directory);
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, "memory-files") != SQLITE_OK)
        return errbuf_fail(&l->end->err, LM_EDATA, "cannot open %s", path);
    sqlite3_exec(db, "PRAGMA integrity_check", is_ok, &ok, NULL);
    sqlite3_exec(db, each_once, count_into, &logs, NULL);
    sqlite3_exec(db, "SELECT count(*) FROM segments", count_into, &segments, NULL);
    sqlite3_close(db);
    l->figures->segments += (uint64_t)segments;
    if (!ok)
        return errbuf_fail(&l->end->err, LM_EDATA, "SQLite finds the file damaged");
    if (logs != (int64_t)l->model.len)
        return differs(l, "logs are in the tables", (uint64_t)logs, l->model.len);
    return 0;
}

static int print_row(void *ctx, int n, char **values, char **names)
{
    for (int i = 0; i < n; i++)
        printf("%s%s", i ? " " : "  ", values[i] ? values[i] : "NULL");
    printf("\n");
    return 0;
}

/* Where logs lie, for whoever looks into a life that ended badly. */
static void tell_tables(const struct life *l)
{
    static const char *const questions[] = {
        "SELECT count(*) || ' rows of an older logmill' FROM logs",
        "SELECT 'recent', last, rows, hex(first), hex(highest) FROM recent",
        ("SELECT 'segment', number, rows, erased, blocks, gone, hex(first), hex(last), "
         "first_sequence, last_sequence, iif(cold, 'cold', 'hot') FROM segments"),
        "SELECT 'block', number, length(data) FROM blocks",
        "SELECT 'erased', block, rows FROM erased",
    };
    char path[512];
    sqlite3 *db;

    snprintf(path, sizeof(path), "%s/logs.db", l->directory);
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, "memory-files") == SQLITE_OK)
        for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++)
            sqlite3_exec(db, questions[i], print_row, NULL, NULL);
    sqlite3_close(db);
}

static int finish(struct life *l)
{
    unsigned wait_ms = 0;
    int error = 0;

    calm(l);
    l->end->doing = "ending";
    if (!l->processes[l->now].k)
        error = open_process(l);
    for (int i = 0; !error && wait_ms == 0; i++)
        error = i == KEEPER_STEPS_MAX
                    ? errbuf_fail(&l->end->err, LM_EDATA, "the keeper never ends")
                    : store_keeper_step(l->processes[l->now].k, true, &wait_ms, &l->end->err);
    if (!error)
        error = check_all(l);
    for (size_t i = 0; !error && i < ENDING_LOOKS; i++)
        error = look_calmly(l);
    for (unsigned i = 0; i < PROCESSES; i++)
        close_process(l, i);
    return error ? error : check_file(l);
}

static void choose_sizes(struct life *l)
{
    struct dice *d = &l->dice;

    l->sizes = (struct store_sqlite_sizes){
        .block_rows = 2 + dice_below(d, 20),
        .segment_blocks = 1 + dice_below(d, 5),
        .segment_bytes = 2000 + dice_below(d, 20000),
        .row_bytes = 500 + dice_below(d, 5000),
        .seal_rows = 3 + dice_below(d, 60),
        .seal_bytes = 2000 + dice_below(d, 20000),
        .keep_rows = 1 + dice_below(d, 20),
        .keep_bytes = 500 + dice_below(d, 3000),
        .late_rows = 1 + dice_below(d, 30),
        .late_bytes = 500 + dice_below(d, 5000),
        .key_blocks = 1 + dice_below(d, 4),
        .takeover_rows = 5 + dice_below(d, 60),
        .compact_bytes = 2000 + dice_below(d, 50000),
    };
}

int life_run(uint64_t seed, const char *directory, bool tells, struct life_figures *figures,
             struct life_end *end)
{
    struct life l = {.dice = {seed},
                     .chance = {seed ^ 0x5bd1e995},
                     .directory = directory,
                     .tells = tells,
                     .figures = figures,
                     .end = end};
    int error = 0;

    *end = (struct life_end){.doing = "beginning"};
    memory_files_begin(seed);
    simulated_clock_set(T0);
    choose_sizes(&l);
    l.many = 1 + (unsigned)dice_below(&l.dice, PROCESSES);
    l.faults = dice_below(&l.dice, 4) > 0;
    l.leaps = dice_one_in(&l.dice, 4);
    if (dice_one_in(&l.dice, 4))
        error = begin_with_old_file(&l);
    size_t steps = STEPS_MIN + dice_below(&l.dice, STEPS_MAX - STEPS_MIN);
    for (size_t i = 0; !error && i < steps; i++) {
        end->step++;
        error = step(&l);
    }
    if (!error)
        error = finish(&l);
    calm(&l);
    if (error && tells)
        tell_tables(&l);
    for (unsigned i = 0; i < PROCESSES; i++)
        close_process(&l, i);
    doubts_clear(&l);
    store_logs_release(&l.logs);
    store_model_release(&l.model);
    return error;
}
