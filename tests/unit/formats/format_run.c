#include "format_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../cmocka_all.h"
#include "base/clock.h"
#include "base/timestamp.h"
#include "record/key.h"

void format_run_begin(struct format_run *run, const struct format *format)
{
    *run = (struct format_run){.format = format, .kept = {.fail_at = -1}};
    run->memory = format->memory_new ? format->memory_new(NULL) : NULL;
    buffer_init(&run->wrong, 1 << 20);
    buffer_init(&run->told, 1 << 20);
}

void format_run_end(struct format_run *run)
{
    if (run->format->memory_free)
        run->format->memory_free(run->memory);
    buffer_release(&run->wrong);
    buffer_release(&run->told);
    kept_forget(&run->kept);
}

struct request {
    struct format_request request;
    const char *const *parameters;
};

static struct slice parameter(const struct format_request *request, const char *name)
{
    const char *const *p = ((const struct request *)request)->parameters;

    for (; p && *p; p += 2)
        if (strcmp(p[0], name) == 0)
            return slice_of_string(p[1]);
    return (struct slice){NULL, 0};
}

static struct slice header(const struct format_request *request, const char *name)
{
    return (struct slice){NULL, 0};
}

int format_run(struct format_run *run, struct slice body)
{
    struct request request = {{run->path, parameter, header}, run->parameters};
    char *exact = malloc(body.len ? body.len : 1);

    assert_non_null(exact);
    if (body.len)
        memcpy(exact, body.data, body.len);
    kept_forget(&run->kept);
    buffer_clear(&run->wrong);
    buffer_clear(&run->told);
    int error = run->format->parse(slice_of(exact, body.len),
                                   &(struct format_options){.memory = run->memory,
                                                            .request = &request.request,
                                                            .wrong = &run->wrong,
                                                            .told = &run->told},
                                   kept_sink, &run->kept, &run->counts);
    free(exact);
    assert_int_equal(run->counts.records, run->kept.records_len);
    return error;
}

static void expect(const char *what, struct slice got, const char *want)
{
    if (!slice_equal(got, slice_of_string(want)))
        fail_msg("%s: %.*s\n  instead of: %s", what, SLICE_ARG(got), want);
}

void format_run_expect(const struct format_run *run, size_t i, const char *level,
                       const char *message, const char *time, const char *attributes)
{
    char text[TIMESTAMP_TEXT_LEN];

    assert_true(i < run->kept.records_len);
    const struct record *r = &run->kept.records[i];
    expect("level", r->level, level);
    expect("message", r->message, message);
    expect("attributes", r->attributes, attributes);
    timestamp_format(r->key.timestamp_us, text);
    if (time)
        expect("time", slice_of(text, sizeof(text)), time);
    else
        assert_true(llabs(r->key.timestamp_us - clock_wall_us()) < 60 * INT64_C(1000000));
}

struct slice format_capture(const char *name)
{
    const char *vectors = getenv("LOGMILL_VECTORS");
    char path[1024];

    snprintf(path, sizeof(path), "%s/../captures/%s", vectors ? vectors : "tests/vectors", name);
    FILE *file = fopen(path, "rb");
    if (!file) {
        fail_msg("%s is not there", path);
        return (struct slice){NULL, 0};
    }

    size_t capacity = 1 << 20;
    char *data = malloc(capacity);
    assert_non_null(data);
    size_t len = fread(data, 1, capacity, file);
    assert_true(len < capacity);
    fclose(file);
    return slice_of(data, len);
}

bool format_run_is_known(struct format_run *run, const char *body)
{
    assert_int_equal(format_run(run, slice_of_string(body)), 0);
    assert_true(run->kept.records_len > 0);
    struct log_key first = run->kept.records[0].key;
    assert_int_equal(format_run(run, slice_of_string(body)), 0);
    return log_key_compare(&first, &run->kept.records[0].key) == 0;
}

void format_run_capture(struct format_run *run, const char *name, const struct format_run_log *logs,
                        size_t n)
{
    struct slice body = format_capture(name);

    assert_int_equal(format_run(run, body), 0);
    assert_int_equal(run->kept.records_len, n);
    for (size_t i = 0; i < n; i++)
        format_run_expect(run, i, logs[i].level, logs[i].message, logs[i].time, logs[i].attributes);
    free((char *)body.data);
}
