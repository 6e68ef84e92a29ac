#include "query/leaf.h"

#include <stdlib.h>

#include "base/text.h"
#include "base/xalloc.h"
#include "query/levels.h"
#include "query/path.h"
#include "query/pattern.h"
#include "json/writer.h"

enum { LEVEL_NAME_MAX = 16, SCALAR_ROOM = 1024 };

/* ---- Making one ---- */

size_t query_leaf_bytes(const struct query_node *node)
{
    return TEXT_FOLD_GROWTH * node->text.len;
}

unsigned query_leaf_cost(const struct query_node *node)
{
    if (node->test == QUERY_REGEX)
        return node->field == QUERY_MESSAGE ? 4 : 5;
    if (node->test == QUERY_PATTERN)
        return 3;
    switch (node->field) {
    case QUERY_TIMESTAMP:
    case QUERY_ID:
        return 0;
    case QUERY_LEVEL:
        return 1;
    case QUERY_MESSAGE:
        return 2;
    case QUERY_ATTRIBUTE:
        return 3;
    default:
        return 4;
    }
}

static struct slice folded(struct slice text, char **to)
{
    struct slice result = slice_of(*to, text_fold(text, *to));

    *to += result.len;
    return result;
}

static void read_severities(struct query_leaf *leaf)
{
    leaf->low_severity = level_severity(leaf->node->low);
    leaf->high_severity = level_severity(leaf->node->high);
    leaf->is_void = (leaf->has_low && leaf->low_severity == LEVEL_WITHOUT_SEVERITY) ||
                    (leaf->has_high && leaf->high_severity == LEVEL_WITHOUT_SEVERITY);
}

static void read_bounds(struct query_leaf *leaf)
{
    const struct query_node *node = leaf->node;

    leaf->has_low = node->low.data;
    leaf->has_high = node->high.data;
    if (node->field == QUERY_LEVEL)
        read_severities(leaf);
    else
        leaf->is_void = (leaf->has_low && !number_parse(node->low, &leaf->low)) ||
                        (leaf->has_high && !number_parse(node->high, &leaf->high));
}

/*
 * False if JSON text may spell some of `s` in another way than by itself, or, as anybody may, by
 * \u00XX.
 */
static bool is_spelled_one_way(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];
        if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\' || c == '/')
            return false;
    }
    return true;
}

static struct slice hint(struct slice text)
{
    return is_spelled_one_way(text) ? text : (struct slice){0};
}

static void gather_hints(struct query_leaf *leaf)
{
    const struct query_node *node = leaf->node;
    const struct slice *literals;
    bool with_case;

    leaf->hints[0] = hint(path_longest_name(node->path));
    if (node->test == QUERY_REGEX) {
        if (regex_literals(leaf->regex, &literals, &with_case) > 0 && with_case)
            leaf->hints[1] = hint(literals[0]);
    } else if (node->test != QUERY_EXISTS && node->test != QUERY_RANGE && !leaf->has_number) {
        leaf->hints[1] = hint(node->text);
    }
}

int query_leaf_init(struct query_leaf *leaf, const struct query_node *node, char **to)
{
    struct errbuf err = ERRBUF_INIT;
    size_t offset;
    int error = 0;

    *leaf = (struct query_leaf){.node = node};
    if (node->test == QUERY_REGEX)
        error = regex_new(node->text, &leaf->regex, &offset, &err);
    if (error)
        return error;
    if (node->field == QUERY_ID)
        leaf->has_id = uuid_parse(node->text, &leaf->id, &err) == 0;
    if (node->test == QUERY_RANGE)
        read_bounds(leaf);
    leaf->has_number = node->field == QUERY_ATTRIBUTE && node->test == QUERY_EQUALS &&
                       number_parse(node->text, &leaf->number);
    if (node->field == QUERY_ATTRIBUTE)
        gather_hints(leaf);
    leaf->folded = folded(node->text, to);
    if (node->test == QUERY_HOLDS)
        text_needle_init(&leaf->needle, leaf->folded);
    if (node->field == QUERY_LEVEL && node->test == QUERY_EQUALS)
        leaf->other = level_other_name(node->text);
    return 0;
}

void query_leaf_release(struct query_leaf *leaf)
{
    regex_free(leaf->regex);
    leaf->regex = NULL;
}

/* ---- Texts ---- */

static bool begins_with(struct slice s, struct slice part)
{
    return s.len >= part.len && slice_equal(slice_of(s.data, part.len), part);
}

static bool ends_with(struct slice s, struct slice part)
{
    return s.len >= part.len &&
           (part.len == 0 || memcmp(s.data + s.len - part.len, part.data, part.len) == 0);
}

static bool contains(struct slice s, struct slice part)
{
    return part.len == 0 || (s.len > 0 && memmem(s.data, s.len, part.data, part.len));
}

