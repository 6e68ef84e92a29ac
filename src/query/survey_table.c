#include "query/survey.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "query/aggregate.h"
#include "query/number.h"
#include "query/path.h"
#include "query/survey_table.h"
#include "json/writer.h"

enum {
    BUFFER_BYTES_MAX = 1 << 30, /* a ceiling because every buffer has one */
    CHARGE_STEP = 256 * 1024,
    SETTLE_BYTES = 256 * 1024, /* by which it grows before it is settled */
    LITTLE_BYTES = 1 << 20,    /* of which nothing is left out for want of room */
    VALUES_FEW = 16,           /* of a field, of which none goes */
};

/* ---- Life ---- */

struct survey *survey_new(struct account *account)
{
    struct survey *s = try_malloc(sizeof(*s));

    if (!s)
        return NULL;
    *s = (struct survey){.account = account,
                         .fields_max = SURVEY_FIELDS_MAX,
                         .values_max = SURVEY_VALUES_MAX,
                         .bytes_max = SURVEY_BYTES_MAX};
    dictionary_init(&s->paths);
    buffer_init(&s->fields, BUFFER_BYTES_MAX);
    buffer_init(&s->path, BUFFER_BYTES_MAX);
    buffer_init(&s->text, BUFFER_BYTES_MAX);
    json_doc_init(&s->doc);
    return s;
}

static void release_field(struct survey_field *f)
{
    distinct_release(&f->distinct);
    dictionary_release(&f->values);
    buffer_release(&f->counts);
}

void survey_free(struct survey *s)
{
    if (!s)
        return;
    for (uint32_t i = 0; i < dictionary_len(&s->paths); i++)
        release_field(survey_field_at(s, i));
    dictionary_release(&s->paths);
    buffer_release(&s->fields);
    buffer_release(&s->path);
    buffer_release(&s->text);
    json_doc_release(&s->doc);
    if (s->account)
        account_give(s->account, s->charged);
    free(s);
}

uint64_t survey_total(const struct survey *s)
{
    return s->total;
}

size_t survey_fields(const struct survey *s)
{
    return dictionary_len(&s->paths);
}

/* ---- Fields and values ---- */

struct survey_field *survey_field_at(const struct survey *s, uint32_t number)
{
    void *fields = s->fields.data;

    return (struct survey_field *)fields + number;
}

struct survey_count *survey_count_at(const struct survey_field *f, uint32_t number)
{
    void *counts = f->counts.data;

    return (struct survey_count *)counts + number;
}

struct survey_field *survey_field_of(struct survey *s, struct slice path, uint32_t kind)
{
    size_t len = dictionary_len(&s->paths);
    uint32_t number;

    if (dictionary_add(&s->paths, path, kind, &number))
        return NULL;
    if (number == len) {
        struct survey_field new = {.in.lacks = s->bound, .bound = s->bound};

        dictionary_init(&new.values);
        buffer_init(&new.counts, BUFFER_BYTES_MAX);
        buffer_append(&s->fields, &new, sizeof(new));
        if (buffer_error(&s->fields))
            return NULL;
        s->grown += sizeof(new) + path.len;
    }
    return survey_field_at(s, number);
}

struct survey_count *survey_value_of(struct survey *s, struct survey_field *f, struct slice text)
{
    size_t len = dictionary_len(&f->values);
    uint32_t number;

    if (dictionary_add(&f->values, text, 0, &number))
        return NULL;
    if (number == len) {
        const struct survey_count new = {.lacks = f->bound};

        buffer_append(&f->counts, &new, sizeof(new));
        if (buffer_error(&f->counts))
            return NULL;
        s->grown += sizeof(new) + sizeof(struct dictionary_entry) + text.len;
    }
    return survey_count_at(f, number);
}

/* ---- Ranking ---- */

struct ranked {
    uint64_t logs;
    struct slice text;
    uint32_t number;
};

