/* The lists of fields and values that people write. */
#include <stdlib.h>

#include "query/aggregate.h"

/* What is left of a list. */
struct list {
    struct slice rest;
    const char *what; /* "by", "value" */
    struct errbuf *err;
};

static const struct {
    const char *name;
    enum log_field_kind kind;
} own_fields[] = {
    {"message", LOG_FIELD_MESSAGE},
    {"pattern", LOG_FIELD_PATTERN},
    {"level", LOG_FIELD_LEVEL},
    {"timestamp", LOG_FIELD_TIMESTAMP},
};

enum { OWN_FIELDS = sizeof(own_fields) / sizeof(own_fields[0]) };

static const struct {
    const char *name;
    enum aggregate_op op;
} operations[] = {
    {"count", AGGREGATE_COUNT},   {"sum", AGGREGATE_SUM},         {"avg", AGGREGATE_AVG},
    {"min", AGGREGATE_MIN},       {"max", AGGREGATE_MAX},         {"distinct", AGGREGATE_DISTINCT},
    {"levels", AGGREGATE_LEVELS}, {"example", AGGREGATE_EXAMPLE},
};

enum { OPERATIONS = sizeof(operations) / sizeof(operations[0]) };

static const struct slice attribute_prefix = SLICE_LITERAL("attr.");

/* ---- Texts ---- */

static bool cut_char(struct slice *s, char c)
{
    if (s->len == 0 || s->data[0] != c)
        return false;
    *s = slice_of(s->data + 1, s->len - 1);
    return true;
}

static bool is_among(char c, const char *ends)
{
    return c != '\0' && strchr(ends, c);
}

/* Cuts what stands before any of `ends` off, or what is in quotes; `*quoted` tells. */
static int cut_name(struct list *l, const char *ends, struct slice *name, bool *quoted)
{
    size_t len = 0;

    *quoted = cut_char(&l->rest, '"');
    while (len < l->rest.len &&
           (*quoted ? l->rest.data[len] != '"' : !is_among(l->rest.data[len], ends)))
        len++;
    *name = slice_of(l->rest.data, len);
    l->rest = slice_of(l->rest.data + len, l->rest.len - len);
    if (*quoted && !cut_char(&l->rest, '"'))
        return errbuf_fail(l->err, LM_EINVAL, "%s: a quotation mark is missing", l->what);
    if (name->len == 0)
        return errbuf_fail(l->err, LM_EINVAL, "%s: a name is missing", l->what);
    return 0;
}

/* ---- Fields ---- */

static struct log_field field_of(struct slice name, bool quoted)
{
    for (size_t i = 0; i < OWN_FIELDS && !quoted; i++)
        if (slice_equal(name, slice_of_string(own_fields[i].name)))
            return (struct log_field){.kind = own_fields[i].kind};
    if (!quoted && name.len > attribute_prefix.len &&
        slice_equal(slice_of(name.data, attribute_prefix.len), attribute_prefix))
        name = slice_of(name.data + attribute_prefix.len, name.len - attribute_prefix.len);
    return (struct log_field){.kind = LOG_FIELD_ATTRIBUTE, .path = name};
}

/* The place of a field, which is added when it is new. */
static uint8_t place_of(struct aggregate_spec *spec, const struct log_field *field)
{
    for (size_t i = 0; i < spec->fields.len; i++)
        if (spec->fields.items[i].kind == field->kind &&
            slice_equal(spec->fields.items[i].path, field->path))
            return (uint8_t)i;
    spec->fields.items[spec->fields.len] = *field;
    return (uint8_t)spec->fields.len++;
}

static int read_by(struct list *l, struct aggregate_spec *spec)
{
    struct slice name;
    struct log_field field;
    bool quoted;
    int error = cut_name(l, ",", &name, &quoted);

    if (error)
        return error;
    if (spec->by_len == AGGREGATE_BY_MAX)
        return errbuf_fail(l->err, LM_EINVAL, "by: at most %d fields are allowed",
                           AGGREGATE_BY_MAX);
    field = field_of(name, quoted);
    if (field.kind == LOG_FIELD_TIMESTAMP)
        return errbuf_fail(l->err, LM_EINVAL, "by: times are grouped by `bucket`");

    uint8_t place = place_of(spec, &field);

    for (size_t i = 0; i < spec->by_len; i++)
        if (spec->by[i] == place)
            return errbuf_fail(l->err, LM_EINVAL, "by: `%.*s` is there twice", SLICE_ARG(name));
    spec->by[spec->by_len++] = place;
    return 0;
}

