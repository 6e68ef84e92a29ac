#include "oracle.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <yyjson.h>

#include "base/text.h"
#include "base/uuid7.h"
#include "base/xalloc.h"
#include "query/pattern.h"

/* ---- Texts ---- */

static struct slice fold(struct slice s)
{
    char *to = xmalloc(2 * s.len + 1);

    return slice_of(to, text_fold(s, to));
}

static bool begins(struct slice s, struct slice part)
{
    return part.len <= s.len && (part.len == 0 || memcmp(s.data, part.data, part.len) == 0);
}

static bool ends(struct slice s, struct slice part)
{
    return part.len <= s.len && begins(slice_of(s.data + (s.len - part.len), part.len), part);
}

static bool holds(struct slice s, struct slice part)
{
    for (size_t i = 0; i + part.len <= s.len; i++)
        if (begins(slice_of(s.data + i, s.len - i), part))
            return true;
    return false;
}

static bool without_case(bool fn(struct slice, struct slice), struct slice s, struct slice part)
{
    struct slice a = fold(s), b = fold(part);
    bool result = fn(a, b);

    free((char *)a.data);
    free((char *)b.data);
    return result;
}

static bool finds(struct slice pattern, struct slice text)
{
    int failure;
    PCRE2_SIZE at;
    pcre2_code *code =
        pcre2_compile((PCRE2_SPTR)pattern.data, pattern.len, PCRE2_UTF, &failure, &at, NULL);
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    int found =
        pcre2_match(code, (PCRE2_SPTR)(text.len ? text.data : ""), text.len, 0, 0, data, NULL);

    if (found < 0 && found != PCRE2_ERROR_NOMATCH)
        abort();
    pcre2_match_data_free(data);
    pcre2_code_free(code);
    return found >= 0;
}

/* ---- Numbers: written out, as many digits before the point as after it ---- */

enum { PLACES = 500 };

struct decimal {
    int sign;
    char digits[2 * PLACES];
};

/* JSON's grammar; false: it is none, or too large for here. */
static bool read_decimal(struct slice s, struct decimal *d)
{
    char text[128], *p = text, *end;
    long exponent = 0;

    if (s.len == 0 || s.len >= sizeof(text) || memchr(s.data, '\0', s.len))
        return false;
    memcpy(text, s.data, s.len);
    text[s.len] = '\0';
    memset(d->digits, '0', sizeof(d->digits));
    d->sign = *p == '-' ? -1 : 1;
    p += *p == '-';
    if (!isdigit((unsigned char)*p) || (*p == '0' && isdigit((unsigned char)p[1])))
        return false;
    size_t whole = strspn(p, "0123456789");
    char *fraction = p + whole + 1;
    size_t fraction_len = p[whole] == '.' ? strspn(fraction, "0123456789") : 0;
    if (p[whole] == '.' && fraction_len == 0)
        return false;
    end = p + whole + (fraction_len ? fraction_len + 1 : 0);
    if (*end == 'e' || *end == 'E') {
        if (!isdigit((unsigned char)end[1 + (end[1] == '+' || end[1] == '-')]))
            return false;
        exponent = strtol(end + 1, &end, 10);
    }
    if (*end)
        return false;
    for (size_t i = 0; i < whole + fraction_len; i++) {
        char digit = i < whole ? p[i] : fraction[i - whole];
        long place = PLACES - (long)whole + (long)i - exponent;

        if (digit == '0')
            continue;
        if (place < 0 || place >= 2 * PLACES)
            abort();
        d->digits[place] = digit;
    }
    if (d->digits[0] == '0' && memcmp(d->digits, d->digits + 1, sizeof(d->digits) - 1) == 0)
        d->sign = 0;
    return true;
}

static int compare(const struct decimal *a, const struct decimal *b)
{
    if (a->sign != b->sign)
        return a->sign < b->sign ? -1 : 1;
    return a->sign * memcmp(a->digits, b->digits, sizeof(a->digits));
}

/* ---- Levels ---- */

