#include "read/newer.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/timestamp.h"

enum {
    SPAN_GROWS = 4, /* of a window after one that was complete */
    /* A window with so many logs for each that is looked for, and so many, is cut in half. */
    CROWD_FACTOR = 4,
    CROWD_LOGS = 256,
    TEXTS_BYTES_MAX = 1 << 30, /* a ceiling because every buffer has one */
};

/* ---- Places ---- */

/* The lowest key that a log can have instead of one that is below all of its time. */
static struct log_key cursor_key(const struct log_key *key)
{
    struct log_key lowest = log_key_lowest(key->timestamp_us);

    return log_key_compare(key, &lowest) < 0 ? lowest : *key;
}

size_t newer_place_format(const struct newer_place *place, char out[NEWER_PLACE_LEN])
{
    struct log_key key = cursor_key(&place->from);

    out[0] = place->is_taken ? '.' : '~';
    log_key_format_cursor(&key, out + 1);
    if (!place->has_top)
        return 1 + LOG_KEY_CURSOR_LEN;
    key = cursor_key(&place->top);
    log_key_format_cursor(&key, out + 1 + LOG_KEY_CURSOR_LEN);
    return 1 + 2 * LOG_KEY_CURSOR_LEN;
}

int newer_place_parse(struct slice text, struct newer_place *place)
{
    *place = (struct newer_place){.has_top = text.len == NEWER_PLACE_LEN};
    if (text.len != 1 + LOG_KEY_CURSOR_LEN && !place->has_top)
        return LM_EINVAL;
    if (text.data[0] != '.' && text.data[0] != '~')
        return LM_EINVAL;
    place->is_taken = text.data[0] == '.';
    if (log_key_parse_cursor(slice_of(text.data + 1, LOG_KEY_CURSOR_LEN), &place->from))
        return LM_EINVAL;
    if (!place->has_top)
        return 0;
    if (log_key_parse_cursor(slice_of(text.data + 1 + LOG_KEY_CURSOR_LEN, LOG_KEY_CURSOR_LEN),
                             &place->top))
        return LM_EINVAL;
    return log_key_compare(&place->from, &place->top) <= 0 ? 0 : LM_EINVAL;
}

/* ---- Logs ---- */

static void logs_release(struct newer_logs *logs)
{
    buffer_release(&logs->texts);
    free(logs->items);
}

static size_t logs_len(const struct newer_logs *logs)
{
    return logs->len - logs->gone;
}

static size_t logs_bytes(const struct newer_logs *logs)
{
    return logs->gone < logs->len ? logs->texts.len - logs->items[logs->gone].start : 0;
}

static void logs_clear(struct newer_logs *logs)
{
    buffer_clear(&logs->texts);
    logs->len = logs->gone = 0;
}

/* Gives the room of those that are gone back once it is more than half. */
static void logs_compact(struct newer_logs *logs)
{
    size_t bytes = logs->texts.len - logs_bytes(logs);

    if (logs->gone * 2 < logs->len || bytes == 0)
        return;
    buffer_consume(&logs->texts, bytes);
    logs->len -= logs->gone;
    memmove(logs->items, logs->items + logs->gone, logs->len * sizeof(*logs->items));
    logs->gone = 0;
    for (size_t i = 0; i < logs->len; i++)
        logs->items[i].start -= bytes;
}

/* The newest is left out. */
static void logs_drop(struct newer_logs *logs)
{
    logs->gone++;
    logs_compact(logs);
}

static void logs_note(struct newer_logs *logs, const struct log_key *key, size_t start)
{
    logs->items = array_reserve(logs->items, &logs->capacity, logs->len + 1, sizeof(*logs->items));
    logs->items[logs->len++] =
        (struct newer_log){.key = *key, .start = start, .len = logs->texts.len - start};
}

/* Appends all of `from`. Returns the buffer's error. */
static int logs_append(struct newer_logs *logs, const struct newer_logs *from)
{
    for (size_t i = from->gone; i < from->len; i++) {
        size_t start = logs->texts.len;

        buffer_append(&logs->texts, from->texts.data + from->items[i].start, from->items[i].len);
        if (buffer_error(&logs->texts))
            return buffer_error(&logs->texts);
        logs_note(logs, &from->items[i].key, start);
    }
    return 0;
}

