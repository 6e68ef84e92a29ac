#include "json/writer.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/xalloc.h"

/*
 * Strings. Nearly all bytes of nearly all strings are copied as they are, so the search for the
 * next one that is not is what counts: sixteen bytes at a time, each compared with all at once
 * (vectors of gcc and clang), then those in question byte by byte.
 */

/* Bytes that begin something to be escaped; 0xef may (U+FFFE, U+FFFF) but usually does not. */
static const bool SPECIAL[256] = {
    /* clang-format off */
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, /* 0x00 … */
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, /* 0x10 … */
    ['"'] = 1, ['\\'] = 1, [0x7f] = 1, [0xef] = 1,
    /* clang-format on */
};

static bool is_special(unsigned char c)
{
    return SPECIAL[c];
}

enum { VECTOR_LEN = 16 };

typedef unsigned char vector __attribute__((vector_size(VECTOR_LEN)));

static bool any_special_in(const char *bytes)
{
    uint64_t halves[VECTOR_LEN / sizeof(uint64_t)];
    vector v;

    memcpy(&v, bytes, sizeof(v));
    vector special = (vector)(v < (vector){0} + 0x20) | (vector)(v == (vector){0} + '"') |
                     (vector)(v == (vector){0} + '\\') | (vector)(v == (vector){0} + 0x7f) |
                     (vector)(v == (vector){0} + 0xef);
    memcpy(halves, &special, sizeof(special));
    return (halves[0] | halves[1]) != 0;
}

static const char *find_special(const char *p, const char *end)
{
    const char *start = p;

    if (end - p < VECTOR_LEN && end - p >= VECTOR_LEN / 2) { /* as most names: the halves overlap */
        char both[VECTOR_LEN];

        memcpy(both, p, VECTOR_LEN / 2);
        memcpy(both + VECTOR_LEN / 2, end - VECTOR_LEN / 2, VECTOR_LEN / 2);
        if (!any_special_in(both))
            return end;
    }
    while (end - p >= VECTOR_LEN) {
        if (any_special_in(p))
            break;
        p += VECTOR_LEN;
    }
    /* The last few bytes once more with those before them, if these are known to be good. */
    if (end - p < VECTOR_LEN && p > start && !any_special_in(end - VECTOR_LEN))
        return end;
    while (p < end && !is_special((unsigned char)*p))
        p++;
    return p;
}

/*
 * Writes the escape for what begins at the special byte `p` into `out` and its length into
 * `*written` (0 if it needs none). Returns how many bytes of the text it stands for.
 */
static size_t escape(const char *p, const char *end, char out[6], size_t *written)
{
    static const char hex[] = "0123456789abcdef";
    static const char names[] = "btn?fr"; /* of U+0008 to U+000D */
    unsigned char c = (unsigned char)*p;

    if (c == 0xef) {
        bool nonchar = end - p >= 3 && (unsigned char)p[1] == 0xbf && (unsigned char)p[2] >= 0xbe;
        if (!nonchar) {
            *written = 0;
            return 1;
        }
        memcpy(out, (unsigned char)p[2] == 0xbe ? "\\ufffe" : "\\uffff", 6);
        *written = 6;
        return 3;
    }
    out[0] = '\\';
    *written = 2;
    if (c == '"' || c == '\\') {
        out[1] = (char)c;
    } else if (c >= 0x08 && c <= 0x0d && c != 0x0b) {
        out[1] = names[c - 0x08];
    } else {
        out[1] = 'u';
        out[2] = '0';
        out[3] = '0';
        out[4] = hex[c >> 4];
        out[5] = hex[c & 15];
        *written = 6;
    }
    return 1;
}

void json_append_string(struct buffer *b, struct slice s)
{
    if (s.len == 0) { /* its data may be NULL, which no arithmetic is allowed on */
        buffer_append(b, "\"\"", 2);
        return;
    }
    const char *end = s.data + s.len;
    const char *special = find_special(s.data, end);
    char *out = buffer_reserve(b, s.len + 2);

    if (!out)
        return;
    *out++ = '"';
    if (special == end) {
        memcpy(out, s.data, s.len);
        out[s.len] = '"';
        b->len += s.len + 2;
        return;
    }
    b->len++;
    const char *p = s.data;
    while (special < end) {
        char text[6];
        size_t written;
        size_t length = escape(special, end, text, &written);
        if (written) {
            buffer_append(b, p, (size_t)(special - p));
            buffer_append(b, text, written);
            p = special + length;
        }
        special = find_special(special + length, end);
    }
    buffer_append(b, p, (size_t)(end - p));
    buffer_append_char(b, '"');
}

/* Values. */

enum {
    /* Objects of up to this many members are searched for repeated names member by member. */
    FEW_MEMBERS = 16,
    /* … of up to this many through a table, whose slots are never more than half full; the others
     * are sorted. */
    TABLE_MEMBERS = 256,
    TABLE_SLOTS = 2 * TABLE_MEMBERS,
};

