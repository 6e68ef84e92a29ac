#include <stdio.h>
#include <stdlib.h>

#include "base/byte_order.h"
#include "life_internal.h"
#include "memory_files.h"
#include "simulated_clock.h"
#include "store/inspect.h"
#include "store/sqlite/internal.h"

/* ---- Storing ---- */

void steps_make_newest(struct life *l, size_t n)
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

void steps_make_any(struct life *l, size_t n)
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

static int compare_results(struct life *l, const struct store_append_result *came,
                           const struct store_append_result *expected)
{
    if (came->stored != expected->stored)
        return life_differs(l, "logs were stored", came->stored, expected->stored);
    if (came->repeated != expected->repeated)
        return life_differs(l, "logs were repeated", came->repeated, expected->repeated);
    if (came->conflicts != expected->conflicts)
        return life_differs(l, "logs were in conflict", came->conflicts, expected->conflicts);
    return 0;
}

static int append(struct life *l)
{
    struct store_append_result result;
    size_t n = random_size(&l->dice);

    if (dice_below(&l->dice, 5) < 3)
        steps_make_newest(l, n);
    else
        steps_make_any(l, n);
    life_tell(l, "appends %zu", n);
    life_arm(l, true);
    int error = store_append(l->processes[l->now].w, l->logs.items, n, &result, &l->end->err);
    l->figures->appends++;
    if (error) {
        struct doubt *d = life_doubt(l);

        d->what = DOUBT_APPEND;
        for (size_t i = 0; i < n; i++)
            store_logs_add_slices(&d->logs, &l->logs.items[i]);
        error = life_after(l, error, false);
    } else {
        life_calm(l);
        struct store_append_result expected = store_model_append(&l->model, l->logs.items, n);

        error = compare_results(l, &result, &expected);
        l->figures->logs += expected.stored;
        if (!error)
            error = life_after(l, 0, expected.stored > 0);
    }
    store_logs_release(&l->logs);
    return error;
}

/* ---- Deleting ---- */

struct below {
    int64_t before_us;
    const struct present *present;
};

static bool is_gone_below(const struct record *r, void *ctx)
{
    const struct below *b = ctx;

    return r->key.timestamp_us < b->before_us && !life_find_present(b->present, &r->key);
}

/* What its keeper is just merging may stay until another pass. */
static bool is_merging(struct life *l)
{
    return ((struct store_sqlite *)l->processes[l->now].s)->merging.len > 0;
}

/* Which ones went is the store's business, as long as they are old enough and as many as it says.
 */
static int adopt_expired(struct life *l, int64_t before_us, size_t deleted, bool more)
{
    struct log_query query = {.limit = UINT32_MAX};
    struct present present = {{0}};
    struct below below = {before_us, &present};

    log_filter_init(&query.filter);
    query.filter.until_us = before_us;
    int error =
        store_query(l->processes[l->now].r, &query, life_take_present, &present, &l->end->err);
    if (!error) {
        size_t n = store_model_remove(&l->model, is_gone_below, &below, false);

        l->figures->expired += n;
        if (n != deleted)
            error = life_differs(l, "logs were said to have expired", deleted, n);
        else if (!more && present.logs.len > 0 && !is_merging(l))
            error = life_differs(l, "logs are left that are too old", present.logs.len, 0);
    }
    store_logs_release(&present.logs);
    return error;
}

static int expire(struct life *l)
{
    size_t max = dice_one_in(&l->dice, 2) ? 1 + dice_below(&l->dice, 50) : 100000;
    size_t deleted;
    bool more;

    if (l->model.len == 0)
        return 0;
    size_t at = dice_below(&l->dice, 1 + (l->model.len - 1) / (dice_one_in(&l->dice, 4) ? 1 : 8));
    int64_t before_us = l->model.logs[at]->record.key.timestamp_us + (int64_t)(at % 2);
    life_tell(l, "expires before the %zu-th of %zu logs, at most %zu", at, l->model.len, max);
    life_arm(l, true);
    int error = store_expire(l->processes[l->now].w, before_us, max, &deleted, &more, &l->end->err);
    if (error) {
        struct doubt *d = life_doubt(l);

        d->what = DOUBT_EXPIRE;
        d->before_us = before_us;
        return life_after(l, error, false);
    }
    error = life_after(l, 0, deleted > 0);
    return error ? error : adopt_expired(l, before_us, deleted, more);
}