/* ---- Windows ---- */

/* The time from which on nothing is asked for, or there is nothing. */
static int64_t end_us(const struct newer *n)
{
    int64_t until_us = log_matcher_filter(n->asked)->until_us;

    return until_us > TIMESTAMP_MAX_US ? TIMESTAMP_MAX_US + 1 : until_us;
}

/* One more than is wanted tells whether there are more. */
static size_t goal(const struct newer *n)
{
    return n->wanted + 1;
}

static uint64_t crowd(const struct newer *n)
{
    return (uint64_t)goal(n) * CROWD_FACTOR + CROWD_LOGS;
}

/* Begins to go through what lies between the place and `top`. Returns 0 or LM_ENOMEM. */
static int open_window(struct newer *n, const struct log_key *top)
{
    struct log_filter filter = *log_matcher_filter(n->asked);

    n->top = *top;
    n->is_last = top->timestamp_us >= end_us(n);
    n->is_half = false;
    n->met = 0;
    n->is_cut = false;
    logs_clear(&n->window);
    log_matcher_unref(n->matcher);
    if (filter.since_us < n->place.from.timestamp_us)
        filter.since_us = n->place.from.timestamp_us;
    n->matcher = log_matcher_new(&filter);
    if (!n->matcher)
        return LM_ENOMEM;
    n->damaged += n->scan.damaged;
    store_scan_init(&n->scan, n->matcher, top, 0);
    n->scan.explain = n->explain;
    return 0;
}

/* Where the next window ends. */
static struct log_key next_top(const struct newer *n)
{
    struct log_key top = {.timestamp_us = end_us(n)};
    int64_t from_us = n->place.from.timestamp_us, now_us = clock_wall_us();
    int64_t span_us = n->span_us > 0 ? n->span_us : 1;

    if (n->place.has_top) /* the last time that there is stands for the end */
        return n->place.top.timestamp_us < TIMESTAMP_MAX_US ? n->place.top : top;
    /* Whatever is later than now is not much. */
    if (from_us < now_us && span_us < now_us - from_us && from_us + span_us < top.timestamp_us)
        top.timestamp_us = from_us + span_us;
    return top;
}

static int open_next(struct newer *n)
{
    struct log_key top = next_top(n);

    n->span_us = top.timestamp_us - n->place.from.timestamp_us;
    return open_window(n, &top);
}

/* Too many: what is nearer than half of the way to those. False: there is no such time. */
static bool halve(struct newer *n, int *error)
{
    int64_t from_us = n->place.from.timestamp_us;
    int64_t half_us = (n->scan.before.timestamp_us - from_us) / 2;
    struct log_key top = {.timestamp_us = from_us + (half_us > 0 ? half_us : 1)};

    if (log_key_compare(&top, &n->scan.before) >= 0)
        return false;
    n->span_us = n->scan.before.timestamp_us - top.timestamp_us; /* of the window after it */
    *error = open_window(n, &top);
    n->is_half = true;
    return true;
}

/* All of the window is known: what was found in it is newer than all before. */
static int close_window(struct newer *n)
{
    int error = logs_append(&n->window, &n->found);
    struct newer_logs swapped = n->found;

    if (error)
        return error;
    n->found = n->window;
    n->window = swapped;
    logs_clear(&n->window);
    log_matcher_unref(n->matcher);
    n->matcher = NULL;
    n->more = n->is_cut || logs_len(&n->found) > n->wanted;
    while (logs_len(&n->found) > n->wanted)
        logs_drop(&n->found);
    n->done = n->more || n->is_last;
    if (!n->done) {
        n->place = (struct newer_place){.from = n->top};
        if (!n->is_half && n->span_us < INT64_MAX / SPAN_GROWS)
            n->span_us *= SPAN_GROWS;
    } else if (logs_len(&n->found) > 0) {
        n->place =
            (struct newer_place){.from = n->found.items[n->found.gone].key, .is_taken = true};
    }
    return 0;
}

