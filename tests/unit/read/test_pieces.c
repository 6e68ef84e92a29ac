/*
 * What GET /logs answers, piece by piece, over a store of logs that are numbered downwards. How
 * many of them a call hands out, and what fails, is told beforehand.
 */
#include "read/pieces.h"

#include <string.h>

#include "base/clock.h"
#include "base/timestamp.h"

#include "../cmocka_all.h"

enum { LOGS = 1000, OUT_MAX = 64 << 20 };

static const uint64_t SECOND_US = 1000000;

/* ---- The store ---- */

static uint64_t rows_a_call;
static int store_error;
static char message[4096]; /* of every log */
static size_t message_len;

/* Number `n` of LOGS - 1 (the newest) to 0. */
static struct record log_of(uint64_t n)
{
    return (struct record){.key = log_key_lowest((int64_t)((n + 1) * SECOND_US)),
                           .level = SLICE_LITERAL("info"),
                           .message = slice_of(message, message_len)};
}

static int scan_next(struct store_reader *r, struct store_scan *scan,
                     const struct store_slice *slice, store_row_fn *fn, void *ctx,
                     struct errbuf *err)
{
    uint64_t rows = slice->rows < rows_a_call ? slice->rows : rows_a_call;

    if (store_error)
        return errbuf_fail(err, store_error, "the store says so");
    for (uint64_t n = LOGS; n-- > 0;) {
        struct record record = log_of(n);
        int error;

        if (log_key_compare(&record.key, &scan->before) >= 0)
            continue;
        if (rows-- == 0)
            return 0;
        error = fn(&record, ctx);
        if (error && error != LM_ESTOPPED)
            return error;
        scan->before = record.key;
        if (error)
            return 0;
    }
    scan->done = true;
    return 0;
}

static const struct store_ops ops = {.scan_next = scan_next};
static struct store_reader reader = {&ops};
static struct read_thread thread = {.reader = &reader};

/* ---- Pieces ---- */

static struct pieces pieces;
static struct buffer out;
static struct errbuf err;

static int set_up(void **state)
{
    (void)state;
    rows_a_call = LOGS;
    store_error = 0;
    message_len = 10;
    memset(message, 'm', sizeof(message));
    memset(&pieces, 0, sizeof(pieces));
    err.text[0] = '\0';
    buffer_init(&out, OUT_MAX);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pieces_release(&pieces);
    buffer_release(&out);
    return 0;
}

static void open_pieces(enum list_format format, enum list_end end, uint64_t left)
{
    pieces.format = format;
    pieces.end = end;
    pieces.left = left;
    pieces.out = &out;
    log_filter_init(&pieces.query.filter);
    pieces.query.limit = (unsigned)left + 1;
    assert_int_equal(pieces_open(&pieces), 0);
    pieces_begin(&pieces);
}

static enum read_step turn(bool last)
{
    const struct read_slice slice = {.until_us = clock_monotonic_us() + SECOND_US, .last = last};

    return pieces_turn(&pieces, &thread, &slice, &err);
}

static bool out_has(const char *text)
{
    return memmem(out.data, out.len, text, strlen(text));
}

static size_t count_of(const char *text)
{
    size_t n = 0, len = strlen(text);
    const char *at = out.data, *end = out.data + out.len;

    while ((at = memmem(at, (size_t)(end - at), text, len))) {
        n++;
        at += len;
    }
    return n;
}

/* ---- Pages ---- */

static void a_page_that_is_full_knows_whether_there_is_a_next_one(void **state)
{
    (void)state;
    open_pieces(LIST_JSON, LIST_ENDS_BY_TIME, 3);
    assert_int_equal(turn(false), READ_DONE);
    assert_true(pieces.ended);
    assert_int_equal(pieces.error, 0);
    assert_int_equal(count_of("\"message\""), 3);
    assert_true(out_has("],\"next\":\""));
    assert_true(out_has("\"searched_to\":null}"));
}

static void the_last_page_has_no_next(void **state)
{
    (void)state;
    open_pieces(LIST_JSON, LIST_ENDS_BY_TIME, LOGS);
    assert_int_equal(turn(false), READ_DONE);
    assert_true(pieces.ended);
    assert_int_equal(count_of("\"message\""), LOGS);
    assert_true(out_has("],\"next\":null,\"searched_to\":null}"));
}

