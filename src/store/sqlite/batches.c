/*
 * Batches. As in counting (count.c) the place goes down in steps, each of which brings every source
 * down to the same key; here a step is at most one block of each segment. What matches in a block
 * is handed out by columns (block/batch.h), or by its head if nothing but levels is asked for; what
 * is recent, and what columns do not tell, row by row (query/extract.h). What whole blocks have is
 * remembered for the next time, if it is little (tallies.h); then it is handed out all together.
 * Surveys (query/survey.h) go the same way, without batches.
 *
 * A step is done or was not begun: it ends with what is in memory, and a cancel waits for its end.
 */
#include <limits.h>

#include "base/check.h"
#include "base/clock.h"
#include "block/batch.h"
#include "block/survey.h"
#include "query/extract.h"
#include "store/helpers.h"
#include "store/sqlite/heads.h"
#include "store/sqlite/parts.h"
#include "store/sqlite/summary.h"

enum {
    STEP_LOGS = 512,    /* of recent logs in one step … */
    STEP_LOGS_OLD = 64, /* … and of an older logmill's */
    SUMMARIES_MAX = 8,  /* of segments that are read side by side */
    LOOK_AHEAD = 64,    /* blocks, for those that helpers may look into */
};

/* What is known of a segment's summary. */
struct summed {
    int64_t segment;               /* 0: none */
    struct summary_counts *counts; /* NULL: it has none, or no survey is there … */
    bool has_survey;               /* … if this is false */
};

struct batching {
    struct descent descent;
    const struct log_fields *fields; /* NULL: all, for a survey */
    struct block_batcher *batcher;
    struct log_extractor *extractor;
    struct store_survey *survey;
    struct block_surveyor *surveyor;
    log_batch_fn *fn;
    void *ctx;
    struct tally *tally; /* NULL: nothing is remembered */
    struct tally_sum sum;
    bool is_whole;     /* the block that is looked into, so that it can be remembered */
    bool of_levels;    /* no field but levels is asked for */
    bool by_levels;    /* nothing else decides what matches */
    bool is_passed_on; /* the error of the call is the callback's, or there is no memory */
    bool by_counts;    /* the counts of summaries can tell, by the attribute … */
    struct slice path; /* … of this path */
    struct summed summed[SUMMARIES_MAX];
    size_t next_summed;  /* whose place is taken next */
    struct parts *parts; /* NULL: nobody helps */
    bool is_late;        /* the time is over: nothing more is begun */
};

/* ---- Handing out ---- */

static int hand_out(struct batching *b, const struct log_batch *batch)
{
    int error = batch->rows > 0 ? b->fn(batch, b->ctx) : 0;

    if (error)
        b->is_passed_on = true;
    return error;
}

static int flush(struct batching *b)
{
    struct log_batch batch;
    int error = log_extractor_batch(b->extractor, &batch);

    if (error)
        b->is_passed_on = true;
    else
        error = hand_out(b, &batch);
    log_extractor_clear(b->extractor);
    return error;
}

static int add_to_survey(struct batching *b, const struct record *record)
{
    b->survey->error = survey_add(b->survey->survey, record);
    if (b->survey->error)
        b->is_passed_on = true;
    return b->survey->error;
}

static int add_record(struct batching *b, const struct record *record)
{
    int error = b->survey ? add_to_survey(b, record) : log_extractor_add(b->extractor, record);

    if (b->survey)
        return error;

    if (error)
        b->is_passed_on = true;
    return !error && log_extractor_is_full(b->extractor) ? flush(b) : error;
}

/* What was remembered, or is to be, of blocks so far. */
static int flush_sum(struct batching *b)
{
    int error = tallies_hand_out(&b->descent.r->s->tallies, b->tally, &b->sum, b->fn, b->ctx);

    if (error)
        b->is_passed_on = true;
    return error;
}

/* ---- Recent logs, and those of an older logmill ---- */

static int add_log(struct batching *b, const struct record *record)
{
    struct descent *w = &b->descent;
    bool matches = true;
    int error = 0;

    if (w->scan->explain)
        w->scan->explain->recent++;
    if (w->plan)
        error = log_matcher_match(w->scan->matcher, record, &matches, w->err);
    return !error && matches ? add_record(b, record) : error;
}