static int most_first(const void *x, const void *y)
{
    const struct ranked *a = x, *b = y;
    size_t len = a->text.len < b->text.len ? a->text.len : b->text.len;
    int order;

    if (a->logs != b->logs)
        return a->logs < b->logs ? 1 : -1;
    order = len > 0 ? memcmp(a->text.data, b->text.data, len) : 0;
    if (order)
        return order;
    if (a->text.len != b->text.len)
        return a->text.len < b->text.len ? -1 : 1;
    return a->number < b->number ? -1 : 1;
}

uint32_t *survey_ranking(const struct survey *s, const struct survey_field *f)
{
    const struct dictionary *names = f ? &f->values : &s->paths;
    uint32_t n = (uint32_t)dictionary_len(names);
    struct ranked *ranked = try_malloc((n + 1) * sizeof(*ranked));
    uint32_t *ranking = try_malloc((n + 1) * sizeof(*ranking));

    if (ranked && ranking) {
        /* The analyzer does not see that callers go through just as many. */
        memset(ranking, 0, (n + 1) * sizeof(*ranking));
        for (uint32_t i = 0; i < n; i++)
            ranked[i] = (struct ranked){
                .logs = f ? survey_count_at(f, i)->logs : survey_field_at(s, i)->in.logs,
                .text = dictionary_text(names, i),
                .number = i,
            };
        if (n > 0)
            qsort(ranked, n, sizeof(*ranked), most_first);
        for (uint32_t i = 0; i < n; i++)
            ranking[i] = ranked[i].number;
    } else {
        free(ranking);
        ranking = NULL;
    }
    free(ranked);
    return ranking;
}

/* ---- Leaving out ---- */

static uint64_t most_of(const struct survey_count *c, uint64_t bound)
{
    return c->logs + c->lacks > bound ? c->logs + c->lacks : bound;
}

/* The values behind the first `keep` of their ranking go. */
static int cut_values(struct survey *s, struct survey_field *f, size_t keep)
{
    uint32_t *ranking = survey_ranking(s, f);
    uint32_t n = (uint32_t)dictionary_len(&f->values), number;
    struct dictionary values;
    struct buffer counts;
    int error = ranking ? 0 : LM_ENOMEM;

    dictionary_init(&values);
    buffer_init(&counts, BUFFER_BYTES_MAX);
    for (uint32_t i = 0; !error && i < n; i++) {
        const struct survey_count *c = survey_count_at(f, ranking[i]);

        if (i >= keep) {
            f->bound = most_of(c, f->bound);
            continue;
        }
        error = dictionary_add(&values, dictionary_text(&f->values, ranking[i]), 0, &number);
        buffer_append(&counts, c, sizeof(*c));
        if (!error)
            error = buffer_error(&counts);
    }
    free(ranking);
    if (error) {
        dictionary_release(&values);
        buffer_release(&counts);
        return LM_ENOMEM;
    }
    dictionary_release(&f->values);
    buffer_release(&f->counts);
    f->values = values;
    f->counts = counts;
    return 0;
}

/* The same for fields. After an error the survey is of no use, but can be freed. */
static int cut_fields(struct survey *s, size_t keep)
{
    uint32_t *ranking = survey_ranking(s, NULL);
    uint32_t n = (uint32_t)dictionary_len(&s->paths), number;
    struct dictionary paths;
    struct buffer fields;
    int error = ranking ? 0 : LM_ENOMEM;

    dictionary_init(&paths);
    buffer_init(&fields, BUFFER_BYTES_MAX);
    for (uint32_t i = 0; !error && i < n && i < keep; i++) {
        error = dictionary_add(&paths, dictionary_text(&s->paths, ranking[i]),
                               dictionary_tag(&s->paths, ranking[i]), &number);
        buffer_append(&fields, survey_field_at(s, ranking[i]), sizeof(struct survey_field));
        if (!error)
            error = buffer_error(&fields);
    }
    if (error) {
        free(ranking);
        dictionary_release(&paths);
        buffer_release(&fields);
        return LM_ENOMEM;
    }
    for (size_t i = keep; i < n; i++) {
        struct survey_field *f = survey_field_at(s, ranking[i]);

        s->bound = most_of(&f->in, s->bound);
        release_field(f);
    }
    free(ranking);
    dictionary_release(&s->paths);
    buffer_release(&s->fields);
    s->paths = paths;
    s->fields = fields;
    return 0;
}

