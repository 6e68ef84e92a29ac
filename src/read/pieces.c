#include "read/pieces.h"

#include "base/check.h"
#include "base/clock.h"
#include "metrics/metrics.h"
#include "read/answer.h"

enum { FIRST_PIECE_LOGS = 250 }; /* of a download, until it is known how large they are */

static const uint64_t LOOK_AHEAD_US = 1000000; /* for one more log after a page is full */
static const uint64_t PIECE_US = 1000000;      /* a piece with something in it is sent after this */

void pieces_check(const struct pieces *p)
{
    CHECK((p->rows == 0) == (p->whole_len == 0));
    CHECK(p->whole_len <= p->out->len);
    CHECK(p->any || p->rows == 0);
    CHECK(p->any || !p->more);
    CHECK(p->format == LIST_JSON || (p->end == LIST_ENDS_LATE && p->rows <= p->piece_logs));
    CHECK(!p->ended || p->error || p->format == LIST_JSON || p->left == 0 || p->scan.done);
}

/* ---- One turn ---- */

/* Its time may be over before all is there. */
static bool is_timed(const struct pieces *p)
{
    return p->end != LIST_ENDS_LATE;
}

/* A page of JSON that is full only looks for one log more, to tell whether there is a next page. */
static bool is_page_full(const struct pieces *p)
{
    size_t bytes = p->page_bytes ? p->page_bytes : LIST_PAGE_BYTES;

    return p->format == LIST_JSON &&
           (p->left == 0 || (p->end == LIST_ENDS_BY_BYTES && p->any && p->out->len >= bytes));
}

static bool is_piece_full(const struct pieces *p)
{
    return p->end != LIST_ENDS_BY_BYTES && p->out->len >= LIST_PIECE_BYTES;
}

static int take_row(const struct record *record, void *ctx)
{
    struct pieces *p = ctx;
    struct record shown = *record;

    if (is_page_full(p)) {
        p->more = true;
        return LM_ESTOPPED;
    }
    p->row_error = projection_apply(&p->fields, &shown);
    if (!p->row_error) {
        list_format_append_log(p->out, p->format, &shown, !p->any);
        p->row_error = buffer_error(p->out);
    }
    if (p->row_error)
        return p->row_error;
    p->whole_len = p->out->len;
    p->any = true;
    p->rows++;
    p->left--;
    p->last = record->key;
    return is_piece_full(p) ? LM_ESTOPPED : 0;
}

/* From `cursor` on (NULL: the newest). */
static void start_scan(struct pieces *p, const struct log_key *cursor, uint64_t skip)
{
    store_scan_init(&p->scan, p->matcher, cursor, skip);
    p->scan.explain = p->explains ? &p->explain : NULL;
}

/*
 * Returns true if the cache had the answer. What had no room is then looked for in the store.
 * A last turn does not look: its client has gone, or its time is over.
 */
static bool look_in_cache(struct pieces *p, struct cache_client *cache,
                          const struct read_slice *slice)
{
    static const struct {
        const char *name;
        enum metric_counter metric;
    } results[] = {[CACHE_HIT] = {"hit", METRIC_CACHE_HIT},
                   [CACHE_MISS] = {"miss", METRIC_CACHE_MISS},
                   [CACHE_BYPASS] = {"bypass", METRIC_CACHE_BYPASS}};
    enum cache_result result = CACHE_BYPASS;

    if (!slice->last && !p->explains)
        result = cache_query(cache, &p->query, slice->until_us, take_row, p);
    if (cache)
        p->cached = results[result].name;
    metrics_add(results[result].metric, 1);
    if (result != CACHE_HIT)
        return false;
    if (p->row_error || is_piece_full(p))
        start_scan(p, p->any ? &p->last : NULL, p->any ? 0 : p->scan.skip);
    else
        p->scan.done = true;
    p->error = p->row_error;
    return true;
}

static void look_in_store(struct pieces *p, struct store_reader *reader, uint64_t until_us,
                          struct errbuf *err)
{
    struct store_slice slice = {.rows = p->piece_logs - p->rows, .until_us = until_us};

    if (p->format == LIST_JSON)
        slice.rows = p->left + 1; /* that is whether there is a next page */
    else if (slice.rows > p->left)
        slice.rows = p->left;
    p->error = store_scan_next(reader, &p->scan, &slice, take_row, p, err);
    read_answer_tell_damage(&p->scan, &p->damage_told, err);
    if (p->error == LM_EBUSY && !p->row_error) /* it is not the ledger that is */
        p->error = LM_EUNAVAILABLE;
}

/* Ends a page; `next` is where the next one begins. */
static enum read_step end_page(struct pieces *p)
{
    struct read_place place = {.more = p->more || !p->scan.done,
                               .out_of_time = !p->more && !is_page_full(p),
                               .before = p->more ? p->last : p->scan.before,
                               .damaged = p->scan.damaged};