/* Any number of the oldest go, in pieces that are the store's business. */
static int adopt_shrunk(struct life *l, uint64_t max_bytes, size_t deleted)
{
    struct log_query query = {.limit = UINT32_MAX};
    struct present present = {{0}};
    struct below below = {INT64_MAX, &present};

    log_filter_init(&query.filter);
    int error =
        store_query(l->processes[l->now].r, &query, life_take_present, &present, &l->end->err);
    if (!error) {
        size_t n = store_model_remove(&l->model, is_gone_below, &below, false);

        l->figures->shrunk += n;
        if (n > deleted) /* what was erased before may be told as one log */
            error = life_differs(l, "logs were said to have gone", deleted, n);
        else if (deleted > 0 && max_bytes == UINT64_MAX)
            error = life_differs(l, "logs have gone, and there was room", deleted, 0);
    }
    store_logs_release(&present.logs);
    return error;
}

static int shrink(struct life *l)
{
    uint64_t max_bytes = dice_one_in(&l->dice, 8) ? UINT64_MAX : dice_below(&l->dice, 200000);
    size_t deleted;

    life_tell(l, "shrinks to %llu bytes", (unsigned long long)max_bytes);
    life_arm(l, true);
    int error = store_shrink(l->processes[l->now].w, max_bytes, &deleted, &l->end->err);
    if (error) {
        life_doubt(l)->what = DOUBT_SHRINK;
        return life_after(l, error, false);
    }
    error = life_after(l, 0, deleted > 0);
    return error ? error : adopt_shrunk(l, max_bytes, deleted);
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
    if (log_matcher_match(e->matcher, r, &matches, NULL) != 0)
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

    life_arm(l, true);
    int error = store_erase(l->processes[l->now].w, scan, &slice, remembers, &erased, &l->end->err);
    *failed = error;
    if (error) {
        struct doubt *d = life_doubt(l);

        d->what = DOUBT_ERASE;
        d->remembers = remembers;
        d->erased = (struct log_matcher *)scan->matcher;
        log_matcher_ref(d->erased);
        return life_after(l, error, false);
    }
    life_calm(l);
    erasing.to = scan->before;
    if (scan->done)
        erasing.to = (struct log_key){.timestamp_us = INT64_MIN};
    size_t expected = store_model_remove(&l->model, is_erased, &erasing, remembers);
    l->figures->erased += expected;
    if (erased != expected)
        return life_differs(l, "logs were erased", erased, expected);
    return life_after(l, 0, erased > 0);
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

    if (sample && dice_one_in(&l->dice, 4)) { /* as retention by level does */
        log_filter_init(&f);
        f.levels[f.levels_len++] = sample->level;
        f.until_us = sample->key.timestamp_us;
        remembers = false;
    } else {
        store_logs_random_filter(&f, &l->dice, sample);
    }
    if (sample && f.until_us == INT64_MAX && dice_below(&l->dice, 3) > 0) {
        f.since_us = sample->key.timestamp_us - (int64_t)dice_below(&l->dice, 60000000);
        f.until_us = sample->key.timestamp_us + (int64_t)dice_below(&l->dice, 60000000);
    }
    struct log_matcher *matcher = log_matcher_new(&f);
    if (!matcher)
        abort();
    life_tell(l, "erases what matches a filter%s", remembers ? ", for good" : "");
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

    life_tell(l, "keeps house, %zu steps%s", steps, at_once ? " at once" : "");
    life_arm(l, true);
    for (size_t i = 0; !error && i < steps && wait_ms == 0; i++) {
        error = store_keeper_step(l->processes[l->now].k, at_once, &wait_ms, &l->end->err);
        l->figures->keeper_steps++;
        if (i + 1 == KEEPER_STEPS_MAX)
            return errbuf_fail(&l->end->err, LM_EDATA, "the keeper never ends");
    }
    return life_after(l, error, false);
}

static int tidy(struct life *l)
{
    life_tell(l, "tidies");
    simulated_clock_advance(INT64_C(20000000));
    life_arm(l, true);
    (void)store_tidy(l->processes[l->now].w);
    return life_after(l, 0, false);
}

static int follow(struct life *l)
{
    struct follower *f = &l->followers[dice_below(&l->dice, FOLLOWERS)];

    return store_model_check_follow(&l->model, l->processes[l->now].r, &l->dice, &f->position,
                                    &f->order, &l->end->err);
}