/* ---- Steps ---- */

static bool is_before_place(const struct newer *n, const struct log_key *key)
{
    int order = log_key_compare(key, &n->place.from);

    return order < 0 || (order == 0 && n->place.is_taken);
}

static int take_row(const struct record *record, void *ctx)
{
    struct newer *n = ctx;
    size_t start = n->window.texts.len;

    if (is_before_place(n, &record->key))
        return 0;
    n->append(&n->window.texts, record, n->ctx);
    n->error = buffer_error(&n->window.texts);
    if (n->error) {
        buffer_truncate(&n->window.texts, start);
        return n->error;
    }
    logs_note(&n->window, &record->key, start);
    n->met++;
    while (logs_len(&n->window) > 0 && logs_len(&n->window) + logs_len(&n->found) > 1 &&
           (logs_len(&n->window) + logs_len(&n->found) > goal(n) ||
            logs_bytes(&n->window) + logs_bytes(&n->found) > n->bytes_max)) {
        logs_drop(&n->window);
        n->is_cut = true;
    }
    return 0;
}

/* What else is in it, of the same microsecond, comes before the place. */
static bool is_gone_through(const struct newer *n)
{
    return n->scan.done || log_key_compare(&n->scan.before, &n->place.from) <= 0;
}

int newer_step(struct newer *n, struct store_reader *reader, uint64_t until_us, struct errbuf *err)
{
    struct log_key before;
    struct store_slice slice = {.until_us = until_us};
    int error = 0;

    if (n->done)
        return 0;
    if (!n->matcher && (error = open_next(n)))
        return error;
    if (n->met > crowd(n) && halve(n, &error)) {
        n->moved = true;
        if (error)
            return error;
    }
    before = n->scan.before;
    slice.rows = crowd(n) + 1;
    error = store_scan_next(reader, &n->scan, &slice, take_row, n, err);
    if (log_key_compare(&n->scan.before, &before) < 0 || n->scan.done)
        n->moved = true;
    if (n->error)
        return n->error;
    if (error)
        return error == LM_EBUSY ? LM_EUNAVAILABLE : error; /* it is not the ledger that is */
    return is_gone_through(n) ? close_window(n) : 0;
}

size_t newer_append_found(const struct newer *n, bool oldest_first, struct buffer *b)
{
    size_t len = logs_len(&n->found);

    for (size_t i = 0; i < len; i++) {
        const struct newer_log *log =
            &n->found.items[oldest_first ? n->found.len - 1 - i : n->found.gone + i];

        if (i > 0)
            buffer_append_char(b, ',');
        buffer_append(b, n->found.texts.data + log->start, log->len);
    }
    return len;
}

struct newer_place newer_next(const struct newer *n)
{
    struct newer_place place = n->place;

    if (n->done)
        return place;
    place.has_top = true;
    place.top = n->matcher ? n->scan.before : next_top(n);
    if (place.top.timestamp_us > TIMESTAMP_MAX_US) /* as a cursor, it is of a time that there is */
        place.top = log_key_lowest(TIMESTAMP_MAX_US);
    return place;
}

uint64_t newer_damaged(const struct newer *n)
{
    return n->damaged + n->scan.damaged;
}

int newer_init(struct newer *n, const struct log_matcher *asked, const struct newer_place *place,
               size_t wanted, int64_t span_us, struct account *account)
{
    n->asked = asked;
    n->place = *place;
    n->wanted = wanted;
    n->bytes_max = NEWER_BYTES_MAX;
    n->span_us = span_us;
    n->done = place->from.timestamp_us >= end_us(n);
    buffer_init(&n->found.texts, TEXTS_BYTES_MAX);
    buffer_init(&n->window.texts, TEXTS_BYTES_MAX);
    return buffer_charge(&n->found.texts, account) && buffer_charge(&n->window.texts, account)
               ? 0
               : LM_EBUSY;
}

void newer_release(struct newer *n)
{
    logs_release(&n->found);
    logs_release(&n->window);
    log_matcher_unref(n->matcher);
}