/* ---- Values ---- */

/* p1 to p99, and p0.1 to p99.9. */
static bool read_percentile(struct slice name, uint16_t *permille)
{
    char *end;
    char text[8] = {0};
    unsigned long whole, tenth = 0;

    if (name.len < 2 || name.len >= sizeof(text) || name.data[0] != 'p' || name.data[1] < '0' ||
        name.data[1] > '9')
        return false;
    memcpy(text, name.data + 1, name.len - 1);
    whole = strtoul(text, &end, 10);
    if (end[0] == '.' && end[1] >= '0' && end[1] <= '9') {
        tenth = (unsigned long)(end[1] - '0');
        end += 2;
    }
    *permille = (uint16_t)(whole * 10 + tenth);
    return *end == '\0' && whole < 100 && *permille > 0;
}

static int read_operation(struct list *l, struct slice name, struct aggregate_value *v)
{
    for (size_t i = 0; i < OPERATIONS; i++)
        if (slice_equal(name, slice_of_string(operations[i].name))) {
            v->op = operations[i].op;
            return 0;
        }
    v->op = AGGREGATE_QUANTILE;
    if (read_percentile(name, &v->permille))
        return 0;
    return errbuf_fail(
        l->err, LM_EINVAL,
        "value: `%.*s` is none of count, sum, avg, min, max, distinct, p0.1 to p99.9, "
        "levels(level), example(pattern)",
        SLICE_ARG(name));
}

/* Of a time nothing is known but its extremes, and how many there are. */
static bool suits(enum aggregate_op op, enum log_field_kind kind)
{
    if (op == AGGREGATE_LEVELS || op == AGGREGATE_EXAMPLE)
        return kind == (op == AGGREGATE_LEVELS ? LOG_FIELD_LEVEL : LOG_FIELD_PATTERN);
    return kind != LOG_FIELD_TIMESTAMP || op == AGGREGATE_COUNT || op == AGGREGATE_MIN ||
           op == AGGREGATE_MAX;
}

static int read_operand(struct list *l, struct slice operation, struct aggregate_spec *spec,
                        struct aggregate_value *v)
{
    struct slice name;
    struct log_field field;
    bool quoted;
    int error = cut_name(l, ")", &name, &quoted);

    if (error)
        return error;
    if (!cut_char(&l->rest, ')'))
        return errbuf_fail(l->err, LM_EINVAL, "value: `%.*s(` has no end", SLICE_ARG(operation));
    field = field_of(name, quoted);
    if (!suits(v->op, field.kind))
        return errbuf_fail(l->err, LM_EINVAL,
                           v->op == AGGREGATE_LEVELS    ? "value: it is levels(level)"
                           : v->op == AGGREGATE_EXAMPLE ? "value: it is example(pattern)"
                                                        : "value: of timestamp there are count, "
                                                          "min and max");
    v->field = place_of(spec, &field);
    return 0;
}

static int read_value(struct list *l, struct aggregate_spec *spec)
{
    struct aggregate_value v = {.field = AGGREGATE_NO_FIELD};
    struct slice name;
    bool quoted;
    int error = cut_name(l, ",(", &name, &quoted);

    if (!error && spec->values_len == AGGREGATE_VALUES_MAX)
        error =
            errbuf_fail(l->err, LM_EINVAL, "value: at most %d are allowed", AGGREGATE_VALUES_MAX);
    if (!error)
        error = read_operation(l, name, &v);
    if (error)
        return error;
    if (cut_char(&l->rest, '('))
        error = read_operand(l, name, spec, &v);
    else if (v.op != AGGREGATE_COUNT)
        error = errbuf_fail(l->err, LM_EINVAL, "value: `%.*s` of what? As in %.*s(duration)",
                            SLICE_ARG(name), SLICE_ARG(name));
    for (size_t i = 0; !error && i < spec->values_len; i++)
        if (spec->values[i].op == v.op && spec->values[i].field == v.field &&
            spec->values[i].permille == v.permille)
            error = errbuf_fail(l->err, LM_EINVAL, "value: an entry, %.*s, is there twice",
                                SLICE_ARG(name));
    if (!error)
        spec->values[spec->values_len++] = v;
    return error;
}