struct member {
    yyjson_val *key;
    size_t index; /* in the object */
};

/* By name, then by place. */
static int compare_members(const void *left, const void *right)
{
    const struct member *a = left;
    const struct member *b = right;
    struct slice x = json_text(a->key);
    struct slice y = json_text(b->key);

    if (x.len != y.len)
        return x.len < y.len ? -1 : 1;
    int order = memcmp(x.data, y.data, x.len);
    if (order != 0)
        return order;
    return a->index < b->index ? -1 : 1;
}

/* The slot of a name: of its length, and up to eight bytes of either end. */
static size_t slot_of(struct slice name)
{
    size_t n = name.len < sizeof(uint64_t) ? name.len : sizeof(uint64_t);
    uint64_t begin = 0;
    uint64_t end = 0;

    if (n > 0) {
        memcpy(&begin, name.data, n);
        memcpy(&end, name.data + name.len - n, n);
    }
    return hash_mix(begin ^ hash_mix(end ^ name.len)) % TABLE_SLOTS;
}

static void drop_repeated_by_table(yyjson_val **keys, size_t n)
{
    uint16_t last[TABLE_SLOTS] = {0}; /* 1 + the last place of a name so far; 0: free */

    for (size_t i = 0; i < n; i++) {
        struct slice name = json_text(keys[i]);
        size_t slot = slot_of(name);

        while (last[slot] != 0 && !slice_equal(name, json_text(keys[last[slot] - 1])))
            slot = (slot + 1) % TABLE_SLOTS;
        if (last[slot] != 0)
            keys[last[slot] - 1] = NULL;
        last[slot] = (uint16_t)(i + 1);
    }
}

/* Sets to NULL every one of `keys` whose name comes again later. Returns 0 or LM_ENOMEM. */
static int drop_repeated(yyjson_val **keys, size_t n)
{
    if (n <= FEW_MEMBERS) {
        for (size_t i = 0; i < n; i++) {
            struct slice name = json_text(keys[i]);
            for (size_t j = i + 1; j < n; j++) {
                if (slice_equal(name, json_text(keys[j]))) {
                    keys[i] = NULL;
                    break;
                }
            }
        }
        return 0;
    }
    if (n <= TABLE_MEMBERS) {
        drop_repeated_by_table(keys, n);
        return 0;
    }
    struct member *sorted = try_malloc(n * sizeof(*sorted));
    if (!sorted)
        return LM_ENOMEM;
    for (size_t i = 0; i < n; i++)
        sorted[i] = (struct member){keys[i], i};
    qsort(sorted, n, sizeof(*sorted), compare_members);
    for (size_t i = 0; i + 1 < n; i++) {
        if (slice_equal(json_text(sorted[i].key), json_text(sorted[i + 1].key)))
            keys[sorted[i].index] = NULL;
    }
    free(sorted);
    return 0;
}

/* What a value is appended with. */
struct appending {
    struct buffer *to;
    size_t max_depth;
    bool (*is_odd)(struct slice number); /* or NULL */
    bool odd;                            /* it said so of a number */
};

static void append_value(struct appending *a, yyjson_val *value, size_t depth);

static char *put(char *p, struct slice s)
{
    memcpy(p, s.data, s.len);
    return p + s.len;
}

/*
 * Appends `before` and the member of `key` with room made once, if that is all that there is to do:
 * its value is a text or a number, and nothing is to be escaped. Returns whether it was.
 */
static bool append_plain(struct appending *a, char before, yyjson_val *key, yyjson_val *value)
{
    struct slice name = json_text(key);
    struct slice text = json_text(value);
    bool is_text = yyjson_is_str(value);

    if (name.len == 0 || text.len == 0 ||
        find_special(name.data, name.data + name.len) != name.data + name.len ||
        (is_text && find_special(text.data, text.data + text.len) != text.data + text.len))
        return false;
    char *p = buffer_reserve(a->to, name.len + text.len + (is_text ? 6 : 4));
    if (!p)
        return true;
    *p++ = before;
    *p++ = '"';
    p = put(p, name);
    *p++ = '"';
    *p++ = ':';
    if (is_text)
        *p++ = '"';
    p = put(p, text);
    if (is_text)
        *p++ = '"';
    a->to->len = (size_t)(p - a->to->data);
    if (!is_text && a->is_odd && a->is_odd(text))
        a->odd = true;
    return true;
}

static void append_members(struct appending *a, yyjson_val **keys, size_t n, size_t depth)
{
    struct buffer *b = a->to;
    char before = '{';

    if (drop_repeated(keys, n) != 0) {
        b->error = LM_ENOMEM;
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (!keys[i])
            continue;
        yyjson_val *value = yyjson_obj_iter_get_val(keys[i]);
        if (!append_plain(a, before, keys[i], value)) {
            buffer_append_char(b, before);
            json_append_string(b, json_text(keys[i]));
            buffer_append_char(b, ':');
            append_value(a, value, depth);
        }
        before = ',';
    }
    buffer_append_string(b, before == '{' ? "{}" : "}");
}