static size_t memory_of(const struct survey *s)
{
    size_t bytes = dictionary_memory(&s->paths) + s->fields.capacity;

    for (uint32_t i = 0; i < dictionary_len(&s->paths); i++) {
        const struct survey_field *f = survey_field_at(s, i);

        bytes += distinct_memory(&f->distinct) + dictionary_memory(&f->values) + f->counts.capacity;
    }
    return bytes;
}

static int charge(struct survey *s)
{
    size_t wanted = (memory_of(s) / CHARGE_STEP + 1) * CHARGE_STEP;

    if (!s->account || wanted == s->charged)
        return 0;
    if (wanted < s->charged)
        account_give(s->account, s->charged - wanted);
    else if (!account_take(s->account, wanted - s->charged))
        return LM_EBUSY;
    s->charged = wanted;
    return 0;
}

int survey_trim(struct survey *s, size_t keep)
{
    int error = 0;

    for (uint32_t i = 0; !error && i < dictionary_len(&s->paths); i++) {
        struct survey_field *f = survey_field_at(s, i);

        if (f->bound > 0 && dictionary_len(&f->values) > keep)
            error = cut_values(s, f, keep);
    }
    return error;
}

void survey_tell_few(const struct survey *s, size_t most, survey_path_fn *fn, void *ctx)
{
    for (uint32_t i = 0; i < dictionary_len(&s->paths); i++) {
        const struct survey_field *f = survey_field_at(s, i);

        if (dictionary_tag(&s->paths, i) == SURVEY_ATTRIBUTE && f->bound == 0 &&
            dictionary_len(&f->values) <= most)
            fn(dictionary_text(&s->paths, i), ctx);
    }
}

/* Half of the values of each field go, but for a few; and if that was not enough, half the fields.
 */
static int halve(struct survey *s)
{
    size_t before = memory_of(s);
    int error = 0;

    for (uint32_t i = 0; !error && i < dictionary_len(&s->paths); i++) {
        struct survey_field *f = survey_field_at(s, i);

        if (dictionary_len(&f->values) > VALUES_FEW)
            error = cut_values(s, f, dictionary_len(&f->values) / 2);
    }
    if (!error && memory_of(s) > before - before / 4)
        error = cut_fields(s, dictionary_len(&s->paths) / 2);
    return error;
}

int survey_settle(struct survey *s)
{
    int error = 0;

    s->grown = 0;
    if (dictionary_len(&s->paths) > s->fields_max)
        error = cut_fields(s, s->fields_max / 2);
    while (!error && memory_of(s) > s->bytes_max && dictionary_len(&s->paths) > 1)
        error = halve(s);
    if (!error)
        error = charge(s);
    /* Others have the room now: with less it is still an answer, which says how exact it is. */
    while (error == LM_EBUSY && memory_of(s) > LITTLE_BYTES && dictionary_len(&s->paths) > 1) {
        error = halve(s);
        if (!error)
            error = charge(s);
    }
    return error;
}

/* ---- A log ---- */

static bool count_once(struct survey_count *c, uint64_t number)
{
    if (c->last == number)
        return false;
    c->last = number;
    c->logs++;
    return true;
}

static int note(struct survey *s, struct slice path, uint32_t kind, struct slice text,
                enum log_value_type type)
{
    struct survey_field *f;
    struct survey_count *c;
    size_t values;

