#include "stream_run.h"

#include <stdlib.h>
#include <string.h>

#include "../cmocka_all.h"
#include "base/timestamp.h"
#include "base/xalloc.h"

void stream_run_begin(struct stream_run *run, const struct stream_format *format,
                      const struct stream_setup *setup)
{
    static const struct stream_setup none = {.hostname = "here"};

    *run = (struct stream_run){.format = format, .kept = {.fail_at = -1}};
    run->memory = format->memory_new ? format->memory_new(setup ? setup : &none, NULL) : NULL;
    buffer_init(&run->unused, 64 << 20);
    buffer_init(&run->reply, 1 << 20);
    stream_run_again(run);
}

void stream_run_end(struct stream_run *run)
{
    if (run->format->memory_free)
        run->format->memory_free(run->memory);
    buffer_release(&run->unused);
    buffer_release(&run->reply);
    kept_forget(&run->kept);
}

void stream_run_again(struct stream_run *run)
{
    kept_forget(&run->kept);
    run->kept.fail_at = -1;
    buffer_clear(&run->unused);
    buffer_clear(&run->reply);
    memset(run->session, 0, sizeof(run->session));
    run->counts = (struct format_counts){.records = 0};
    run->number = 0;
    if (run->format->greet)
        run->format->greet(run->memory, run->session, &run->reply);
}

static void read_once(struct stream_run *run, const struct stream_input *in)
{
    run->why = (struct errbuf)ERRBUF_INIT;
    run->out = (struct stream_output){.reply = &run->reply, .why = &run->why};
    int error = run->format->read(run->memory, run->session, in, kept_sink, &run->kept, &run->out);
    assert_int_equal(error, 0);
    assert_true(run->out.used <= in->bytes.len);
}

/* The logs from `first` on, taken out of what is kept. */
static struct kept take_out(struct kept *kept, size_t first)
{
    struct kept taken = {.records_len = kept->records_len - first};

    memcpy(taken.records, kept->records + first, taken.records_len * sizeof(*taken.records));
    kept->records_len = first;
    return taken;
}

static void assert_same(const struct kept *a, const struct record *records)
{
    for (size_t i = 0; i < a->records_len; i++) {
        assert_int_equal(log_key_compare(&a->records[i].key, &records[i].key), 0);
        assert_true(slice_equal(a->records[i].level, records[i].level));
        assert_true(slice_equal(a->records[i].message, records[i].message));
        assert_true(slice_equal(a->records[i].attributes, records[i].attributes));
    }
}

static void read_twice(struct stream_run *run, bool has_waited, bool is_over)
{
    size_t first = run->kept.records_len, replied = run->reply.len;
    char session[STREAM_SESSION_BYTES];
    char *exact = xcalloc(run->unused.len + !run->unused.len, 1);
    struct stream_input in = {
        .bytes = slice_of(exact, run->unused.len),
        .is_over = is_over,
        .has_waited = has_waited,
        .arrival_us = STREAM_RUN_ARRIVAL_US,
        .bits = {0x123, 0x456},
        .number = run->number,
    };

    if (run->unused.len)
        memcpy(exact, run->unused.data, run->unused.len);
    memcpy(session, run->session, sizeof(session));
    read_once(run, &in);
    struct kept taken = take_out(&run->kept, first);
    size_t used = run->out.used, reply_len = run->reply.len;

    memcpy(run->session, session, sizeof(session));
    buffer_truncate(&run->reply, replied);
    read_once(run, &in);
    assert_int_equal(run->out.used, used);
    assert_int_equal(run->reply.len, reply_len);
    assert_int_equal(run->kept.records_len - first, taken.records_len);
    assert_same(&taken, run->kept.records + first);
    assert_int_equal(run->out.counts.records, taken.records_len);
    kept_forget(&taken);
    free(exact);

    run->number += run->out.counts.records;
    run->counts.records += run->out.counts.records;
    run->counts.refused += run->out.counts.refused;
    run->counts.nul_characters += run->out.counts.nul_characters;
    run->counts.unpacked += run->out.counts.unpacked;
    buffer_consume(&run->unused, used);
}

void stream_run_feed(struct stream_run *run, struct slice bytes)
{
    buffer_append_slice(&run->unused, bytes);
    assert_int_equal(buffer_error(&run->unused), 0);
    read_twice(run, false, false);
}

void stream_run_wait(struct stream_run *run)
{
    read_twice(run, true, false);
}

void stream_run_over(struct stream_run *run)
{
    read_twice(run, false, true);
}

static void expect(const char *what, struct slice got, const char *want)
{
    if (!slice_equal(got, slice_of_string(want)))
        fail_msg("%s: %.*s\n  instead of: %s", what, SLICE_ARG(got), want);
}

void stream_run_expect(const struct stream_run *run, size_t i, const char *level,
                       const char *message, const char *time, const char *attributes)
{
    char text[TIMESTAMP_TEXT_LEN];

    assert_true(i < run->kept.records_len);
    const struct record *r = &run->kept.records[i];
    expect("level", r->level, level);
    expect("message", r->message, message);
    expect("attributes", r->attributes, attributes);
    timestamp_format(r->key.timestamp_us, text);
    expect("time", slice_of(text, sizeof(text)), time);
}