static void append_object(struct appending *a, yyjson_val *object, size_t depth)
{
    yyjson_val *few[FEW_MEMBERS];
    yyjson_val **keys = few;
    size_t n = yyjson_obj_size(object);
    size_t i = 0;
    yyjson_obj_iter iter = yyjson_obj_iter_with(object);

    if (n > FEW_MEMBERS) {
        keys = try_malloc(n * sizeof(*keys));
        if (!keys) {
            a->to->error = LM_ENOMEM;
            return;
        }
    }
    for (yyjson_val *key; i < n && (key = yyjson_obj_iter_next(&iter)); i++)
        keys[i] = key;
    append_members(a, keys, i, depth);
    if (keys != few)
        free(keys);
}

static void append_array(struct appending *a, yyjson_val *array, size_t depth)
{
    struct buffer *b = a->to;
    yyjson_arr_iter iter = yyjson_arr_iter_with(array);
    bool first = true;

    buffer_append_char(b, '[');
    for (yyjson_val *value; (value = yyjson_arr_iter_next(&iter));) {
        if (!first)
            buffer_append_char(b, ',');
        first = false;
        append_value(a, value, depth);
    }
    buffer_append_char(b, ']');
}

/* `depth` is the number of arrays and objects around `value`. */
static void append_value(struct appending *a, yyjson_val *value, size_t depth)
{
    struct buffer *b = a->to;

    if (yyjson_is_ctn(value) && depth == a->max_depth) {
        b->error = LM_ETOOBIG;
        return;
    }
    switch (yyjson_get_type(value)) {
    case YYJSON_TYPE_STR:
        json_append_string(b, json_text(value));
        break;
    case YYJSON_TYPE_RAW:
        buffer_append_slice(b, json_text(value));
        if (a->is_odd && a->is_odd(json_text(value)))
            a->odd = true;
        break;
    case YYJSON_TYPE_OBJ:
        append_object(a, value, depth + 1);
        break;
    case YYJSON_TYPE_ARR:
        append_array(a, value, depth + 1);
        break;
    case YYJSON_TYPE_BOOL:
        buffer_append_string(b, yyjson_get_bool(value) ? "true" : "false");
        break;
    case YYJSON_TYPE_NUM:
        if (yyjson_is_uint(value))
            buffer_append_u64(b, yyjson_get_uint(value));
        else if (yyjson_is_sint(value))
            buffer_append_i64(b, yyjson_get_sint(value));
        else
            buffer_appendf(b, "%.17g", yyjson_get_real(value));
        break;
    default:
        buffer_append_string(b, "null");
        break;
    }
}

void json_append_value(struct buffer *b, yyjson_val *value)
{
    append_value(&(struct appending){.to = b, .max_depth = JSON_APPEND_MAX_DEPTH}, value, 0);
}

bool json_append_members(struct buffer *b, yyjson_val **keys, size_t n, size_t max_depth,
                         bool (*is_odd)(struct slice number))
{
    struct appending a = {.to = b, .max_depth = max_depth, .is_odd = is_odd};

    append_members(&a, keys, n, 1);
    return a.odd;
}

bool json_deeper_than(yyjson_val *value, size_t max_depth)
{
    if (!yyjson_is_ctn(value))
        return false;
    if (max_depth == 0)
        return true;
    if (yyjson_is_obj(value)) {
        yyjson_obj_iter iter = yyjson_obj_iter_with(value);
        for (yyjson_val *key; (key = yyjson_obj_iter_next(&iter));) {
            if (json_deeper_than(yyjson_obj_iter_get_val(key), max_depth - 1))
                return true;
        }
    } else {
        yyjson_arr_iter iter = yyjson_arr_iter_with(value);
        for (yyjson_val *item; (item = yyjson_arr_iter_next(&iter));) {
            if (json_deeper_than(item, max_depth - 1))
                return true;
        }
    }
    return false;
}

#ifdef LOGMILL_FAULTS

/* ---- Allocations that can be made to fail ---- */

static void *allocate(void *ctx, size_t size)
{
    return fault_here(FAULT_LIBRARY) ? NULL : malloc(size);
}

static void *reallocate(void *ctx, void *p, size_t old_size, size_t size)
{
    return fault_here(FAULT_LIBRARY) ? NULL : realloc(p, size);
}

static void release(void *ctx, void *p)
{
    free(p);
}

const yyjson_alc *json_alc(void)
{
    static const yyjson_alc alc = {allocate, reallocate, release, NULL};

    return &alc;
}

#endif

void json_append_double(struct buffer *b, double number)
{
    static const double WHOLE_MAX = 1e15; /* below it, whole numbers are written out */
    char text[32];

    if (number > -WHOLE_MAX && number < WHOLE_MAX && number == (double)(int64_t)number) {
        buffer_append_i64(b, (int64_t)number);
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(text, sizeof(text), "%.*g", digits, number);
        if (strtod(text, NULL) == number)
            break;
    }
    buffer_append_string(b, text);
}