static int take_recent(struct batching *b, struct source *s, const struct log_key *target)
{
    struct store_sqlite_reader *r = b->descent.r;
    const struct recent_log *logs = r->catalog.recent.logs;
    int error = 0;

    while (!error && s->row > 0 && log_key_compare(&logs[s->row - 1].key, target) >= 0) {
        struct record record;

        error = recent_record(&r->catalog.recent, &r->db, &logs[--s->row], &record, b->descent.err);
        if (!error)
            error = add_log(b, &record);
    }
    if (s->row > 0)
        s->bound = logs[s->row - 1].key;
    else
        s->state = SOURCE_END;
    return error;
}

/* The statement stands on a log that is not taken yet, `bound` being its key. */
static int take_old(struct batching *b, struct source *s, const struct log_key *target)
{
    struct descent *w = &b->descent;
    int error = s->state == SOURCE_FAR ? descent_step_old(w, s) : 0;

    while (!error && s->state == SOURCE_AT && log_key_compare(&s->bound, target) >= 0) {
        struct record record;

        store_sqlite_reader_take(w->old, &s->bound, &record);
        error = add_log(b, &record);
        if (!error)
            error = descent_step_old(w, s);
    }
    return error;
}

/* ---- Blocks ---- */

static int64_t bucket_of(const struct log_fields *f, int64_t time_us)
{
    int64_t us = time_us - f->bucket_from_us;

    return us / f->bucket_us - (us % f->bucket_us < 0);
}

/* Whether one time stands for all of the block's. */
static bool has_one_time(const struct log_fields *f, const struct block_head *head)
{
    return f->any_time || (f->bucket_us && bucket_of(f, head->first.timestamp_us) ==
                                               bucket_of(f, head->last.timestamp_us));
}

/* A row for each level. */
static int hand_out_head(struct batching *b, const struct block_head *head)
{
    struct log_value values[BLOCK_HEAD_LEVELS_MAX];
    uint32_t codes[BLOCK_HEAD_LEVELS_MAX];
    uint64_t counts[BLOCK_HEAD_LEVELS_MAX];
    int64_t times[BLOCK_HEAD_LEVELS_MAX];
    struct log_column columns[LOG_FIELDS_MAX];
    struct log_batch batch = {
        .times_us = b->fields->any_time ? NULL : times, .counts = counts, .columns = columns};

    for (unsigned i = 0; i < head->levels_len; i++) {
        if (!heads_take(&b->descent, head, i))
            continue;
        values[batch.rows] = (struct log_value){head->levels[i].level, LOG_VALUE_STRING};
        codes[batch.rows] = (uint32_t)batch.rows;
        counts[batch.rows] = head->levels[i].rows;
        times[batch.rows++] = head->first.timestamp_us;
    }
    for (size_t i = 0; i < b->fields->len; i++)
        columns[i] = (struct log_column){
            .values = values, .values_len = (uint32_t)batch.rows, .codes = codes};
    if (b->descent.scan->explain)
        b->descent.scan->explain->by_head++;
    return hand_out(b, &batch);
}

/* Logs of which columns do not tell, the last one first. */
static int take_others(struct batching *b, struct open_block *block, const uint64_t *others,
                       struct errbuf *err)
{
    int error = 0;

    for (size_t word = BLOCK_ROW_WORDS(block->head.rows); !error && word-- > 0;) {
        for (uint64_t left = others[word]; !error && left;) {
            unsigned bit = 63 - (unsigned)__builtin_clzll(left);
            struct record record;

            left ^= UINT64_C(1) << bit;
            error = block_record(block->reader, word * 64 + bit, &record, err);
            if (!error)
                error = add_record(b, &record);
        }
    }
    return error;
}

/* ---- Summaries ---- */

static bool may_have_summary(const struct segment *s)
{
    return s->cold && s->changes == 0;
}

static struct summed *find_summed(struct batching *b, int64_t segment)
{
    for (size_t i = 0; i < SUMMARIES_MAX; i++)
        if (b->summed[i].segment == segment)
            return &b->summed[i];
    return NULL;
}