int steps_look(struct life *l)
{
    struct store_reader *r = l->processes[l->now].r;
    struct errbuf *err = &l->end->err;

    l->figures->checks++;
    switch (dice_below(&l->dice, l->leaps ? 4 : 5)) {
    case 0:
        life_tell(l, "reads all");
        return store_model_check_all(&l->model, r, &l->dice, err);
    case 1:
        life_tell(l, "counts");
        return store_model_check_counts(&l->model, r, &l->dice, err);
    case 2:
        life_tell(l, "gets a log");
        return store_model_check_get(&l->model, r, &l->dice, err);
    case 3:
        life_tell(l, "scans");
        return store_model_check_scan(&l->model, r, &l->dice, err);
    default:
        life_tell(l, "follows");
        return follow(l);
    }
}

static void tell_damage(const struct store_damage *damage, void *ctx)
{
    struct life *l = ctx;

    errbuf_fail(&l->end->err, LM_EDATA, "verify says that %s is damaged: %s", damage->what,
                damage->reason);
}

static void no_progress(uint64_t logs, void *ctx)
{
}

static int verify(struct life *l)
{
    const struct store_verifier verifier = {tell_damage, no_progress, l};
    struct store_verified all;

    life_tell(l, "verifies");
    l->figures->checks++;
    int error = store_verify(l->processes[l->now].s, &verifier, &all, &l->end->err);
    if (!error && all.damages > 0)
        return LM_EDATA;
    return error;
}

/* LM_EDATA is an answer that was wrong; other errors are what was to fail. */
static int look(struct life *l)
{
    life_arm(l, false);
    int error = steps_look(l);
    return error == LM_EDATA ? error : life_after(l, error, false);
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
    life_tell(l, "scans in need");
    life_arm(l, true);
    int error =
        store_query(l->processes[l->now].r, &query, life_take_present, &present, &l->end->err);
    life_calm(l);
    for (size_t i = l->model.len; !error && i > 0; i--) {
        const struct record *r = &l->model.logs[i - 1]->record;

        if (!store_model_takes(&query.filter, r))
            continue;
        if (next == present.logs.len || log_key_compare(&present.logs.items[next].key, &r->key) ||
            !life_same_texts(&present.logs.items[next], r))
            error = errbuf_fail(&l->end->err, LM_EDATA, "another log came, the %zu-th", next);
        next++;
    }
    if (!error && next < present.logs.len)
        error = life_differs(l, "logs came", present.logs.len, next);
    store_logs_release(&present.logs);
    return error == LM_EDATA ? error : life_after(l, error, false);
}

static int end_all(struct life *l)
{
    bool by_power = dice_one_in(&l->dice, 2);

    life_tell(l, by_power ? "the power is cut" : "all are killed");
    for (unsigned i = 0; !by_power && i < PROCESSES; i++)
        memory_files_kill(i);
    if (by_power)
        memory_files_cut_power();
    l->figures->kills += !by_power;
    return life_come_back(l, by_power);
}

/* Another process goes on, or this one starts anew. */
static int change_process(struct life *l)
{
    if (dice_one_in(&l->dice, 3)) {
        life_tell(l, "ends");
        life_close(l, l->now);
    }
    l->now = (unsigned)dice_below(&l->dice, l->many);
    life_tell(l, "goes on");
    return 0;
}

static int leap(struct life *l)
{
    int64_t hours = 1 + (int64_t)dice_below(&l->dice, dice_one_in(&l->dice, 3) ? 400 : 4);

    if (!l->leaps)
        return 0;
    life_tell(l, "%lld hours pass", (long long)hours);
    simulated_clock_advance(hours * INT64_C(3600000000));
    return 0;
}

/* Opening may fail as all else. */
static int start(struct life *l)
{
    life_arm(l, true);
    int error = life_open(l);
    if (error) {
        error = life_after(l, error, false);
        if (!error && !memory_files_ended())
            error = life_open(l);
    }
    life_calm(l);
    return error;
}

int steps_take(struct life *l)
{
    static const struct {
        unsigned share;
        const char *name;
        int (*fn)(struct life *l);
    } steps[] = {
        {40, "appending", append},
        {6, "expiring", expire},
        {2, "shrinking", shrink},
        {5, "erasing", erase},
        {14, "keeping house", keep},
        {2, "tidying", tidy},
        {18, "looking", look},
        {2, "verifying", verify},
        {4, "looking in need", look_in_need},
        {3, "ending all", end_all},
        {5, "changing the process", change_process},
        {2, "leaping", leap},
    };
    size_t at = dice_below(&l->dice, 103);
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