    if (dictionary_len(&s->paths) >= 2 * s->fields_max && cut_fields(s, s->fields_max))
        return LM_ENOMEM;
    f = survey_field_of(s, path, kind);
    if (!f)
        return LM_ENOMEM;
    count_once(&f->in, s->number);
    count_once(&f->types[type], s->number);
    values = dictionary_len(&f->values);
    if (values >= 2 * s->values_max && cut_values(s, f, s->values_max))
        return LM_ENOMEM;
    values = dictionary_len(&f->values);
    c = survey_value_of(s, f, utf8_cut(text, SURVEY_TEXT_MAX));
    if (!c)
        return LM_ENOMEM;
    count_once(c, s->number);
    /* A value that was there has been counted, unless there are others that begin alike. */
    if (dictionary_len(&f->values) == values && text.len <= SURVEY_TEXT_MAX)
        return 0;
    size_t before = distinct_memory(&f->distinct);
    int error = distinct_add(&f->distinct, distinct_hash(text));
    s->grown += distinct_memory(&f->distinct) - before;
    return error;
}

static int note_number(struct survey *s, struct slice digits)
{
    struct number n;

    buffer_clear(&s->text);
    if (number_parse(digits, &n))
        number_append(&s->text, &n);
    else
        buffer_append_slice(&s->text, digits);
    if (buffer_error(&s->text))
        return LM_ENOMEM;
    return note(s, buffer_slice(&s->path), SURVEY_ATTRIBUTE, buffer_slice(&s->text),
                LOG_VALUE_NUMBER);
}

static int note_value(struct survey *s, yyjson_val *value)
{
    struct slice path = buffer_slice(&s->path);

    switch (yyjson_get_type(value)) {
    case YYJSON_TYPE_STR:
        return note(s, path, SURVEY_ATTRIBUTE, json_text(value), LOG_VALUE_STRING);
    case YYJSON_TYPE_RAW:
        return note_number(s, json_text(value));
    case YYJSON_TYPE_BOOL:
        return note(s, path, SURVEY_ATTRIBUTE,
                    yyjson_get_bool(value) ? SLICE_LITERAL("true") : SLICE_LITERAL("false"),
                    LOG_VALUE_BOOLEAN);
    case YYJSON_TYPE_OBJ:
        return note(s, path, SURVEY_ATTRIBUTE, SLICE_LITERAL("{…}"), LOG_VALUE_OBJECT);
    case YYJSON_TYPE_ARR:
        return note(s, path, SURVEY_ATTRIBUTE, SLICE_LITERAL("[]"), LOG_VALUE_ARRAY);
    default:
        return note(s, path, SURVEY_ATTRIBUTE, SLICE_LITERAL("null"), LOG_VALUE_NULL);
    }
}

static int walk(struct survey *s, yyjson_val *value, size_t dots);

static size_t dots_of(struct slice name)
{
    size_t dots = 0;

    for (size_t i = 0; i < name.len; i++)
        dots += name.data[i] == '.';
    return dots;
}

/* Whether each member can be reached by a path behind this one. */
static bool can_be_followed(const struct survey *s, yyjson_val *object, size_t dots)
{
    size_t i, max;
    yyjson_val *key, *member;

    yyjson_obj_foreach(object, i, max, key, member)
    {
        if (dots + 1 + dots_of(json_text(key)) >= PATH_NAMES_MAX ||
            s->path.len + 1 + yyjson_get_len(key) > SURVEY_PATH_MAX)
            return false;
    }
    return true;
}

/* The members of an object, each behind the path. */
static int walk_members(struct survey *s, yyjson_val *object, bool is_top, size_t dots)
{
    size_t len = s->path.len, i, max;
    yyjson_val *key, *member;
    int error = 0;

    yyjson_obj_foreach(object, i, max, key, member)
    {
        if (!is_top)
            buffer_append_char(&s->path, '.');
        buffer_append_slice(&s->path, json_text(key));
        error = buffer_error(&s->path) ? LM_ENOMEM
                                       : walk(s, member, dots + !is_top + dots_of(json_text(key)));
        if (error)
            return error;
        buffer_truncate(&s->path, len);
    }
    return 0;
}