/* By a comparison with the low and the high bound: <0, 0, >0 as the value is less, equal, more. */
static bool is_within(const struct query_leaf *leaf, int with_low, int with_high)
{
    const struct query_node *node = leaf->node;

    return (!leaf->has_low || with_low > 0 || (with_low == 0 && node->low_included)) &&
           (!leaf->has_high || with_high < 0 || (with_high == 0 && node->high_included));
}

/* ---- Level and message ---- */

static int match_level(const struct query_leaf *leaf, struct log_subject *s, bool *matches)
{
    int error = log_subject_need_level(s);

    if (error)
        return error;
    switch (leaf->node->test) {
    case QUERY_EXISTS:
        *matches = true;
        break;
    case QUERY_EQUALS:
        *matches = slice_equal(s->level, leaf->folded) ||
                   (leaf->other.data && slice_equal(s->level, leaf->other));
        break;
    case QUERY_BEGINS:
        *matches = begins_with(s->level, leaf->folded);
        break;
    case QUERY_ENDS:
        *matches = ends_with(s->level, leaf->folded);
        break;
    case QUERY_RANGE: {
        int severity = level_severity(s->record->level);

        *matches = severity != LEVEL_WITHOUT_SEVERITY && !leaf->is_void &&
                   is_within(leaf, severity - leaf->low_severity, severity - leaf->high_severity);
        break;
    }
    default:
        break;
    }
    return 0;
}

static int match_message(const struct query_leaf *leaf, struct log_subject *s, bool *matches,
                         uint64_t *steps)
{
    if (leaf->node->test == QUERY_REGEX)
        return regex_match(leaf->regex, s->record->message, matches, steps);
    if (leaf->node->test == QUERY_EXISTS) {
        *matches = true;
        return 0;
    }
    if (leaf->node->test == QUERY_PATTERN) {
        *steps += s->record->message.len;
        *matches = pattern_is_of(leaf->node->text, s->record->message);
        return 0;
    }
    if (log_subject_need_message(s))
        return LM_ENOMEM;
    switch (leaf->node->test) {
    case QUERY_HOLDS:
        *matches = text_needle_is_in(&leaf->needle, s->message, steps);
        break;
    case QUERY_BEGINS:
        *matches = begins_with(s->message, leaf->folded);
        break;
    case QUERY_ENDS:
        *matches = ends_with(s->message, leaf->folded);
        break;
    default:
        break;
    }
    return 0;
}

/* ---- Attributes ---- */

/* False if `value` is no scalar. */
static bool scalar_text(yyjson_val *value, struct slice *text)
{
    switch (yyjson_get_type(value)) {
    case YYJSON_TYPE_STR:
    case YYJSON_TYPE_RAW:
        *text = json_text(value);
        return true;
    case YYJSON_TYPE_BOOL:
        *text = slice_of_string(yyjson_get_bool(value) ? "true" : "false");
        return true;
    case YYJSON_TYPE_NULL:
        *text = SLICE_LITERAL("null");
        return true;
    default:
        return false;
    }
}

struct search {
    const struct query_leaf *leaf;
    bool found;
    int error;
    uint64_t *steps;
};

static bool is_equal(const struct query_leaf *leaf, yyjson_val *value, struct slice text)
{
    struct number number;

    return slice_equal(text, leaf->node->text) ||
           (leaf->has_number && yyjson_is_raw(value) && number_parse(text, &number) &&
            number_compare(&number, &leaf->number) == 0);
}

static bool is_in_range(const struct query_leaf *leaf, yyjson_val *value, struct slice text)
{
    struct number number;
    bool is_number = yyjson_is_raw(value)   ? number_parse(text, &number)
                     : yyjson_is_str(value) ? number_parse_string(text, &number)
                                            : false;

    return is_number && !leaf->is_void &&
           is_within(leaf, leaf->has_low ? number_compare(&number, &leaf->low) : 0,
                     leaf->has_high ? number_compare(&number, &leaf->high) : 0);
}

/* A path_value_fn. */
static bool try_value(yyjson_val *value, void *ctx)
{
    struct search *search = ctx;
    const struct query_leaf *leaf = search->leaf;
    const struct query_node *node = leaf->node;
    struct slice text;

    if (node->test == QUERY_EXISTS) {
        search->found = true;
        return false;
    }
    if (!scalar_text(value, &text))
        return true;
    *search->steps += 4 + text.len / 4;
    switch (node->test) {
    case QUERY_EQUALS:
        search->found = is_equal(leaf, value, text);
        break;
    case QUERY_BEGINS:
        search->found = begins_with(text, node->text);
        break;
    case QUERY_ENDS:
        search->found = ends_with(text, node->text);
        break;
    case QUERY_CONTAINS:
        search->found = contains(text, node->text);
        break;
    case QUERY_RANGE:
        search->found = is_in_range(leaf, value, text);
        break;
    case QUERY_REGEX:
        search->error = regex_match(leaf->regex, text, &search->found, search->steps);
        break;
    default:
        break;
    }
    return !search->found && !search->error;
}