    if (place.more && place.out_of_time)
        metrics_add(METRIC_READS_PARTIAL, 1);
    buffer_append_string(p->out, "],");
    read_answer_append_place(p->out, &place);
    if (p->explains)
        read_answer_append_explain(p->out, &p->explain);
    buffer_append_char(p->out, '}');
    if (!p->error)
        p->error = buffer_error(p->out);
    p->ended = true;
    return READ_DONE;
}

/*
 * A page whose time is over is an answer if the search has got on at all. Else the store is to
 * blame.
 */
static enum read_step end_of_time(struct pieces *p)
{
    if (!p->any && log_key_compare(&p->scan.before, &p->start) >= 0)
        p->error = LM_ETIMEOUT;
    return p->error ? READ_DONE : end_page(p);
}

static enum read_step judge_page(struct pieces *p, const struct read_slice *slice)
{
    uint64_t now_us = clock_monotonic_us();

    if (p->more || p->scan.done)
        return end_page(p);
    if (is_page_full(p)) {
        if (!p->full_us)
            p->full_us = now_us;
        return slice->last || now_us - p->full_us > LOOK_AHEAD_US ? end_page(p) : READ_MORE;
    }
    if (is_piece_full(p))
        return READ_DONE;
    if (slice->last)
        return is_timed(p) ? end_of_time(p) : READ_DONE;
    return READ_MORE;
}

static enum read_step judge_download(struct pieces *p, const struct read_slice *slice)
{
    p->ended = p->scan.done || p->left == 0;
    if (p->ended || slice->last || is_piece_full(p) || p->rows >= p->piece_logs ||
        (p->rows > 0 && clock_monotonic_us() - p->began_us > PIECE_US))
        return READ_DONE;
    return READ_MORE;
}

/*
 * What was found before an error is an answer, too, if it is lack of room, or of time in a page.
 * Returns false if it is none.
 */
static bool can_go_on(struct pieces *p)
{
    if (p->error == LM_EBUSY && p->rows > 0) {
        buffer_truncate(p->out, p->whole_len);
        p->more = p->end == LIST_ENDS_BY_BYTES;
    } else if (p->error != LM_ETIMEOUT || !is_timed(p)) {
        return false;
    }
    p->error = p->row_error = 0;
    return true;
}

enum read_step pieces_turn(struct pieces *p, struct read_thread *thread,
                           const struct read_slice *slice, struct errbuf *err)
{
    struct read_slice now = *slice;
    /* A page whose time is over only has to be ended. */
    bool is_done = p->looked && is_timed(p) && slice->until_us <= clock_monotonic_us();

    CHECKED(pieces_check(p));
    CHECK(!p->ended && !p->error);
    if (!p->looked && p->format == LIST_JSON)
        is_done = look_in_cache(p, thread->cache, slice);
    p->looked = true;
    if (!is_done)
        look_in_store(p, thread->reader, slice->until_us, err);
    if (p->error) {
        now.last = true; /* the last turn of this piece */
        if (!can_go_on(p))
            return READ_DONE;
    }

    enum read_step step = p->format == LIST_JSON ? judge_page(p, &now) : judge_download(p, &now);

    CHECKED(pieces_check(p));
    return step;
}

/* ---- The piece ---- */

void pieces_begin(struct pieces *p)
{
    p->rows = p->whole_len = 0;
    p->began_us = clock_monotonic_us();
    p->goes_on = p->any;
    p->before = p->scan.before;
    p->damaged_before = p->scan.damaged;
}

bool pieces_end_early(struct pieces *p)
{
    if (!p->goes_on || !is_timed(p))
        return false;
    p->goes_on = false;
    buffer_clear(p->out);
    p->left += p->rows;
    p->rows = p->whole_len = 0;
    p->scan.before = p->before;
    p->scan.damaged = p->damaged_before;
    p->scan.done = p->more = false;
    p->error = p->row_error = 0;
    end_page(p);
    return !p->error;
}

/*
 * So many logs that the next piece probably stays below LIST_PIECE_BYTES. To stop the store in the
 * middle is possible, but costs it: PostgreSQL a new connection.
 */
static uint64_t fitting_logs(const struct pieces *p)
{
    uint64_t n = p->rows * (LIST_PIECE_BYTES * 3 / 4) / (p->out->len + 1);

    return n < 1 ? 1 : n > LIST_PIECE_LOGS ? LIST_PIECE_LOGS : n;
}

void pieces_measure(struct pieces *p)
{
    CHECKED(pieces_check(p));
    if (p->rows > 0)
        p->piece_logs = fitting_logs(p);
}

int pieces_open(struct pieces *p)
{
    p->piece_logs = FIRST_PIECE_LOGS;
    p->matcher = log_matcher_new(&p->query.filter);
    if (!p->matcher)
        return LM_ENOMEM;
    p->query.filter = *log_matcher_filter(p->matcher);
    start_scan(p, p->query.has_cursor ? &p->query.cursor : NULL, p->query.offset);
    p->start = p->scan.before;
    list_format_append_head(p->out, p->format);
    return buffer_error(p->out);
}

void pieces_release(struct pieces *p)
{
    log_matcher_unref(p->matcher);
    projection_release(&p->fields);
}
