#include "query/extract.h"

#include <stdlib.h>

#include "base/utf8.h"
#include "base/xalloc.h"
#include "query/dictionary.h"
#include "query/path.h"
#include "query/pattern.h"
#include "json/reader.h"
#include "json/writer.h"

enum { BYTES_MAX = 1 << 30 /* a ceiling because every buffer has one */ };

/* Each buffer is an array of what its name says. */
struct column {
    struct dictionary met;       /* its values, each tagged with its type */
    struct dictionary examples;  /* of patterns: of each value a message, tagged with its code */
    struct buffer example_views; /* struct slice: the same, when the batch is handed out */
    struct buffer values;        /* struct log_value: the same, when the batch is handed out */
    struct buffer codes;         /* uint32_t, one a row */
    struct buffer lists;         /* uint32_t */
    struct buffer found;         /* uint32_t: codes of the log that is being added */
};

struct log_extractor {
    struct log_fields fields;
    bool needs_attributes;
    size_t rows;
    size_t longest, work; /* values of a field of this log, at most; EXTRACT_WORK_MAX */
    struct buffer times;  /* int64_t */
    struct json_doc doc;
    struct buffer pattern; /* of one message */
    struct column columns[LOG_FIELDS_MAX];
    struct log_column views[LOG_FIELDS_MAX];
};

static void for_each_buffer(struct log_extractor *e, void (*fn)(struct buffer *b))
{
    for (size_t i = 0; i < e->fields.len; i++) {
        fn(&e->columns[i].values);
        fn(&e->columns[i].example_views);
        fn(&e->columns[i].codes);
        fn(&e->columns[i].lists);
        fn(&e->columns[i].found);
    }
    fn(&e->times);
    fn(&e->pattern);
}

static void init_buffer(struct buffer *b)
{
    buffer_init(b, BYTES_MAX);
}

struct log_extractor *log_extractor_new(const struct log_fields *fields)
{
    struct log_extractor *e = xcalloc(1, sizeof(*e));

    e->fields = *fields;
    json_doc_init(&e->doc);
    for_each_buffer(e, init_buffer);
    for (size_t i = 0; i < fields->len; i++) {
        dictionary_init(&e->columns[i].met);
        dictionary_init(&e->columns[i].examples);
        e->needs_attributes |= fields->items[i].kind == LOG_FIELD_ATTRIBUTE;
    }
    return e;
}

void log_extractor_free(struct log_extractor *e)
{
    if (!e)
        return;
    for (size_t i = 0; i < e->fields.len; i++) {
        dictionary_release(&e->columns[i].met);
        dictionary_release(&e->columns[i].examples);
    }
    for_each_buffer(e, buffer_release);
    json_doc_release(&e->doc);
    free(e);
}

void log_extractor_clear(struct log_extractor *e)
{
    for_each_buffer(e, buffer_clear);
    for (size_t i = 0; i < e->fields.len; i++) {
        dictionary_clear(&e->columns[i].met);
        dictionary_clear(&e->columns[i].examples);
    }
    e->rows = 0;
    e->work = 0;
}

/* ---- Fields ---- */

static int put_code(struct column *c, uint32_t code)
{
    buffer_append(&c->codes, &code, sizeof(code));
    return buffer_error(&c->codes) ? LM_ENOMEM : 0;
}

static int put_text(struct column *c, struct slice text)
{
    uint32_t code;
    int error = dictionary_add(&c->met, text, LOG_VALUE_STRING, &code);

    return error ? error : put_code(c, code);
}

/* The first message of each pattern is kept. */
static int put_pattern(struct log_extractor *e, struct column *c, struct slice message)
{
    size_t met = dictionary_len(&c->met);
    uint32_t code, example;
    int error;

    buffer_clear(&e->pattern);
    pattern_append(&e->pattern, message);
    if (buffer_error(&e->pattern))
        return LM_ENOMEM;
    error = dictionary_add(&c->met, buffer_slice(&e->pattern), LOG_VALUE_STRING, &code);
    if (!error && dictionary_len(&c->met) > met)
        error =
            dictionary_add(&c->examples, utf8_cut(message, LOG_EXAMPLE_BYTES_MAX), code, &example);
    return error ? error : put_code(c, code);
}

static enum log_value_type type_of(yyjson_val *value, struct slice *text)
{
    *text = json_text(value);
    switch (yyjson_get_type(value)) {
    case YYJSON_TYPE_STR:
        return LOG_VALUE_STRING;
    case YYJSON_TYPE_RAW:
        return LOG_VALUE_NUMBER;
    case YYJSON_TYPE_BOOL:
        *text = slice_of_string(yyjson_get_bool(value) ? "true" : "false");
        return LOG_VALUE_BOOLEAN;
    case YYJSON_TYPE_OBJ:
        *text = SLICE_LITERAL("{…}");
        return LOG_VALUE_OBJECT;
    case YYJSON_TYPE_ARR:
        *text = SLICE_LITERAL("[]");
        return LOG_VALUE_ARRAY;
    default:
        *text = SLICE_LITERAL("null");
        return LOG_VALUE_NULL;
    }
}

struct finding {
    struct column *column;
    int error;
};

