#include "record/filter.h"

#include <string.h>

#include "base/json.h"
#include "base/timestamp.h"

void log_filter_init(struct log_filter *f)
{
    *f = (struct log_filter){.since_us = TIMESTAMP_MIN_US, .until_us = INT64_MAX};
}

bool log_filter_has_predicates(const struct log_filter *f)
{
    return f->levels_len > 0 || f->excluded_levels_len > 0 || f->text.len > 0 ||
           f->excluded_text.len > 0 || f->attributes_len > 0;
}

/* True where `value`, a scalar, has the text `text`. */
static bool scalar_has_text(yyjson_val *value, struct slice text)
{
    switch (yyjson_get_type(value)) {
    case YYJSON_TYPE_STR:
    case YYJSON_TYPE_RAW:
        return slice_equal(json_text(value), text);
    case YYJSON_TYPE_BOOL:
        return slice_equal(slice_of_string(yyjson_get_bool(value) ? "true" : "false"), text);
    case YYJSON_TYPE_NULL:
        return slice_equal(SLICE_LITERAL("null"), text);
    default:
        return false;
    }
}

/* False where JSON text may spell some of `s` in another way than by itself. */
static bool spelled_one_way(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];
        if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\' || c == '/')
            return false;
    }
    return true;
}

/* False where the JSON text `json` cannot hold `s`, which saves parsing it. */
static bool may_hold(struct slice json, struct slice s)
{
    return !spelled_one_way(s) || s.len == 0 || memmem(json.data, json.len, s.data, s.len);
}

static bool object_matches(yyjson_val *object, const struct log_attribute_filter *wanted, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct slice name = wanted[i].name.len ? wanted[i].name : SLICE_LITERAL("");
        yyjson_val *value = yyjson_obj_getn(object, name.data, name.len);
        bool equals = value && scalar_has_text(value, wanted[i].value);
        if (equals == wanted[i].excludes)
            return false;
    }
    return true;
}

/* Large enough for attributes of about a thousand bytes; larger ones are allocated for. */
enum { STACK_POOL_SIZE = 16 * 1024 };

/* Returns 0 with `*matches` set, or LM_ENOMEM. */
static int attributes_match(const struct log_filter *f, struct slice json, bool *matches)
{
    *matches = false;
    for (size_t i = 0; i < f->attributes_len; i++) {
        if (f->attributes[i].excludes)
            continue;
        if (json.len == 0 || !may_hold(json, f->attributes[i].name) ||
            !may_hold(json, f->attributes[i].value))
            return 0;
    }
    *matches = true;
    if (json.len == 0 || f->attributes_len == 0)
        return 0;

    char pool[STACK_POOL_SIZE];
    yyjson_alc alc;
    yyjson_read_err error;
    bool small = yyjson_read_max_memory_usage(json.len, YYJSON_READ_NUMBER_AS_RAW) <= sizeof(pool);
    if (small)
        yyjson_alc_pool_init(&alc, pool, sizeof(pool));
    /* Without YYJSON_READ_INSITU the text is not changed: the cast is safe. */
    yyjson_doc *doc = yyjson_read_opts((char *)json.data, json.len, YYJSON_READ_NUMBER_AS_RAW,
                                       small ? &alc : json_alc(), &error);
    if (!doc && error.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION)
        return LM_ENOMEM;
    *matches = object_matches(yyjson_doc_get_root(doc), f->attributes, f->attributes_len);
    yyjson_doc_free(doc);
    return 0;
}

static bool is_among(struct slice level, const struct slice *levels, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (text_equal_nocase(levels[i], level))
            return true;
    }
    return false;
}

static bool level_matches(const struct log_filter *f, struct slice level)
{
    return (f->levels_len == 0 || is_among(level, f->levels, f->levels_len)) &&
           !is_among(level, f->excluded_levels, f->excluded_levels_len);
}

static bool text_matches(const struct log_filter *f, struct slice message)
{
    return text_contains_nocase(message, f->text) &&
           (f->excluded_text.len == 0 || !text_contains_nocase(message, f->excluded_text));
}

int log_filter_try_match(const struct log_filter *f, const struct record *r, bool *matches)
{
    *matches = level_matches(f, r->level) && text_matches(f, r->message);
    return *matches ? attributes_match(f, r->attributes, matches) : 0;
}

bool log_filter_match(const struct log_filter *f, const struct record *r)
{
    bool matches;

    return log_filter_try_match(f, r, &matches) == 0 && matches;
}