static const char *const severities[][2] = {
    {"trace", NULL},       {"debug", NULL},     {"info", NULL},
    {"notice", NULL},      {"warning", "warn"}, {"error", "err"},
    {"critical", "fatal"}, {"alert", NULL},     {"emergency", NULL},
};

static int severity(struct slice level)
{
    for (int i = 0; i < 9; i++)
        for (int k = 0; k < 2; k++)
            if (severities[i][k] && strlen(severities[i][k]) == level.len &&
                strncasecmp(severities[i][k], level.data, level.len) == 0)
                return i;
    return -1;
}

static bool level_matches(const struct query_node *n, struct slice level)
{
    int mine = severity(level), low = severity(n->low), high = severity(n->high);

    switch (n->test) {
    case QUERY_EXISTS:
        return true;
    case QUERY_EQUALS:
        return without_case(slice_equal, level, n->text) ||
               (mine >= 0 && mine == severity(n->text) && severities[mine][1]);
    case QUERY_BEGINS:
        return without_case(begins, level, n->text);
    case QUERY_ENDS:
        return without_case(ends, level, n->text);
    case QUERY_RANGE:
        if (mine < 0 || (n->low.data && low < 0) || (n->high.data && high < 0))
            return false;
        if (n->low.data && (n->low_included ? mine < low : mine <= low))
            return false;
        return !n->high.data || (n->high_included ? mine <= high : mine < high);
    default:
        abort();
    }
}

/* ---- Attributes ---- */

static bool is_scalar(yyjson_val *v)
{
    return !yyjson_is_ctn(v);
}

static struct slice text_of(yyjson_val *v)
{
    if (yyjson_is_null(v))
        return SLICE_LITERAL("null");
    if (yyjson_is_bool(v))
        return slice_of_string(yyjson_get_bool(v) ? "true" : "false");
    return slice_of(yyjson_is_raw(v) ? yyjson_get_raw(v) : yyjson_get_str(v), yyjson_get_len(v));
}

static bool is_in_range(const struct query_node *n, struct slice text)
{
    struct decimal d, bound;

    if (text.len > 64 || !read_decimal(text, &d))
        return false;
    if (n->low.data) {
        if (!read_decimal(n->low, &bound))
            abort();
        int order = compare(&d, &bound);
        if (order < 0 || (order == 0 && !n->low_included))
            return false;
    }
    if (n->high.data) {
        if (!read_decimal(n->high, &bound))
            abort();
        int order = compare(&d, &bound);
        if (order > 0 || (order == 0 && !n->high_included))
            return false;
    }
    return true;
}

static bool value_matches(const struct query_node *n, yyjson_val *v)
{
    struct decimal a, b;

    if (n->test == QUERY_EXISTS)
        return true;
    if (!is_scalar(v))
        return false;
    switch (n->test) {
    case QUERY_EQUALS:
        return slice_equal(text_of(v), n->text) ||
               (yyjson_is_raw(v) && read_decimal(n->text, &a) && read_decimal(text_of(v), &b) &&
                compare(&a, &b) == 0);
    case QUERY_BEGINS:
        return begins(text_of(v), n->text);
    case QUERY_ENDS:
        return ends(text_of(v), n->text);
    case QUERY_CONTAINS:
        return holds(text_of(v), n->text);
    case QUERY_REGEX:
        return finds(n->text, text_of(v));
    case QUERY_RANGE:
        return (yyjson_is_raw(v) || yyjson_is_str(v)) && is_in_range(n, text_of(v));
    default:
        abort();
    }
}

/* Whether one of the values at `path` (data NULL: used up) matches. */
static bool one_matches(const struct query_node *n, yyjson_val *v, struct slice path)
{
    yyjson_arr_iter elements;

    if (yyjson_is_arr(v) && (path.data || yyjson_arr_size(v) > 0)) {
        yyjson_arr_iter_init(v, &elements);
        for (yyjson_val *e; (e = yyjson_arr_iter_next(&elements));)
            if (one_matches(n, e, path))
                return true;
        return false;
    }
    if (!path.data)
        return value_matches(n, v);
    if (!yyjson_is_obj(v))
        return false;
    for (size_t i = 0; i <= path.len; i++) { /* every prefix */
        yyjson_val *member;

        if (i < path.len && path.data[i] != '.')
            continue;
        member = yyjson_obj_getn(v, path.data, i);
        if (member && one_matches(n, member,
                                  i == path.len ? (struct slice){0}
                                                : slice_of(path.data + i + 1, path.len - i - 1)))
            return true;
    }
    return false;
}