static bool take_value(yyjson_val *value, void *ctx)
{
    struct finding *f = ctx;
    struct slice text;
    enum log_value_type type = type_of(value, &text);
    uint32_t code;

    f->error = dictionary_add(&f->column->met, text, type, &code);
    if (f->error)
        return false;
    buffer_append(&f->column->found, &code, sizeof(code));
    if (buffer_error(&f->column->found))
        f->error = LM_ENOMEM;
    return !f->error;
}

static int put_found(struct column *c)
{
    uint32_t n = (uint32_t)(c->found.len / sizeof(uint32_t));
    uint32_t code = LOG_CODE_NONE;

    if (n == 1) {
        memcpy(&code, c->found.data, sizeof(code));
    } else if (n > 1) {
        code = LOG_CODE_LIST | (uint32_t)(c->lists.len / sizeof(uint32_t));
        buffer_append(&c->lists, &n, sizeof(n));
        buffer_append_slice(&c->lists, buffer_slice(&c->found));
        if (buffer_error(&c->lists))
            return LM_ENOMEM;
    }
    return put_code(c, code);
}

static int put_attribute(struct log_extractor *e, struct column *c, struct slice path)
{
    struct finding f = {.column = c};
    uint64_t steps = 0;

    buffer_clear(&c->found);
    if (e->doc.doc)
        (void)path_each(yyjson_doc_get_root(e->doc.doc), path, take_value, &f, &steps);
    size_t n = c->found.len / sizeof(uint32_t);
    e->longest = n > e->longest ? n : e->longest;
    return f.error ? f.error : put_found(c);
}

static int read_attributes(struct log_extractor *e, const struct record *r)
{
    int error = json_doc_read(&e->doc, r->attributes);

    return error == LM_EINVAL ? 0 : error; /* no attributes, or none that can be read */
}

static int put_field(struct log_extractor *e, size_t i, const struct record *r)
{
    struct column *c = &e->columns[i];

    switch (e->fields.items[i].kind) {
    case LOG_FIELD_MESSAGE:
        return put_text(c, r->message);
    case LOG_FIELD_PATTERN:
        return put_pattern(e, c, r->message);
    case LOG_FIELD_LEVEL:
        return put_text(c, r->level);
    case LOG_FIELD_ATTRIBUTE:
        return put_attribute(e, c, e->fields.items[i].path);
    default:
        return put_code(c, LOG_CODE_NONE);
    }
}

int log_extractor_add(struct log_extractor *e, const struct record *r)
{
    int error = e->needs_attributes ? read_attributes(e, r) : 0;

    e->longest = 0;
    for (size_t i = 0; !error && i < e->fields.len; i++)
        error = put_field(e, i, r);
    if (error)
        return error;
    buffer_append(&e->times, &r->key.timestamp_us, sizeof(r->key.timestamp_us));
    e->rows++;
    if (e->longest > 1)
        e->work += e->longest < EXTRACT_WORK_MAX ? e->longest * e->longest : EXTRACT_WORK_MAX;
    return buffer_error(&e->times) ? LM_ENOMEM : 0;
}

/* ---- The batch ---- */

bool log_extractor_is_full(const struct log_extractor *e)
{
    size_t bytes = 0;

    for (size_t i = 0; i < e->fields.len; i++)
        bytes += e->columns[i].met.texts.len + e->columns[i].lists.len;
    return e->rows >= EXTRACT_ROWS_MAX || bytes >= EXTRACT_BYTES_MAX || e->work >= EXTRACT_WORK_MAX;
}

size_t log_extractor_rows(const struct log_extractor *e)
{
    return e->rows;
}

/* Room for `n` items of `size` bytes in a buffer without anything. NULL: no memory. */
static void *make_room(struct buffer *b, size_t n, size_t size)
{
    buffer_clear(b);
    return buffer_reserve(b, n * size + 1);
}

static int make_view(struct column *c, struct log_column *view)
{
    uint32_t n = (uint32_t)dictionary_len(&c->met);
    uint32_t examples_len = (uint32_t)dictionary_len(&c->examples);
    struct log_value *values = make_room(&c->values, n, sizeof(*values));
    struct slice *examples = make_room(&c->example_views, examples_len, sizeof(*examples));

    if (!values || !examples)
        return LM_ENOMEM;
    for (uint32_t i = 0; i < examples_len; i++)
        examples[i] = dictionary_text(&c->examples, i);

    for (uint32_t i = 0; i < n; i++)
        values[i] = (struct log_value){dictionary_text(&c->met, i),
                                       (enum log_value_type)dictionary_tag(&c->met, i)};
    *view = (struct log_column){.values = values,
                                .values_len = n,
                                .codes = (const void *)c->codes.data,
                                .lists = (const void *)c->lists.data,
                                .examples = examples_len ? examples : NULL};
    return 0;
}

int log_extractor_batch(struct log_extractor *e, struct log_batch *batch)
{
    int error = 0;

    for (size_t i = 0; !error && i < e->fields.len; i++)
        error = make_view(&e->columns[i], &e->views[i]);
    *batch = (struct log_batch){
        .rows = e->rows, .times_us = (const void *)e->times.data, .columns = e->views};
    return error;
}
