/*
 * What people ask to be counted, and the state of an aggregate that went to a client and back. An
 * input is a list of fields, a list of values, and a state, with a NUL after the first two. What is
 * understood is written as a text that means the same; a state that is taken is given back the same
 * by an aggregate that has it alone, and makes an answer that is JSON.
 */
#include <stdlib.h>
#include <string.h>

#include <yyjson.h>

#include "must.h"
#include "query/aggregate.h"

enum { OUTPUT_MAX = 256 << 20, TOP = 10 };

static const int64_t BUCKET_US = INT64_C(300000000);

/* Takes the first text off `*input`. */
static struct slice take(struct slice *input)
{
    const char *nul = input->len ? memchr(input->data, '\0', input->len) : NULL;
    size_t len = nul ? (size_t)(nul - input->data) : input->len;
    struct slice text = slice_of(input->data, len);
    size_t skip = nul ? len + 1 : len;

    *input = slice_of(input->data + skip, input->len - skip);
    return text;
}

static bool has_quote(struct slice s)
{
    return s.len && memchr(s.data, '"', s.len);
}

static void append_spec(const struct aggregate_spec *spec, struct buffer *by, struct buffer *values)
{
    buffer_init(by, OUTPUT_MAX);
    buffer_init(values, OUTPUT_MAX);
    for (size_t i = 0; i < spec->by_len; i++) {
        if (i > 0)
            buffer_append_char(by, ',');
        aggregate_append_field(by, &spec->fields.items[spec->by[i]]);
    }
    for (size_t i = 0; i < spec->values_len; i++) {
        if (i > 0)
            buffer_append_char(values, ',');
        aggregate_append_value(values, spec, i);
    }
}

/* Written and read again it is written the same; but names that need quotes are written without. */
static void check_spec(const struct aggregate_spec *spec)
{
    struct buffer by, values, by_again, values_again;
    struct aggregate_spec again;
    struct errbuf err;

    append_spec(spec, &by, &values);
    must(aggregate_spec_parse(buffer_slice(&by), buffer_slice(&values), &again, &err) == 0);
    append_spec(&again, &by_again, &values_again);
    must(slice_equal(buffer_slice(&by), buffer_slice(&by_again)));
    must(slice_equal(buffer_slice(&values), buffer_slice(&values_again)));
    buffer_release(&by);
    buffer_release(&values);
    buffer_release(&by_again);
    buffer_release(&values_again);
}

static void append_state_of(const struct aggregate_spec *spec, struct slice state, struct buffer *b)
{
    struct aggregate *a = aggregate_new(spec, NULL);
    struct errbuf err;

    must(a && aggregate_merge_state(a, state, &err) == 0);
    aggregate_append_state(a, b);
    must(buffer_error(b) == 0);
    aggregate_free(a);
}

static void check_answer(struct aggregate *a)
{
    struct buffer b;

    buffer_init(&b, OUTPUT_MAX);
    buffer_append_char(&b, '{');
    must(aggregate_append_answer(a, &b, TOP) == 0);
    buffer_append_char(&b, '}');
    yyjson_doc *doc = yyjson_read(b.data, b.len, 0);
    must(yyjson_is_obj(yyjson_doc_get_root(doc)));
    yyjson_doc_free(doc);
    buffer_release(&b);
}

static void check_state(const struct aggregate_spec *spec, struct slice state)
{
    struct aggregate *a = aggregate_new(spec, NULL);
    struct errbuf err;

    must(a);
    int error = aggregate_merge_state(a, state, &err);
    must(!error || error == LM_EINVAL || error == LM_EBUSY);
    must(error != LM_EINVAL || aggregate_total(a) == 0);
    if (!error) {
        struct buffer once, twice;

        buffer_init(&once, OUTPUT_MAX);
        buffer_init(&twice, OUTPUT_MAX);
        aggregate_append_state(a, &once);
        must(buffer_error(&once) == 0);
        append_state_of(spec, buffer_slice(&once), &twice);
        must(slice_equal(buffer_slice(&once), buffer_slice(&twice)));
        buffer_release(&once);
        buffer_release(&twice);
        check_answer(a);
    }
    aggregate_free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_of((const char *)data, size);
    struct slice by = take(&input);
    struct slice values = take(&input);
    struct aggregate_spec spec;
    struct errbuf err;

    if (aggregate_spec_parse(by, values, &spec, &err))
        return 0;
    if (!has_quote(by) && !has_quote(values))
        check_spec(&spec);
    check_state(&spec, input);
    spec.bucket_us = BUCKET_US;
    check_state(&spec, input);
    return 0;
}