static bool any_holds(yyjson_val *v, struct slice part)
{
    yyjson_arr_iter elements;
    yyjson_obj_iter members;

    if (is_scalar(v))
        return without_case(holds, text_of(v), part);
    if (yyjson_is_arr(v)) {
        yyjson_arr_iter_init(v, &elements);
        for (yyjson_val *e; (e = yyjson_arr_iter_next(&elements));)
            if (any_holds(e, part))
                return true;
    } else {
        yyjson_obj_iter_init(v, &members);
        for (yyjson_val *key; (key = yyjson_obj_iter_next(&members));)
            if (any_holds(yyjson_obj_iter_get_val(key), part))
                return true;
    }
    return false;
}

static bool attributes_match(const struct query_node *n, const struct record *r)
{
    yyjson_doc *doc;
    bool result = false;

    if (r->attributes.len == 0)
        return false;
    doc = yyjson_read(r->attributes.data, r->attributes.len, YYJSON_READ_NUMBER_AS_RAW);
    if (n->field == QUERY_ANY)
        result = any_holds(yyjson_doc_get_root(doc), n->text);
    else
        result = one_matches(n, yyjson_doc_get_root(doc),
                             slice_of(n->path.data ? n->path.data : "", n->path.len));
    yyjson_doc_free(doc);
    return result;
}

/* ---- The tree ---- */

static bool has_pattern(struct slice message, struct slice pattern)
{
    struct buffer b;

    buffer_init(&b, 1 << 20);
    pattern_append(&b, message);
    bool is = slice_equal(buffer_slice(&b), pattern);
    buffer_release(&b);
    return is;
}

static bool message_matches(const struct query_node *n, struct slice message)
{
    switch (n->test) {
    case QUERY_EXISTS:
        return true;
    case QUERY_HOLDS:
        return without_case(holds, message, n->text);
    case QUERY_BEGINS:
        return without_case(begins, message, n->text);
    case QUERY_ENDS:
        return without_case(ends, message, n->text);
    case QUERY_REGEX:
        return finds(n->text, message);
    case QUERY_PATTERN:
        return has_pattern(message, n->text);
    default:
        abort();
    }
}

static bool test_matches(const struct query_node *n, const struct record *r)
{
    struct errbuf err;
    struct uuid id;

    switch (n->field) {
    case QUERY_MESSAGE:
        return message_matches(n, r->message);
    case QUERY_LEVEL:
        return level_matches(n, r->level);
    case QUERY_TIMESTAMP:
        return n->test == QUERY_EXISTS ||
               (r->key.timestamp_us >= n->low_us && r->key.timestamp_us < n->high_us);
    case QUERY_ID:
        return n->test == QUERY_EXISTS ||
               (uuid_parse(n->text, &id, &err) == 0 && memcmp(&id, &r->key.id, sizeof(id)) == 0);
    case QUERY_ATTRIBUTE:
        return attributes_match(n, r);
    case QUERY_ANY:
        return n->test == QUERY_EXISTS || without_case(holds, r->message, n->text) ||
               attributes_match(n, r);
    }
    abort();
}

static bool node_matches(const struct query *q, uint32_t i, const struct record *r)
{
    const struct query_node *n = &q->nodes[i];

    if (n->kind == QUERY_TEST)
        return test_matches(n, r);
    for (uint32_t k = i + 1; k < n->end; k = q->nodes[k].end) {
        bool matches = node_matches(q, k, r);

        if (n->kind == QUERY_NOT)
            return !matches;
        if (matches == (n->kind == QUERY_OR))
            return matches;
    }
    return n->kind == QUERY_AND;
}

bool oracle_matches(const struct query *q, const struct record *r)
{
    return node_matches(q, 0, r);
}