/* False if the text of the attributes shows that nothing matches, which saves parsing them. */
static bool may_match(const struct query_leaf *leaf, struct slice json, uint64_t *steps)
{
    *steps += json.len / 4;
    return (contains(json, leaf->hints[0]) && contains(json, leaf->hints[1])) ||
           contains(json, SLICE_LITERAL("\\u00"));
}

static int match_attribute(const struct query_leaf *leaf, struct log_subject *s, bool *matches,
                           uint64_t *steps)
{
    struct search search = {.leaf = leaf, .steps = steps};

    if (s->record->attributes.len == 0 ||
        (!s->has_attributes && !may_match(leaf, s->record->attributes, steps)))
        return 0;
    if (log_subject_need_attributes(s))
        return LM_ENOMEM;
    path_each(log_subject_attributes(s), leaf->node->path, try_value, &search, steps);
    *matches = search.found;
    return search.error;
}

/* ---- Anything ---- */

/* Looks for the needle in a text that is not folded yet. */
static int find_in_text(const struct query_leaf *leaf, struct slice text, bool *matches,
                        uint64_t *steps)
{
    char room[SCALAR_ROOM];
    char *allocated = NULL;
    char *to = room;

    if (text.len > sizeof(room) / TEXT_FOLD_GROWTH) {
        to = allocated = try_malloc(text.len * TEXT_FOLD_GROWTH);
        if (!to)
            return LM_ENOMEM;
    }
    *steps += text.len;
    *matches = text_needle_is_in(&leaf->needle, slice_of(to, text_fold(text, to)), steps);
    free(allocated);
    return 0;
}

/* In a value and all that is in it; recursive, as deep as that is. */
static int find_in_value(const struct query_leaf *leaf, yyjson_val *value, bool *matches,
                         uint64_t *steps)
{
    yyjson_arr_iter elements;
    yyjson_obj_iter members;
    struct slice text;
    int error = 0;

    if (scalar_text(value, &text))
        return find_in_text(leaf, text, matches, steps);
    if (yyjson_is_arr(value)) {
        yyjson_arr_iter_init(value, &elements);
        for (yyjson_val *v; !error && !*matches && (v = yyjson_arr_iter_next(&elements));)
            error = find_in_value(leaf, v, matches, steps);
    } else if (yyjson_is_obj(value)) {
        yyjson_obj_iter_init(value, &members);
        for (yyjson_val *key; !error && !*matches && (key = yyjson_obj_iter_next(&members));)
            error = find_in_value(leaf, yyjson_obj_iter_get_val(key), matches, steps);
    }
    return error;
}

static int match_any(const struct query_leaf *leaf, struct log_subject *s, bool *matches,
                     uint64_t *steps)
{
    if (leaf->node->test == QUERY_EXISTS) {
        *matches = true;
        return 0;
    }
    if (leaf->node->test != QUERY_HOLDS)
        return 0;
    if (log_subject_need_message(s))
        return LM_ENOMEM;
    *matches = text_needle_is_in(&leaf->needle, s->message, steps);
    if (*matches || s->record->attributes.len == 0)
        return 0;
    if (log_subject_need_attributes(s))
        return LM_ENOMEM;
    return find_in_value(leaf, log_subject_attributes(s), matches, steps);
}

/* ---- The whole ---- */

int query_leaf_match(const struct query_leaf *leaf, struct log_subject *s, bool *matches,
                     uint64_t *steps)
{
    const struct query_node *node = leaf->node;
    const struct log_key *key = &s->record->key;

    *matches = false;
    ++*steps;
    switch (node->field) {
    case QUERY_MESSAGE:
        return match_message(leaf, s, matches, steps);
    case QUERY_LEVEL:
        return match_level(leaf, s, matches);
    case QUERY_TIMESTAMP:
        *matches = node->test == QUERY_EXISTS ||
                   (key->timestamp_us >= node->low_us && key->timestamp_us < node->high_us);
        return 0;
    case QUERY_ID:
        *matches = node->test == QUERY_EXISTS ||
                   (leaf->has_id && memcmp(&key->id, &leaf->id, sizeof(leaf->id)) == 0);
        return 0;
    case QUERY_ATTRIBUTE:
        return match_attribute(leaf, s, matches, steps);
    case QUERY_ANY:
        return match_any(leaf, s, matches, steps);
    }
    return 0;
}
