#include "format_conformance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../cmocka_all.h"
#include "../record/kept_records.h"
#include "base/clock.h"
#include "base/fault.h"
#include "message/reader.h"
#include "message/writer.h"
#include "record/limits.h"

static const struct format_case *c; /* the one that is looked at */
static void *memory;
static struct ledger ledger;
static struct account *account;
static struct buffer wrong, told;
static struct kept kept;
static struct format_counts counts;

static void begin(const struct format_case *next)
{
    c = next;
    ledger_init(&ledger, 16 << 20);
    account = ledger_account(&ledger, LEDGER_INTAKE);
    memory = c->format->memory_new ? c->format->memory_new(account) : NULL;
    buffer_init(&wrong, 16 << 20);
    wrong.account = account;
    buffer_init(&told, 16 << 20);
    told.account = account;
    kept.fail_at = -1;
}

static void end(void)
{
    if (c->format->memory_free)
        c->format->memory_free(memory);
    buffer_release(&wrong);
    buffer_release(&told);
    kept_forget(&kept);
    assert_int_equal(account_used(account), 0);
}

/* Parses a copy of exactly its size, so that a look beyond its end is found out. */
static int parse(struct slice body)
{
    int fail_at = kept.fail_at;
    struct slice exact = {malloc(body.len ? body.len : 1), body.len};
    int error;

    assert_non_null(exact.data);
    if (body.len)
        memcpy((char *)exact.data, body.data, body.len);
    kept_forget(&kept);
    kept.fail_at = fail_at;
    buffer_release(&wrong);
    buffer_release(&told);
    error = c->format->parse(exact,
                             &(struct format_options){
                                 .memory = memory,
                                 .wrong = &wrong,
                                 .told = c->format->tells_each ? &told : NULL,
                             },
                             kept_sink, &kept, &counts);
    free((char *)exact.data);
    assert_int_equal(counts.records, kept.records_len);
    return error;
}

static void assert_good_logs(void)
{
    assert_int_equal(kept.records_len, c->good_len);
    for (size_t i = 0; i < c->good_len; i++) {
        const struct record *got = &kept.records[i];
        const struct record *want = &c->logs[i];

        assert_true(slice_equal(got->level, want->level));
        assert_true(slice_equal(got->message, want->message));
        assert_true(slice_equal(got->attributes, want->attributes));
        assert_true(uuid_is_v7(&got->key.id));
        assert_int_equal(uuid7_ms(&got->key.id), uuid7_ms_of_timestamp(got->key.timestamp_us));
    }
}

/* ---- The promises ---- */

static void it_says_what_it_is(void)
{
    const char *const *type = c->format->media_types;

    assert_true(c->format->name && c->format->name[0]);
    assert_non_null(*type);
    for (; *type; type++) {
        assert_non_null(strchr(*type, '/'));
        assert_int_equal(strcspn(*type, "ABCDEFGHIJKLMNOPQRSTUVWXYZ; "), strlen(*type));
        assert_ptr_equal(
            format_find((const struct format *const[]){c->format, NULL}, slice_of_string(*type)),
            c->format);
    }
    assert_null(format_find((const struct format *const[]){c->format, NULL},
                            SLICE_LITERAL("application/nobody-has-this")));
    assert_true(!c->format->memory_new == !c->format->memory_free);
}

static void a_good_body_gives_its_logs_in_their_order(void)
{
    int64_t before_us = clock_wall_us();

    assert_int_equal(parse(c->good), 0);
    assert_good_logs();
    for (size_t i = 0; i < c->good_len; i++) /* none of them tells its time */
        assert_in_range(kept.records[i].key.timestamp_us, before_us - 1000000,
                        clock_wall_us() + 1000000);
    for (size_t i = 1; i < c->good_len; i++)
        assert_true(log_key_compare(&kept.records[i - 1].key, &kept.records[i].key) < 0);
}

static void its_logs_come_out_of_the_queue_as_they_went_in(void)
{
    struct message_reader *reader = message_reader_new();
    struct errbuf reason = ERRBUF_INIT;
    struct message_source message = {.id = SLICE_LITERAL("1"), .ours_alone = true};
    struct log_key keys[KEPT_MAX];
    struct batch b;

    batch_init(&b, MESSAGE_V1, 1 << 20);
    assert_int_equal(parse(c->good), 0);
    for (size_t i = 0; i < kept.records_len; i++) {
        keys[i] = kept.records[i].key;
        assert_int_equal(batch_append(&b, &kept.records[i]), 0);
    }
    message.body = batch_finish(&b);
    kept_forget(&kept);
    assert_int_equal(message_reader_read(reader, &message, kept_sink, kept_reject, &kept, &reason),
                     0);
    assert_int_equal(kept.rejects_len, 0);
    assert_good_logs();
    for (size_t i = 0; i < kept.records_len; i++)
        assert_int_equal(log_key_compare(&kept.records[i].key, &keys[i]), 0);
    batch_release(&b);
    message_reader_free(reader);
}

static void a_wrong_body_is_answered_by_the_format(void)
{
    assert_int_equal(parse(c->wrong), LM_EINVAL);
    assert_in_range(c->format->refusal.status, 400, 499);
    assert_true(wrong.len > 0 && !buffer_error(&wrong));
    /* And its memory is good for the next one. */
    assert_int_equal(parse(c->good), 0);
    assert_good_logs();
}

static void a_wrong_body_for_whose_answer_is_no_room_is_told(void)
{
    size_t taken = 0;

    buffer_release(&wrong);
    for (size_t lot = 1 << 20; lot > 0; lot /= 2)
        while (account_take(account, lot))
            taken += lot;
    assert_int_equal(parse(c->wrong), LM_EBUSY);
    account_give(account, taken);
}