/* ---- Lists ---- */

static int expect_end(const struct list *l)
{
    if (l->rest.len == 0)
        return 0;
    return errbuf_fail(l->err, LM_EINVAL, "%s: expected a comma before `%.*s`", l->what,
                       (int)(l->rest.len < 32 ? l->rest.len : 32), l->rest.data);
}

typedef int read_item_fn(struct list *l, struct aggregate_spec *spec);

static int read_list(struct slice text, const char *what, read_item_fn *read_item,
                     struct aggregate_spec *spec, struct errbuf *err)
{
    struct list l = {.rest = text, .what = what, .err = err};
    int error;

    if (text.len == 0)
        return 0;
    do {
        error = read_item(&l, spec);
        if (error)
            return error;
    } while (cut_char(&l.rest, ','));
    return expect_end(&l);
}

int aggregate_spec_parse(struct slice by, struct slice values, struct aggregate_spec *spec,
                         struct errbuf *err)
{
    int error;

    *spec = (struct aggregate_spec){.by_len = 0};
    error = read_list(by, "by", read_by, spec, err);
    return error ? error : read_list(values, "value", read_value, spec, err);
}

int aggregate_fields_parse(struct slice text, const char *what, struct log_field *items, size_t max,
                           size_t *len, struct errbuf *err)
{
    struct list l = {.rest = text, .what = what, .err = err};

    *len = 0;
    if (text.len == 0)
        return 0;
    do {
        struct log_field field;
        struct slice name;
        bool quoted;
        int error = cut_name(&l, ",", &name, &quoted);

        if (error)
            return error;
        if (*len == max)
            return errbuf_fail(err, LM_EINVAL, "%s: at most %zu fields are allowed", what, max);
        field = field_of(name, quoted);
        for (size_t i = 0; i < *len; i++)
            if (items[i].kind == field.kind && slice_equal(items[i].path, field.path))
                return errbuf_fail(err, LM_EINVAL, "%s: `%.*s` is there twice", what,
                                   SLICE_ARG(name));
        items[(*len)++] = field;
    } while (cut_char(&l.rest, ','));
    return expect_end(&l);
}

struct log_field aggregate_field_of(struct slice name)
{
    return field_of(name, false);
}

/* ---- Writing ---- */

void aggregate_append_field(struct buffer *b, const struct log_field *field)
{
    struct log_field plain = field_of(field->path, false);

    for (size_t i = 0; i < OWN_FIELDS; i++)
        if (own_fields[i].kind == field->kind) {
            buffer_append_string(b, own_fields[i].name);
            return;
        }
    /* An attribute whose name would mean something else. */
    if (plain.kind != LOG_FIELD_ATTRIBUTE || !slice_equal(plain.path, field->path))
        buffer_append_slice(b, attribute_prefix);
    buffer_append_slice(b, field->path);
}

void aggregate_append_value(struct buffer *b, const struct aggregate_spec *spec, size_t i)
{
    const struct aggregate_value *v = &spec->values[i];

    if (v->op == AGGREGATE_QUANTILE) {
        buffer_appendf(b, "p%u", v->permille / 10U);
        if (v->permille % 10)
            buffer_appendf(b, ".%u", v->permille % 10U);
    }
    for (size_t k = 0; k < OPERATIONS; k++)
        if (operations[k].op == v->op)
            buffer_append_string(b, operations[k].name);
    if (v->field == AGGREGATE_NO_FIELD)
        return;
    buffer_append_char(b, '(');
    aggregate_append_field(b, &spec->fields.items[v->field]);
    buffer_append_char(b, ')');
}