static void a_page_whose_time_is_over_has_what_was_found_and_goes_on_there(void **state)
{
    (void)state;
    rows_a_call = 4;
    open_pieces(LIST_JSON, LIST_ENDS_BY_TIME, 100);
    assert_int_equal(turn(false), READ_MORE);
    assert_int_equal(turn(true), READ_DONE);
    assert_true(pieces.ended);
    assert_int_equal(count_of("\"message\""), 8);
    assert_true(out_has("],\"next\":\""));
    assert_false(out_has("\"searched_to\":null"));
}

static void a_page_that_got_nowhere_in_its_time_is_the_stores_failure(void **state)
{
    (void)state;
    store_error = LM_ETIMEOUT;
    open_pieces(LIST_JSON, LIST_ENDS_BY_TIME, 100);
    assert_int_equal(turn(true), READ_DONE);
    assert_int_equal(pieces.error, LM_ETIMEOUT);
}

static void a_page_for_who_knows_of_next_ends_by_its_bytes(void **state)
{
    static const char text[] = "\"searched_to\":null}";

    (void)state;
    message_len = sizeof(message);
    /* As if nearly all of it were there. */
    open_pieces(LIST_JSON, LIST_ENDS_BY_BYTES, LOGS);
    assert_non_null(buffer_reserve(&out, LIST_PAGE_BYTES));
    out.len += LIST_PAGE_BYTES - out.len - 2 * sizeof(message);
    assert_int_equal(turn(false), READ_DONE);
    assert_true(pieces.ended);
    assert_int_equal(pieces.rows, 2);
    assert_memory_equal(out.data + out.len - strlen(text), text, strlen(text));
}

static void a_page_ends_by_the_bytes_that_were_asked_for(void **state)
{
    (void)state;
    message_len = sizeof(message);
    open_pieces(LIST_JSON, LIST_ENDS_BY_BYTES, LOGS);
    pieces.page_bytes = 2 * sizeof(message);
    assert_int_equal(turn(false), READ_DONE);
    assert_true(pieces.ended);
    assert_int_equal(pieces.rows, 2);
    assert_true(out_has("\"searched_to\":null}"));
}

static void a_page_by_offset_goes_on_in_pieces_and_is_one_json(void **state)
{
    size_t logs = 0, parts = 0;

    (void)state;
    message_len = sizeof(message);
    open_pieces(LIST_JSON, LIST_ENDS_LATE, LOGS);
    while (!pieces.ended) {
        if (turn(false) == READ_MORE)
            continue;
        assert_int_equal(pieces.error, 0);
        assert_true(out.len <= LIST_PIECE_BYTES + 2 * sizeof(message));
        logs += count_of("\"message\"");
        parts++;
        pieces_measure(&pieces);
        if (pieces.ended)
            assert_true(out_has("],\"next\":null"));
        buffer_clear(&out);
        pieces_begin(&pieces);
    }
    assert_int_equal(logs, LOGS);
    assert_true(parts > LOGS * sizeof(message) / (LIST_PIECE_BYTES + 2 * sizeof(message)));
}

static void next_piece(void)
{
    pieces_measure(&pieces);
    buffer_clear(&out);
    pieces_begin(&pieces);
}

static void a_page_whose_later_piece_fails_ends_where_the_one_before_did(void **state)
{
    char next[LOG_KEY_CURSOR_LEN];
    struct log_key last;

    (void)state;
    message_len = sizeof(message);
    open_pieces(LIST_JSON, LIST_ENDS_BY_TIME, LOGS);
    assert_int_equal(turn(false), READ_DONE);
    assert_false(pieces.ended);
    last = pieces.last;
    next_piece();

    rows_a_call = 3;
    assert_int_equal(turn(false), READ_MORE); /* of which nothing is sent */
    store_error = LM_EUNAVAILABLE;
    assert_int_equal(turn(false), READ_DONE);
    assert_int_equal(pieces.error, LM_EUNAVAILABLE);
    assert_true(pieces_end_early(&pieces));
    assert_true(pieces.ended);
    assert_int_equal(pieces.error, 0);
    pieces_check(&pieces);

    /* The cursor of the last log that was sent. */
    log_key_format_cursor(&last, next);
    assert_memory_equal(out.data, "],\"next\":\"", 10);
    assert_memory_equal(out.data + 10, next, sizeof(next));
    assert_false(out_has("\"searched_to\":null"));
    assert_false(pieces_end_early(&pieces)); /* once is enough */
}