static int walk(struct survey *s, yyjson_val *value, size_t dots)
{
    size_t i, max;
    yyjson_val *element;
    int error = 0;

    if (yyjson_is_obj(value) && yyjson_obj_size(value) > 0 && can_be_followed(s, value, dots))
        return walk_members(s, value, false, dots);
    if (!yyjson_is_arr(value) || yyjson_arr_size(value) == 0)
        return note_value(s, value);
    yyjson_arr_foreach(value, i, max, element)
    {
        error = walk(s, element, dots);
        if (error)
            return error;
    }
    return 0;
}

static int add_level(struct survey *s, struct slice level)
{
    buffer_clear(&s->text);
    text_append_lower(&s->text, level);
    if (buffer_error(&s->text))
        return LM_ENOMEM;
    return note(s, SLICE_LITERAL("level"), SURVEY_LEVEL, buffer_slice(&s->text), LOG_VALUE_STRING);
}

int survey_add(struct survey *s, const struct record *r)
{
    int error;

    s->total++;
    s->number++;
    error = add_level(s, r->level);
    if (!error && r->attributes.len > 0)
        error = json_doc_read(&s->doc, r->attributes);
    if (error == LM_EINVAL)
        return 0; /* no attributes that can be read */
    buffer_clear(&s->path);
    if (!error && r->attributes.len > 0)
        error = walk_members(s, yyjson_doc_get_root(s->doc.doc), true, 0);
    return error || s->grown < SETTLE_BYTES ? error : survey_settle(s);
}

/* ---- Many logs ---- */

void survey_add_logs(struct survey *s, uint64_t logs)
{
    s->total += logs;
}

/* The least number of logs that at most `most` values are above. */
static uint32_t threshold_of(const struct survey_value *values, size_t n, size_t most)
{
    uint32_t low = 0, high = 0;

    for (size_t i = 0; i < n; i++)
        high = values[i].logs > high ? values[i].logs : high;
    while (n > most && low < high) {
        uint32_t middle = low + (high - low) / 2;
        size_t above = 0;

        for (size_t i = 0; i < n; i++)
            above += values[i].logs > middle;
        if (above > most)
            low = middle + 1;
        else
            high = middle;
    }
    return n > most ? low : 0;
}

/* If they are too many, those go at once that are new and have the fewest logs. */
static int count_values(struct survey *s, struct survey_field *f, const struct survey_value *values,
                        size_t n)
{
    const uint32_t threshold = threshold_of(values, n, s->values_max);
    uint64_t most_gone = 0;

    for (size_t i = 0; i < n; i++) {
        const struct survey_value *v = &values[i];
        struct slice text = utf8_cut(v->text, SURVEY_TEXT_MAX);
        struct survey_count *c;
        uint32_t number;

        if (v->logs <= threshold && text.len == v->text.len && /* else others may begin alike */
            !dictionary_find(&f->values, text, 0, &number)) {
            most_gone = v->logs > most_gone ? v->logs : most_gone;
            continue;
        }
        c = survey_value_of(s, f, text);
        if (!c)
            return LM_ENOMEM;
        c->logs += v->logs;
    }
    if (most_gone > 0)
        f->bound += most_gone;
    return dictionary_len(&f->values) >= 2 * s->values_max ? cut_values(s, f, s->values_max) : 0;
}

static int add_values(struct survey *s, struct slice path, uint32_t kind,
                      const struct survey_value *values, size_t n)
{
    struct survey_field *f;
    size_t before;
    int error = 0;

    if (n == 0)
        return 0;
    if (dictionary_len(&s->paths) >= 2 * s->fields_max && cut_fields(s, s->fields_max))
        return LM_ENOMEM;
    f = survey_field_of(s, path, kind);
    if (!f)
        return LM_ENOMEM;
    before = distinct_memory(&f->distinct);
    for (size_t i = 0; !error && i < n; i++) {
        f->in.logs += values[i].logs;
        f->types[values[i].type].logs += values[i].logs;
        error = distinct_add(&f->distinct, distinct_hash(values[i].text));
    }
    s->grown += distinct_memory(&f->distinct) - before;
    if (!error)
        error = count_values(s, f, values, n);
    return error || s->grown < SETTLE_BYTES ? error : survey_settle(s);
}