/* `*summed`: what is known of the segment's summary. */
static int read_summary(struct batching *b, int64_t segment, struct summed **summed)
{
    struct sqlite_db *db = &b->descent.r->db;
    struct summed *s = find_summed(b, segment);
    int error;

    *summed = s;
    if (s)
        return 0;
    s = &b->summed[b->next_summed++ % SUMMARIES_MAX];
    summary_counts_free(s->counts);
    *s = (struct summed){.segment = 0};
    error = b->survey ? summary_has_survey(db, segment, &s->has_survey, b->descent.err)
                      : summary_counts_read(db, segment, b->path, &s->counts, b->descent.err);
    if (store_sqlite_is_damage(db, error)) /* it would have spared us a look into blocks */
        error = 0;
    if (!error)
        s->segment = segment;
    *summed = s;
    return error;
}

static void release_summaries(struct batching *b)
{
    for (size_t i = 0; i < SUMMARIES_MAX; i++)
        summary_counts_free(b->summed[i].counts);
}

/*
 * What the counts of its segment's summary say of a whole block, as a batch; `*tells` is false if
 * there are none.
 */
static int ask_counts(struct batching *b, const struct source *s, const struct block_head *head,
                      struct log_batch *batch, bool *tells)
{
    struct descent *w = &b->descent;
    struct summed *summed;
    int error;

    *tells = false;
    if (!b->by_counts || !may_have_summary(&s->segment->segment))
        return 0;
    error = read_summary(b, s->segment->segment.number, &summed);
    if (error || !summed->counts)
        return error;
    return summary_counts_batch(summed->counts, (uint32_t)s->blocks - 1, b->fields,
                                w->plan ? w->scan->matcher : NULL, head->first.timestamp_us, batch,
                                tells, w->err);
}

/* Whether all logs of the segment that `s` is near are asked for. */
static bool is_whole(const struct descent *w, const struct source *s)
{
    const struct segment *segment = &s->segment->segment;

    return s->blocks == segment->blocks && log_key_compare(&segment->last, &w->start) < 0 &&
           log_key_compare(&segment->first, &w->low) >= 0;
}

/* … and its summary tells all that is asked of them, at once. */
static int tells_all(struct batching *b, const struct source *s, bool *tells)
{
    const struct descent *w = &b->descent;
    bool can = b->survey ? !w->plan : b->by_counts && b->fields->any_time;
    struct summed *summed;
    int error;

    *tells = can && s->kind == SOURCE_SEGMENT && s->state == SOURCE_NEAR &&
             may_have_summary(&s->segment->segment) && is_whole(w, s);
    if (!*tells)
        return 0;
    error = read_summary(b, s->segment->segment.number, &summed);
    *tells = !error &&
             (summed->has_survey || (summed->counts && summary_counts_tell_all(summed->counts)));
    return error;
}

static int add_survey(struct batching *b, const struct source *s, bool *taken)
{
    struct sqlite_db *db = &b->descent.r->db;
    int error = summary_survey_add(db, s->segment->segment.number, b->survey->survey, taken,
                                   &b->survey->error, b->descent.err);

    if (b->survey->error)
        b->is_passed_on = true;
    else if (store_sqlite_is_damage(db, error))
        error = 0;
    return error;
}

static int hand_out_counts(struct batching *b, const struct source *s)
{
    struct descent *w = &b->descent;
    struct log_batch batch;
    struct summed *summed;
    int error = read_summary(b, s->segment->segment.number, &summed);

    CHECK(error || summed->counts); /* as tells_all has seen */
    if (!error)
        error = summary_counts_all(summed->counts, b->fields, w->plan ? w->scan->matcher : NULL,
                                   &batch, w->err);
    return error ? error : hand_out(b, &batch);
}

/* Takes all of the segment that `s` is near by its summary; false: the survey is damaged. */
static int take_summary(struct batching *b, struct source *s, bool *taken)
{
    struct descent *w = &b->descent;
    int error;

    *taken = true;
    if (b->survey)
        error = add_survey(b, s, taken);
    else
        error = hand_out_counts(b, s);
    if (error || !*taken)
        return error;
    if (w->scan->explain)
        w->scan->explain->by_head += s->blocks;
    s->state = SOURCE_END;
    return 0;
}