#ifdef LOGMILL_FAULTS

/* Each allocation as large as an input fails in turn, and then all from it on: the body is taken,
 * or it is told that there was no memory, which the client may try again. */
static void a_body_for_which_there_is_no_memory_is_told(void)
{
    static const struct fault_plan none = {.first = 0};

    for (unsigned i = 0, failed = 1; failed > 0; i++) {
        struct fault_plan plan = {FAULT_INPUT, i / 2 + 1, i % 2 == 1, FAULT_EIO};

        if (c->format->memory_free)
            c->format->memory_free(memory);
        memory = c->format->memory_new ? c->format->memory_new(account) : NULL;
        fault_plan(&plan);
        int error = parse(c->good);
        failed = fault_count();
        fault_plan(&none);
        if (!error)
            assert_good_logs();
        else
            assert_int_equal(error, LM_ENOMEM);
        assert_int_equal(parse(c->good), 0); /* and then there is some again */
        assert_good_logs();
    }
}

#endif

static void the_error_of_the_sink_ends_it(void)
{
    for (size_t i = 0; i < c->good_len; i++) {
        kept.fail_at = (int)i;
        assert_int_equal(parse(c->good), LM_EFULL);
        assert_int_equal(kept.records_len, i);
    }
    kept.fail_at = -1;
}

/* Whatever the bytes are: taken or refused, and never by half. */
static void any_bytes_are_taken_or_refused(void)
{
    char body[4096];

    assert_true(c->good.len < sizeof(body));
    for (size_t len = 0; len <= c->good.len; len++) {
        int error = parse(slice_of(c->good.data, len));

        assert_true(!error || (error == LM_EINVAL && wrong.len > 0));
    }
    for (size_t at = 0; at < c->good.len; at++) {
        for (size_t i = 0; i < 8; i++) {
            memcpy(body, c->good.data, c->good.len);
            body[at] = "\0\xff\"\n{ 1\\"[i];
            int error = parse(slice_of(body, c->good.len));

            assert_true(!error || (error == LM_EINVAL && wrong.len > 0));
        }
    }
}

static void append_with(struct buffer *body, char letter, size_t len)
{
    char *text = malloc(len);

    assert_non_null(text);
    memset(text, letter, len);
    buffer_clear(body);
    (c->with_level ? c->with_level : c->with_name)(body, slice_of(text, len));
    free(text);
}

static void the_limits_of_a_log_hold(void)
{
    size_t most = c->with_level ? (size_t)RECORD_LEVEL_MAX : (size_t)RECORD_NAME_MAX;
    char letter = c->with_level ? 'x' : 'X';
    struct buffer body;

    if (!c->with_level && !c->with_name)
        return;
    buffer_init(&body, 1 << 20);
    append_with(&body, letter, most);
    assert_int_equal(parse(buffer_slice(&body)), 0);
    assert_int_equal(kept.records_len, 1);
    assert_int_equal(counts.refused, 0);
    if (c->with_level)
        assert_int_equal(kept.records[0].level.len, most);
    append_with(&body, letter, most + 1);
    int error = parse(buffer_slice(&body));

    assert_true(error == LM_EINVAL || (!error && c->leaves_out)); /* nothing is left to be taken */
    if (!error)
        assert_int_equal(kept.records_len, 0);
    if (c->leaves_out)
        assert_int_equal(counts.refused, 1);
    buffer_release(&body);
}

static void its_answer_fits_into_what_is_reserved(void)
{
    static const size_t numbers[] = {0, 1, 1000, SIZE_MAX};
    char room[FORMAT_ANSWER_BYTES];

    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
        struct format_taken taken = {.records = numbers[i], .last_id = uuid7_new(1)};
        struct buffer body;

        buffer_init_over(&body, room, sizeof(room));
        assert_in_range(c->format->answer(&taken, &body).status, 200, 299);
        assert_int_equal(buffer_error(&body), 0);
    }
}

static const struct promise {
    const char *name;
    void (*run)(void);
} promises[] = {
#define PROMISE(name) {#name, name}
    PROMISE(it_says_what_it_is),
    PROMISE(a_good_body_gives_its_logs_in_their_order),
    PROMISE(its_logs_come_out_of_the_queue_as_they_went_in),
    PROMISE(a_wrong_body_is_answered_by_the_format),
    PROMISE(a_wrong_body_for_whose_answer_is_no_room_is_told),
#ifdef LOGMILL_FAULTS
    PROMISE(a_body_for_which_there_is_no_memory_is_told),
#endif
    PROMISE(the_error_of_the_sink_ends_it),
    PROMISE(any_bytes_are_taken_or_refused),
    PROMISE(the_limits_of_a_log_hold),
    PROMISE(its_answer_fits_into_what_is_reserved),
};

static const struct format_case *cases;
static size_t cases_len;

static void each_case_keeps(void **state)
{
    const struct promise *promise = *state;

    for (size_t i = 0; i < cases_len; i++) {
        print_message("  %s\n", cases[i].format->name);
        begin(&cases[i]);
        promise->run();
        end();
    }
}

int format_conformance(const struct format_case *all, size_t n)
{
    enum { PROMISES = sizeof(promises) / sizeof(*promises) };
    struct CMUnitTest tests[PROMISES];

    cases = all;
    cases_len = n;
    for (size_t i = 0; i < PROMISES; i++)
        tests[i] = (struct CMUnitTest){.name = promises[i].name,
                                       .test_func = each_case_keeps,
                                       .initial_state = (void *)&promises[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