static void a_page_that_is_whole_and_finds_no_room_ends_early_too(void **state)
{
    (void)state;
    message_len = sizeof(message);
    open_pieces(LIST_JSON, LIST_ENDS_BY_TIME, 70);
    assert_int_equal(turn(false), READ_DONE);
    next_piece();
    assert_int_equal(turn(false), READ_DONE);
    assert_true(pieces.ended);
    assert_true(pieces_end_early(&pieces));
    assert_int_equal(count_of("\"message\""), 0);
    assert_true(out_has("],\"next\":\""));
    assert_false(out_has("\"searched_to\":null"));
}

static void what_has_sent_nothing_or_is_no_page_with_an_end_does_not_end_early(void **state)
{
    static const struct {
        enum list_format format;
        enum list_end end;
    } others[] = {{LIST_JSON, LIST_ENDS_LATE}, {LIST_NDJSON, LIST_ENDS_LATE}};

    store_error = LM_EUNAVAILABLE;
    open_pieces(LIST_JSON, LIST_ENDS_BY_TIME, LOGS);
    assert_int_equal(turn(false), READ_DONE);
    assert_false(pieces_end_early(&pieces));
    assert_int_equal(pieces.error, LM_EUNAVAILABLE);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        tear_down(state);
        set_up(state);
        message_len = sizeof(message);
        open_pieces(others[i].format, others[i].end, LOGS);
        assert_int_equal(turn(false), READ_DONE);
        next_piece();
        assert_false(pieces_end_early(&pieces));
        assert_false(pieces.ended);
    }
}

/* ---- Downloads ---- */

static void a_download_has_every_log_once_in_pieces_of_a_bounded_size(void **state)
{
    size_t logs = 0;

    (void)state;
    message_len = sizeof(message);
    rows_a_call = 7;
    open_pieces(LIST_NDJSON, LIST_ENDS_LATE, UINT64_MAX);
    while (!pieces.ended) {
        if (turn(false) == READ_MORE)
            continue;
        assert_int_equal(pieces.error, 0);
        assert_true(out.len <= LIST_PIECE_BYTES + 2 * sizeof(message));
        logs += count_of("\"message\"");
        pieces_measure(&pieces);
        assert_true(pieces.piece_logs <= LIST_PIECE_LOGS);
        buffer_clear(&out);
        if (!pieces.ended)
            pieces_begin(&pieces);
    }
    assert_int_equal(logs, LOGS);
}

static void a_download_ends_at_its_limit(void **state)
{
    (void)state;
    open_pieces(LIST_CSV, LIST_ENDS_LATE, 5);
    assert_int_equal(turn(false), READ_DONE);
    assert_true(pieces.ended);
    assert_int_equal(count_of("\r\n"), 6);
}

static void what_the_store_says_is_the_error_of_a_piece(void **state)
{
    (void)state;
    store_error = LM_EUNAVAILABLE;
    open_pieces(LIST_NDJSON, LIST_ENDS_LATE, UINT64_MAX);
    assert_int_equal(turn(false), READ_DONE);
    assert_int_equal(pieces.error, LM_EUNAVAILABLE);
    assert_string_equal(err.text, "the store says so");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_page_that_is_full_knows_whether_there_is_a_next_one),
        TEST(the_last_page_has_no_next),
        TEST(a_page_whose_time_is_over_has_what_was_found_and_goes_on_there),
        TEST(a_page_that_got_nowhere_in_its_time_is_the_stores_failure),
        TEST(a_page_for_who_knows_of_next_ends_by_its_bytes),
        TEST(a_page_ends_by_the_bytes_that_were_asked_for),
        TEST(a_page_by_offset_goes_on_in_pieces_and_is_one_json),
        TEST(a_page_whose_later_piece_fails_ends_where_the_one_before_did),
        TEST(a_page_that_is_whole_and_finds_no_room_ends_early_too),
        TEST(what_has_sent_nothing_or_is_no_page_with_an_end_does_not_end_early),
        TEST(a_download_has_every_log_once_in_pieces_of_a_bounded_size),
        TEST(a_download_ends_at_its_limit),
        TEST(what_the_store_says_is_the_error_of_a_piece),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