static int survey_rows(struct batching *b, struct open_block *block, uint32_t from, uint32_t to,
                       struct errbuf *err)
{
    const uint64_t *others;
    int error = block_survey(b->surveyor, block->reader, block->rows, from, to, b->survey->survey,
                             &others, &b->survey->error, err);

    if (b->survey->error)
        b->is_passed_on = true;
    return error ? error : take_others(b, block, others, err);
}

/* What came of a block, or of some of its rows. */
static int take_batched(struct batching *b, struct open_block *block,
                        const struct block_batched *batched, struct errbuf *err)
{
    int error = 0;

    if (!b->is_whole || batched->any_others ||
        !tallies_note(&b->descent.r->s->tallies, b->tally, block->head.number, &batched->batch,
                      &b->sum))
        error = hand_out(b, &batched->batch);
    if (!error && batched->any_others)
        error = take_others(b, block, batched->others, err);
    return error;
}

static int take_rows(struct batching *b, struct source *s, struct open_block *block, uint32_t from,
                     uint32_t to, struct errbuf *err)
{
    struct block_batched batched;
    int error = descent_select(&b->descent, s, block, err);

    if (!error && b->survey)
        return survey_rows(b, block, from, to, err);
    if (!error)
        error = block_batch(b->batcher, block->reader, block->rows, from, to, &batched, err);
    return error ? error : take_batched(b, block, &batched, err);
}

/* ---- What helpers look into ---- */

/* All of its logs lie in the range of the call, and none is erased. */
static bool is_all_asked(const struct descent *w, const struct source *s,
                         const struct block_head *head)
{
    return s->segment->segment.erased == 0 && log_key_compare(&head->last, &w->start) < 0 &&
           log_key_compare(&head->first, &w->low) >= 0;
}

/* Whether it will have to be looked into. What it is if that is not sure, does no harm. */
static bool has_to_be_read(struct batching *b, const struct source *s, size_t index,
                           const struct block_head *head)
{
    struct tallies *tallies = &b->descent.r->s->tallies;
    struct summed *summed = find_summed(b, s->segment->segment.number);

    if (!descent_may_hold(&b->descent, s, index, head) || !is_all_asked(&b->descent, s, head))
        return false;
    if (!has_one_time(b->fields, head))
        return true;
    if (b->of_levels && head->levels_len > 0 &&
        (b->by_levels || block_plan_tells(b->descent.plan, head)))
        return false;
    if (b->by_counts && summed && summed->counts)
        return false;
    return !b->tally || !tallies_know(tallies, b->tally, head->number);
}

/* Offers what comes after the block that `s` is near, whose head is `next`. */
static void look_ahead(struct batching *b, const struct source *s, const struct block_head *next)
{
    for (size_t i = 1; i < s->blocks && i <= LOOK_AHEAD; i++) {
        const struct block_head *head = next - i;

        if (!parts_have_room(b->parts, head->raw_bytes))
            return;
        if (!parts_have(b->parts, head->number) && has_to_be_read(b, s, s->blocks - 1 - i, head))
            parts_offer(b->parts, &s->segment->segment, head);
    }
}

/* Takes the block from a helper, if it is all to be taken now; `*done`: it was. */
static int take_part(struct batching *b, struct source *s, const struct log_key *target, bool *done,
                     struct errbuf *err)
{
    struct open_block *block;
    struct block_batched batched;

    *done = b->parts && s->state == SOURCE_NEAR && parts_have(b->parts, s->head.number) &&
            log_key_compare(&s->head.first, target) >= 0 &&
            parts_take(b->parts, s->head.number, &block, &batched);
    if (!*done)
        return 0;
    s->state = SOURCE_AT;
    s->row = 0;
    s->bound = descent_key_below(*target);
    return take_batched(b, block, &batched, err);
}

/* ---- A block ---- */

/* Looks into the block: its rows down to the target. */
static int take_in_block(struct batching *b, struct source *s, const struct log_key *target,
                         struct errbuf *err)
{
    struct descent *w = &b->descent;
    const struct log_key *keys;
    struct open_block *block;
    uint32_t from;
    bool done;
    int error = take_part(b, s, target, &done, err);