int survey_add_levels(struct survey *s, const struct survey_value *values, size_t n)
{
    return add_values(s, SLICE_LITERAL("level"), SURVEY_LEVEL, values, n);
}

int survey_add_values(struct survey *s, struct slice path, const struct survey_value *values,
                      size_t n)
{
    return add_values(s, path, SURVEY_ATTRIBUTE, values, n);
}

/* ---- Merging ---- */

static void add_count(struct survey_count *to, const struct survey_count *from)
{
    to->logs += from->logs;
    to->lacks += from->lacks;
}

/* `mine` may lack what `other` has left out where that does not know it. */
static int merge_values(struct survey *s, struct survey_field *mine,
                        const struct survey_field *other)
{
    uint32_t n = (uint32_t)dictionary_len(&mine->values), number;
    uint32_t *lacking = try_malloc((n + 1) * sizeof(*lacking));

    if (!lacking)
        return LM_ENOMEM;
    for (uint32_t i = 0; i < n; i++)
        lacking[i] = true;
    for (uint32_t i = 0; i < dictionary_len(&other->values); i++) {
        struct survey_count *c = survey_value_of(s, mine, dictionary_text(&other->values, i));

        if (!c) {
            free(lacking);
            return LM_ENOMEM;
        }
        number = (uint32_t)(c - survey_count_at(mine, 0));
        if (number < n)
            lacking[number] = false;
        add_count(c, survey_count_at(other, i));
    }
    for (uint32_t i = 0; i < n; i++)
        if (lacking[i])
            survey_count_at(mine, i)->lacks += other->bound;
    free(lacking);
    mine->bound += other->bound;
    return dictionary_len(&mine->values) > s->values_max ? cut_values(s, mine, s->values_max) : 0;
}

static int merge_field(struct survey *s, struct survey_field *mine,
                       const struct survey_field *other)
{
    int error = merge_values(s, mine, other);

    add_count(&mine->in, &other->in);
    for (size_t i = 0; i < LOG_VALUE_TYPES; i++)
        add_count(&mine->types[i], &other->types[i]);
    return error ? error : distinct_merge(&mine->distinct, &other->distinct);
}

int survey_merge(struct survey *s, const struct survey *other)
{
    uint32_t n = (uint32_t)dictionary_len(&s->paths);
    bool *met = try_malloc(n + 1);
    int error = met ? 0 : LM_ENOMEM;

    if (met)
        memset(met, 0, n + 1);
    for (uint32_t i = 0; !error && i < dictionary_len(&other->paths); i++) {
        struct survey_field *mine =
            survey_field_of(s, dictionary_text(&other->paths, i), dictionary_tag(&other->paths, i));
        uint32_t number;

        if (!mine) {
            error = LM_ENOMEM;
            break;
        }
        number = (uint32_t)(mine - survey_field_at(s, 0));
        if (number < n)
            met[number] = true;
        error = merge_field(s, mine, survey_field_at(other, i));
    }
    for (uint32_t i = 0; !error && i < n; i++)
        if (!met[i]) {
            survey_field_at(s, i)->in.lacks += other->bound;
            survey_field_at(s, i)->bound += other->bound;
        }
    free(met);
    s->total += other->total;
    s->bound += other->bound;
    return error ? error : survey_settle(s);
}

/* ---- The answer ---- */

static const char *const type_names[LOG_VALUE_TYPES] = {
    [LOG_VALUE_STRING] = "string", [LOG_VALUE_NUMBER] = "number", [LOG_VALUE_BOOLEAN] = "boolean",
    [LOG_VALUE_NULL] = "null",     [LOG_VALUE_OBJECT] = "object", [LOG_VALUE_ARRAY] = "array",
};

