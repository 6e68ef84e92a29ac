#include "life_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "base/fault.h"
#include "base/xalloc.h"
#include "damage.h"
#include "memory_files.h"
#include "old_file.h"
#include "simulated_clock.h"

enum { STEPS_MIN = 20, STEPS_MAX = 90, OLD_LOGS_MAX = 300, ENDING_LOOKS = 12 };

int life_differs(struct life *l, const char *what, uint64_t came, uint64_t expected)
{
    return errbuf_fail(&l->end->err, LM_EDATA, "%llu %s for %llu", (unsigned long long)came, what,
                       (unsigned long long)expected);
}

void life_tell(const struct life *l, const char *format, ...)
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

void life_close(struct life *l, unsigned n)
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

int life_open(struct life *l)
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

void life_calm(struct life *l)
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

void life_arm(struct life *l, bool memory)
{
    static const uint64_t reaches[] = {3, 10, 40, 200};
    uint64_t reach = reaches[dice_below(&l->dice, 4)];
    const char *what;

    life_calm(l);
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
    life_tell(l, "(maybe %s)", what);
}

static void doubts_clear(struct life *l)
{
    for (unsigned i = 0; i < l->doubts_len; i++) {
        store_logs_release(&l->doubts[i].logs);
        log_matcher_unref(l->doubts[i].erased);
    }
    l->doubts_len = 0;
}

struct doubt *life_doubt(struct life *l)
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

int life_take_present(const struct record *record, void *ctx)
{
    store_logs_add_slices(&((struct present *)ctx)->logs, record);
    return 0;
}

const struct record *life_find_present(const struct present *p, const struct log_key *key)
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

bool life_same_texts(const struct record *a, const struct record *b)
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
        const struct record *there = life_find_present(p, &r->key);
        bool found;

        store_model_find(&l->model, &r->key, &found);
        if (found || store_model_is_gone(&l->model, &r->key))
            continue;
        if (!there)
            return false;
        is_new += life_same_texts(there, r);
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

    if (d->what == DOUBT_SHRINK) /* whichever it took */
        return !life_find_present(removal->present, &r->key);
    if (d->what == DOUBT_EXPIRE)
        matches = r->key.timestamp_us < d->before_us;
    else if (log_matcher_match(d->erased, r, &matches, NULL) != 0)
        abort();
    return matches && !life_find_present(removal->present, &r->key);
}

static int settle_doubts(struct life *l)
{
    struct log_query query = {.limit = UINT32_MAX};
    struct present present = {{0}};

    if (l->doubts_len == 0)
        return 0;
    log_filter_init(&query.filter);
    int error =
        store_query(l->processes[l->now].r, &query, life_take_present, &present, &l->end->err);
    for (unsigned i = 0; !error && i < l->doubts_len; i++) {
        const struct doubt *d = &l->doubts[i];
        struct removal removal = {d, &present};

        if (d->what != DOUBT_APPEND) {
            size_t n = store_model_remove(&l->model, was_removed, &removal, d->remembers);

            life_tell(l, "what was in doubt had removed %zu logs", n);
        } else if (batch_is_there(l, d, &present)) {
            life_tell(l, "%zu logs that were in doubt are there", d->logs.len);
            store_model_append(&l->model, d->logs.items, d->logs.len);
        }
    }
    store_logs_release(&present.logs);
    return error;
}

int life_check_all(struct life *l)
{
    l->figures->checks++;
    return store_model_check_all(&l->model, l->processes[l->now].r, &l->dice, &l->end->err);
}

int life_come_back(struct life *l, bool by_power)
{
    life_calm(l);
    life_tell(l, by_power ? "the power comes back" : "all have ended");
    for (unsigned i = 0; i < PROCESSES; i++)
        life_close(l, i);
    if (by_power) {
        memory_files_restore_power(&l->chance, dice_one_in(&l->chance, 2));
        l->figures->power_cuts++;
    }
    for (unsigned i = 0; i < PROCESSES; i++)
        memory_files_revive(i);
    int error = life_open(l);
    if (!error)
        error = settle_doubts(l);
    doubts_clear(l);
    return error ? error : life_check_all(l);
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

    life_tell(l, "was killed");
    life_close(l, dead);
    memory_files_revive(dead);
    while (!is_open(&l->processes[l->now]))
        l->now = (l->now + 1) % PROCESSES;
    memory_files_process(l->now);
    int error = settle_doubts(l);
    return error ? error : life_check_all(l);
}

int life_after(struct life *l, int error, bool changed)
{
    life_calm(l);
    if (memory_files_ended()) {
        if (power_is_cut(l))
            return life_come_back(l, true);
        l->figures->kills++;
        return others_are_open(l) ? outlive(l) : life_come_back(l, false);
    }
    if (!error && changed)
        doubts_clear(l);
    if (error)
        life_tell(l, "failed: %s", l->end->err.text);
    if (error && l->armed && l->processes[l->now].r) /* then it has done nothing */
        return life_check_all(l);
    return l->armed ? 0 : error;
}
/* ---- Beginnings and ends ---- */

static int begin_with_old_file(struct life *l)
{
    size_t n = 1 + dice_below(&l->dice, OLD_LOGS_MAX);
    size_t batch = 1 + dice_below(&l->dice, 30);
    struct store_model old = {0};

    steps_make_newest(l, n / 2);
    steps_make_any(l, n - n / 2);
    /* Each key once, as it was stored. */
    struct store_logs unique = {0};
    for (size_t i = 0; i < l->logs.len; i++)
        if (store_model_append(&old, &l->logs.items[i], 1).stored > 0)
            store_logs_add_slices(&unique, &l->logs.items[i]);
    for (size_t i = 0; i < unique.len; i += batch)
        store_model_append(&l->model, unique.items + i,
                           unique.len - i < batch ? unique.len - i : batch);
    life_tell(l, "a file of an older logmill, with %zu logs", unique.len);
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
        return life_differs(l, "logs are in the tables", (uint64_t)logs, l->model.len);
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

    life_calm(l);
    l->end->doing = "ending";
    if (!l->processes[l->now].k)
        error = life_open(l);
    for (int i = 0; !error && wait_ms == 0; i++)
        error = i == KEEPER_STEPS_MAX
                    ? errbuf_fail(&l->end->err, LM_EDATA, "the keeper never ends")
                    : store_keeper_step(l->processes[l->now].k, true, &wait_ms, &l->end->err);
    if (!error)
        error = life_check_all(l);
    for (size_t i = 0; !error && i < ENDING_LOOKS; i++)
        error = steps_look(l);
    for (unsigned i = 0; i < PROCESSES; i++)
        life_close(l, i);
    if (!error)
        error = check_file(l);
    if (!error && dice_one_in(&l->dice, 3)) {
        l->end->doing = "living with damage";
        error = damage_live(&l->model, l->directory, &l->sizes, &l->dice, &l->figures->damages,
                            &l->end->err);
    }
    return error;
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
        error = steps_take(&l);
    }
    if (!error)
        error = finish(&l);
    life_calm(&l);
    if (error && tells)
        tell_tables(&l);
    for (unsigned i = 0; i < PROCESSES; i++)
        life_close(&l, i);
    doubts_clear(&l);
    store_logs_release(&l.logs);
    store_model_release(&l.model);
    return error;
}