    if (error || done)
        return error;
    error = s->state == SOURCE_NEAR ? descent_open(w, s, &block, err)
                                    : blocks_open(&w->r->blocks, &s->head, &block, err);
    if (error)
        return error;
    if (s->state == SOURCE_NEAR)
        s->row = s->to;
    s->state = SOURCE_AT;
    error = blocks_rows_below(block, target, &from, err);
    if (!error && from < s->row)
        error = take_rows(b, s, block, from, (uint32_t)s->row, err);
    if (!error && from > 0)
        error = block_keys(block->reader, &keys, err);
    if (error)
        return error;
    s->row = from;
    s->bound = from > 0 ? keys[from - 1] : descent_key_below(*target);
    return 0;
}

/* Hands out what is known of the block that is looked at, and notes it for the next time. */
static int note_or_hand_out(struct batching *b, const struct block_head *head,
                            const struct log_batch *batch)
{
    if (b->descent.scan->explain)
        b->descent.scan->explain->by_head++;
    if (b->is_whole &&
        tallies_note(&b->descent.r->s->tallies, b->tally, head->number, batch, &b->sum))
        return 0;
    return hand_out(b, batch);
}

/* The same by the summary of its segment: `*done` is false if that does not tell. */
static int take_counts(struct batching *b, const struct source *s, const struct log_key *target,
                       const struct block_head *head, bool *done)
{
    struct log_batch batch;
    bool is_whole = b->is_whole;
    int error = 0;

    *done = false;
    if (b->by_counts && !is_whole && has_one_time(b->fields, head))
        error = heads_is_whole(&b->descent, s, target, head, &is_whole);
    if (!error && is_whole)
        error = ask_counts(b, s, head, &batch, done);
    return error || !*done ? error : note_or_hand_out(b, head, &batch);
}

/* `*done`: what the block has is known. */
static int remember(struct batching *b, const struct source *s, const struct log_key *target,
                    const struct block_head *head, bool *done)
{
    struct descent *w = &b->descent;
    struct tally_sum *sum = &b->sum;
    int error = 0;

    b->is_whole = false;
    if (b->tally && has_one_time(b->fields, head))
        error = heads_is_whole(w, s, target, head, &b->is_whole);
    if (error || !b->is_whole)
        return error;
    if (!b->fields->any_time &&
        bucket_of(b->fields, sum->time_us) != bucket_of(b->fields, head->first.timestamp_us))
        error = flush_sum(b);
    sum->time_us = head->first.timestamp_us;
    *done = !error && tallies_recall(&w->r->s->tallies, b->tally, head->number, sum);
    return error;
}

/* Takes what the block has down to the target, and goes on to the next one if that is all. */
static int take_block(struct batching *b, struct source *s, const struct log_key *target)
{
    struct descent *w = &b->descent;
    struct errbuf detail = ERRBUF_INIT;
    const struct block_head *head;
    bool by_head = false, is_known = false;
    int error = heads_of(w, s, &head);

    if (!error && b->of_levels && has_one_time(b->fields, head))
        error = heads_can_tell(w, s, target, head, b->by_levels, &by_head);
    if (!error && !by_head)
        error = remember(b, s, target, head, &is_known);
    if (!error && !by_head && !is_known)
        error = take_counts(b, s, target, head, &is_known);
    if (error)
        return error;
    if (by_head) {
        error = hand_out_head(b, head);
    } else if (!is_known) {
        if (b->parts && !b->is_late)
            look_ahead(b, s, head);
        error = take_in_block(b, s, target, &detail);
        if (error && !b->is_passed_on && store_sqlite_is_damage(&w->r->db, error)) {
            error = descent_bear(w, s, error, &detail);
            return error ? error : descent_next_block(w, s);
        }
        if (error && !b->is_passed_on)
            return errbuf_fail(w->err, error, "%s", detail.text);
    }
    if (error)
        return error;
    return log_key_compare(&s->head.first, target) >= 0 ? descent_next_block(w, s) : 0;
}