static void append_types(struct buffer *b, const struct survey_field *f)
{
    const char *comma = "";

    buffer_append_string(b, ",\"types\":{");
    for (size_t i = 0; i < LOG_VALUE_TYPES; i++) {
        if (f->types[i].logs == 0)
            continue;
        buffer_appendf(b, "%s\"%s\":%llu", comma, type_names[i],
                       (unsigned long long)f->types[i].logs);
        comma = ",";
    }
    buffer_append_char(b, '}');
}

static int append_values(const struct survey *s, struct buffer *b, const struct survey_field *f,
                         size_t top, uint64_t *lacks)
{
    uint32_t *ranking = survey_ranking(s, f);
    size_t n = dictionary_len(&f->values);

    if (!ranking)
        return LM_ENOMEM;
    buffer_append_string(b, ",\"values\":[");
    for (size_t i = 0; i < n && i < top; i++) {
        const struct survey_count *c = survey_count_at(f, ranking[i]);

        buffer_append_string(b, i > 0 ? ",{\"value\":" : "{\"value\":");
        json_append_string(b, dictionary_text(&f->values, ranking[i]));
        buffer_appendf(b, ",\"count\":%llu}", (unsigned long long)c->logs);
        *lacks = c->lacks > *lacks ? c->lacks : *lacks;
    }
    buffer_append_char(b, ']');
    free(ranking);
    return 0;
}

static void append_path(struct buffer *b, const struct survey *s, uint32_t number)
{
    const struct log_field field = {.kind = dictionary_tag(&s->paths, number) == SURVEY_LEVEL
                                                ? LOG_FIELD_LEVEL
                                                : LOG_FIELD_ATTRIBUTE,
                                    .path = dictionary_text(&s->paths, number)};
    struct buffer name;

    buffer_init(&name, BUFFER_BYTES_MAX);
    aggregate_append_field(&name, &field);
    if (buffer_error(&name))
        b->error = buffer_error(&name);
    json_append_string(b, buffer_slice(&name));
    buffer_release(&name);
}

static int append_field(const struct survey *s, struct buffer *b, uint32_t number, size_t top)
{
    const struct survey_field *f = survey_field_at(s, number);
    uint64_t lacks = 0;
    int error;

    buffer_append_string(b, "{\"path\":");
    append_path(b, s, number);
    buffer_appendf(b, ",\"logs\":%llu", (unsigned long long)f->in.logs);
    append_types(b, f);
    buffer_appendf(b, ",\"distinct\":%llu", (unsigned long long)distinct_count(&f->distinct));
    error = append_values(s, b, f, top, &lacks);
    if (f->in.lacks == 0 && lacks == 0 && !f->distinct.registers && f->bound == 0)
        buffer_append_string(b, ",\"approximate\":null}");
    else
        buffer_appendf(b,
                       ",\"approximate\":{\"logs_error\":%llu,\"distinct\":%s,\"count_error\":%llu,"
                       "\"unseen_count\":%llu}}",
                       (unsigned long long)f->in.lacks,
                       f->distinct.registers || f->in.lacks > 0 ? "true" : "false",
                       (unsigned long long)lacks, (unsigned long long)f->bound);
    return error;
}

int survey_append_answer(struct survey *s, struct buffer *b, size_t top)
{
    int error = survey_settle(s);
    uint32_t *ranking = error ? NULL : survey_ranking(s, NULL);
    size_t n = dictionary_len(&s->paths);

    if (!ranking)
        return error ? error : LM_ENOMEM;

    buffer_appendf(b, "\"total\":%llu,\"fields\":[", (unsigned long long)s->total);
    for (size_t i = 0; !error && i < n; i++) {
        if (i > 0)
            buffer_append_char(b, ',');
        error = append_field(s, b, ranking[i], top);
    }
    free(ranking);
    if (s->bound == 0)
        buffer_append_string(b, "],\"approximate\":null");
    else
        buffer_appendf(b, "],\"approximate\":{\"unseen_count\":%llu}",
                       (unsigned long long)s->bound);
    return error ? error : buffer_error(b);
}