static int take_source(struct batching *b, struct source *s, const struct log_key *target)
{
    bool by_summary = false;
    int error = 0;

    if (s->kind == SOURCE_RECENT)
        return take_recent(b, s, target);
    if (s->kind == SOURCE_OLD)
        return take_old(b, s, target);
    if (log_key_compare(&s->segment->segment.first, target) >= 0)
        error = tells_all(b, s, &by_summary);
    if (!error && by_summary)
        error = take_summary(b, s, &by_summary);
    while (!error && s->state != SOURCE_END && log_key_compare(&s->bound, target) >= 0)
        error = take_block(b, s, target);
    return error;
}

/* ---- Steps ---- */

static void raise(struct log_key *key, const struct log_key *to)
{
    if (log_key_compare(key, to) < 0)
        *key = *to;
}

/* The lowest key down to which the source has a bounded amount of work. */
static int propose(struct batching *b, const struct source *s, struct log_key *key)
{
    const struct recent_log *logs = b->descent.r->catalog.recent.logs;
    bool by_summary;
    int error = tells_all(b, s, &by_summary);

    if (error)
        return error;
    if (s->kind == SOURCE_OLD)
        return descent_nth_old(&b->descent, STEP_LOGS_OLD, key);
    *key = s->kind == SOURCE_RECENT ? logs[s->row > STEP_LOGS ? s->row - STEP_LOGS : 0].key
           : s->state == SOURCE_FAR || by_summary ? s->segment->segment.first
                                                  : s->head.first;
    return 0;
}

/* A segment that is far and reaches above `target`; NULL: none. */
static struct source *find_far(const struct descent *w, const struct log_key *target)
{
    for (size_t i = 0; i < w->len; i++) {
        struct source *s = w->sources[i];

        if (s->kind == SOURCE_SEGMENT && s->state == SOURCE_FAR &&
            log_key_compare(&s->bound, target) >= 0)
            return s;
    }
    return NULL;
}

/* Where this step ends. The segments above that have come near, so that each has one block there,
 * but for those that are at its very end. */
static int aim(struct batching *b, struct log_key *target)
{
    struct descent *w = &b->descent;
    struct source *far;
    int error = 0;

    do {
        *target = w->low;
        for (size_t i = 0; !error && i < w->len; i++) {
            struct log_key key;

            if (w->sources[i]->state == SOURCE_END)
                continue;
            error = propose(b, w->sources[i], &key);
            if (!error)
                raise(target, &key);
        }
        if (error)
            return error;
        descent_reach(w, target);
        far = find_far(w, target);
        if (far)
            error = descent_come_near(w, far);
    } while (far && !error);
    return error;
}

static int step(struct batching *b)
{
    struct descent *w = &b->descent;
    struct source *top = descent_highest(w);
    struct log_key target;
    int error = 0;

    if (!top) {
        w->scan->done = true;
        return 0;
    }
    descent_move_down(w, top); /* past segments that their filters have ruled out */
    if (top->state == SOURCE_FAR && top->kind == SOURCE_SEGMENT)
        return descent_come_near(w, top);
    w->r->defers_cancel = true;
    error = aim(b, &target);
    for (size_t i = 0; !error && i < w->len; i++)
        if (w->sources[i]->state != SOURCE_END &&
            log_key_compare(&w->sources[i]->bound, &target) >= 0)
            error = take_source(b, w->sources[i], &target);
    w->r->defers_cancel = false;
    if (!error)
        w->scan->before = target;
    return error;
}

static bool has_moved(const struct descent *w)
{
    return w->scan->done || log_key_compare(&w->scan->before, &w->start) < 0;
}

static int steps(struct batching *b, uint64_t until_us)
{
    struct descent *w = &b->descent;
    int error = 0;

    do {
        error = step(b);
        if (!error)
            error = store_sqlite_reader_go_on(w->r, w->err);
    } while (!error && !w->scan->done &&
             !(until_us && has_moved(w) && clock_monotonic_us() >= until_us));
    return error;
}

/* When the time is over: takes what helpers have begun, as long as that comes next. */
static int take_begun(struct batching *b)
{
    struct descent *w = &b->descent;
    unsigned before = UINT_MAX;
    int error = 0;

    b->is_late = true;
    parts_stop(b->parts);
    while (!error && !w->scan->done && parts_ahead(b->parts) > 0 &&
           parts_ahead(b->parts) < before) {
        before = parts_ahead(b->parts);
        error = step(b);
        if (!error)
            error = store_sqlite_reader_go_on(w->r, w->err);
    }
    return error;
}

static int go_on(struct batching *b, const struct store_slice *slice)
{
    struct descent *w = &b->descent;
    struct store_sqlite_reader *r = w->r;
    int error;

    if (b->fields && !w->scan->explain && store_helpers_allowed(slice->helpers) > 0) {
        if (!r->parts)
            r->parts = parts_new(r);
        b->parts = r->parts;
        parts_begin(b->parts, slice->helpers, b->fields, w->plan, w->plan_number);
    }
    error = steps(b, slice->until_us);
    if (!error && b->parts)
        error = take_begun(b);
    if (b->parts)
        parts_end(b->parts);
    return error;
}

/* What is remembered is of no use to who wants to know which blocks are read. */
static void begin_tally(struct batching *b)
{
    const struct log_filter *filter = log_matcher_filter(b->descent.scan->matcher);

    b->by_counts = summary_can_judge(b->fields, filter->query, &b->path);
    b->sum.any_time = b->fields->any_time;
    if (!b->descent.scan->explain)
        b->tally = tallies_ask(&b->descent.r->s->tallies, b->fields, filter->query);
}

static bool are_levels(const struct log_fields *f)
{
    for (size_t i = 0; i < f->len; i++)
        if (f->items[i].kind != LOG_FIELD_LEVEL)
            return false;
    return true;
}

/* All of a call, but for making what hands out, and releasing it. */
static int hand_out_all(struct batching *b, struct store_sqlite_reader *r, struct store_scan *scan,
                        const struct store_slice *slice, struct errbuf *err)
{
    int error = descent_begin(&b->descent, r, scan, false, err);

    b->by_levels = !error && (!b->descent.plan || block_plan_is_of_levels(b->descent.plan));
    if (!error && !b->batcher && !b->surveyor)
        error = errbuf_fail(err, LM_ENOMEM, "no memory for batches");
    if (!error) {
        if (!b->survey)
            begin_tally(b);
        error = go_on(b, slice);
    }
    /* The place is behind all that they have, whatever ended the call. */
    if (!b->is_passed_on && b->sum.met_len > 0) {
        int failed = flush_sum(b);

        error = failed ? failed : error;
    }
    if (!b->is_passed_on && b->extractor && log_extractor_rows(b->extractor) > 0) {
        int failed = flush(b);

        error = failed ? failed : error;
    }
    release_summaries(b);
    tallies_give_back(&r->s->tallies, b->tally);
    tally_sum_release(&b->sum);
    descent_end(&b->descent);
    return store_sqlite_reader_end(r, error);
}

int store_sqlite_scan_batches(struct store_reader *base, struct store_scan *s,
                              const struct store_slice *slice, const struct log_fields *fields,
                              log_batch_fn *fn, void *ctx, struct errbuf *err)
{
    struct store_sqlite_reader *r = (struct store_sqlite_reader *)base;
    struct batching b = {.fields = fields, .fn = fn, .ctx = ctx, .of_levels = are_levels(fields)};
    int error = store_sqlite_reader_begin(r, err);

    if (error)
        return error;
    b.extractor = log_extractor_new(fields);
    b.batcher = block_batcher_new(fields);
    error = hand_out_all(&b, r, s, slice, err);
    block_batcher_free(b.batcher);
    log_extractor_free(b.extractor);
    return error;
}

int store_sqlite_scan_survey(struct store_reader *base, struct store_scan *s,
                             const struct store_slice *slice, struct store_survey *survey,
                             struct errbuf *err)
{
    struct store_sqlite_reader *r = (struct store_sqlite_reader *)base;
    struct batching b = {.survey = survey};
    int error = store_sqlite_reader_begin(r, err);

    if (error)
        return error;
    b.surveyor = block_surveyor_new();
    error = hand_out_all(&b, r, s, slice, err);
    block_surveyor_free(b.surveyor);
    return error;
}
