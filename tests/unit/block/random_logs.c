#include "random_logs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "query/number.h"
#include "query/pattern.h"
#include "query/regex.h"
#include "json/writer.h"

enum { POOL_BYTES = 16 << 20, FILTER_ROOM = 5 << 20, TEXT_ROOM = 4096 };

uint64_t random_logs_below(struct random_logs *l, uint64_t n)
{
    if (l->bytes.len > 1) {
        uint64_t value = (unsigned char)l->bytes.data[0];

        l->bytes = slice_of(l->bytes.data + 1, l->bytes.len - 1);
        return value % n;
    }
    l->state += UINT64_C(0x9e3779b97f4a7c15);
    return hash_mix(l->state) % n;
}

static bool one_in(struct random_logs *l, unsigned n)
{
    return random_logs_below(l, n) == 0;
}

/* Room for a text, which `keep` makes as long as it became. */
static struct buffer take_room(struct random_logs *l)
{
    struct buffer b;
    size_t left = l->size - l->used;

    buffer_init_over(&b, l->pool + l->used, left < TEXT_ROOM ? left : TEXT_ROOM);
    return b;
}

static struct slice keep(struct random_logs *l, struct buffer *b)
{
    l->used += b->len;
    return buffer_slice(b);
}

#define PICK(l, array) ((array)[random_logs_below(l, sizeof(array) / sizeof(*(array)))])

/* ---- Texts ---- */

static const char *const words[] = {
    "connection",
    "Connection",
    "timeout",
    "request",
    "fade",
    "deed",
    "GET",
    "user_7",
    "Köln",
    "KÖLN",
    "straße",
    "STRAẞE",
    "İstanbul",
    "istanbul",
    "\xe2\x84\xaa"
    "elvin",
    "kelvin",
    "日本語",
    "ǅ",
    "a",
    "I",
    "Ω",
    "\xe2\x84\xa6",
    "é",
    "E\xcc\x81",
    "x"
    "\xcc\x81",
    "node-1",
    "f00d",
    "0x7f",
    "1e5",
    "_",
    "\xff",
    "\xc3",
    "\xa9\xfe",
};
static const char *const gaps[] = {" ",  " ",  " ",  "=",  ": ", "/",  "-", ".",  "",     ", ",
                                   "\n", "\t", " [", "] ", "\"", "\\", "%", "{}", "\x01", "<*>"};

static void append_number(struct random_logs *l, struct buffer *b)
{
    static const char *const odd[] = {"0",
                                      "00",
                                      "007",
                                      "1",
                                      "9",
                                      "10",
                                      "99",
                                      "100",
                                      "4294967296",
                                      "18446744073709551616",
                                      "99999999999999999999999",
                                      "-1",
                                      "-0",
                                      "1.50",
                                      "3.14",
                                      "1e3",
                                      "-2.5e-10",
                                      "0.0"};
    char digits[32];

    switch (random_logs_below(l, 4)) {
    case 0:
        buffer_append_string(b, PICK(l, odd));
        break;
    case 1:
        buffer_append_u64(b, 1000 + random_logs_below(l, 50));
        break;
    case 2:
        buffer_append_u64(b, random_logs_below(l, 256) * random_logs_below(l, 100000));
        break;
    default:
        snprintf(digits, sizeof(digits), "%04u.%02u", (unsigned)random_logs_below(l, 12),
                 (unsigned)random_logs_below(l, 100));
        buffer_append_string(b, digits);
    }
}

static void append_hex(struct random_logs *l, struct buffer *b)
{
    static const unsigned lengths[] = {2, 4, 8, 8, 16, 32, 7};
    const char *digits = one_in(l, 4) ? "0123456789ABCDEF" : "0123456789abcdef";
    unsigned len = PICK(l, lengths);

    for (unsigned i = 0; i < len; i++)
        buffer_append_char(b, digits[random_logs_below(l, 16)]);
}

static void append_uuid(struct random_logs *l, struct buffer *b)
{
    for (unsigned i = 0; i < 36; i++)
        buffer_append_char(b, i == 8 || i == 13 || i == 18 || i == 23
                                  ? '-'
                                  : "0123456789abcdef"[random_logs_below(l, 16)]);
}

static void append_piece(struct random_logs *l, struct buffer *b)
{
    switch (random_logs_below(l, 6)) {
    case 0:
        append_number(l, b);
        break;
    case 1:
        append_hex(l, b);
        break;
    case 2:
        if (one_in(l, 3))
            append_uuid(l, b);
        break;
    default:
        buffer_append_string(b, PICK(l, words));
    }
}

/* Texts that are alike: a pattern's pieces are the same each time, but for some of them. */
static void append_text(struct random_logs *l, struct buffer *b, unsigned pattern)
{
    uint64_t fixed = hash_mix(pattern * UINT64_C(0x9e3779b97f4a7c15));
    unsigned pieces = (unsigned)(fixed % 9);

    for (unsigned i = 0; i < pieces; i++) {
        uint64_t h = hash_mix(fixed + i);

        if (h % 3 == 0)
            append_piece(l, b);
        else if (h % 7 == 0)
            append_number(l, b);
        else
            buffer_append_string(b, words[h / 21 % (sizeof(words) / sizeof(*words))]);
        buffer_append_string(b, gaps[h / 1000 % (sizeof(gaps) / sizeof(*gaps))]);
    }
    if (one_in(l, 60))
        for (unsigned i = (unsigned)random_logs_below(l, 100); i > 0; i--)
            append_piece(l, b);
}

/* ---- Attributes ---- */

static const char *const names[] = {"host",  "trace_id", "n",    "",        "service", "Host",
                                    "ok",    "a\"b",     "ключ", "user id", "d\x7f",   "ratio",
                                    "level", "a",        "a.b",  "host.n"};

static void append_scalar(struct random_logs *l, struct buffer *b, unsigned kind)
{
    static const char *const literals[] = {"true", "false", "null"};
    static const char *const numbers[] = {"0",
                                          "-0",
                                          "1",
                                          "1.0",
                                          "1.50",
                                          "1e5",
                                          "1E5",
                                          "-1",
                                          "12",
                                          "9007199254740993",
                                          "123456789012345678901234567890"};
    char room[TEXT_ROOM];
    struct buffer text;

    buffer_init_over(&text, room, sizeof(room));
    switch (kind % 8) {
    case 0:
        buffer_append_string(b, PICK(l, literals));
        return;
    case 1:
        buffer_append_string(b, PICK(l, numbers));
        return;
    case 2:
        buffer_append_u64(b, random_logs_below(l, 256) * random_logs_below(l, 256));
        return;
    case 3:
        append_hex(l, &text);
        break;
    case 4:
        append_uuid(l, &text);
        break;
    case 5:
        buffer_append_string(&text, words[random_logs_below(l, 30)]);
        break;
    case 6:
        buffer_append_u64(&text, random_logs_below(l, 256));
        break;
    default:
        append_text(l, &text, kind % 5);
    }
    if (utf8_valid(buffer_slice(&text)))
        json_append_string(b, buffer_slice(&text));
    else
        buffer_append_string(b, "\"\"");
}

/* Some elements; seldom so many that blocks keep them as one text. */
static void append_array(struct random_logs *l, struct buffer *b, unsigned kind)
{
    unsigned n = one_in(l, 30) ? 70 : (unsigned)random_logs_below(l, 4);

    buffer_append_char(b, '[');
    for (unsigned i = 0; i < n; i++) {
        if (i)
            buffer_append_char(b, ',');
        if (n > 4)
            buffer_append_u64(b, random_logs_below(l, 100));
        else if (one_in(l, 6))
            buffer_append_string(b, one_in(l, 2) ? "[1,[\"x\"]]" : "{\"b\":2,\"n\":[null]}");
        else
            append_scalar(l, b, one_in(l, 3) ? (unsigned)random_logs_below(l, 256) : kind);
    }
    buffer_append_char(b, ']');
}

static void append_value(struct random_logs *l, struct buffer *b, unsigned kind)
{
    static const char *const odd[] = {
        "\"\\u0061bc\"", "\"a\\/b\"",  "\"\\ud83d\\ude00\"", "{}", "[]",
        "\"\\u0000\"",   "\"\\u00e9\""};

    if (one_in(l, 20)) {
        buffer_append_string(b, PICK(l, odd));
    } else if (one_in(l, 10)) {
        append_array(l, b, kind);
    } else if (one_in(l, 12)) {
        buffer_append_string(b, "{\"b\":");
        append_scalar(l, b, kind);
        buffer_append_string(b, one_in(l, 3) ? ",\"n\":{}}" : "}");
    } else if (one_in(l, 12)) {
        buffer_append_string(b, "{\"host\":");
        append_scalar(l, b, kind);
        buffer_append_string(b, ",\"deep\":[1,{\"n\":\"x\"}]}");
    } else {
        append_scalar(l, b, one_in(l, 16) ? (unsigned)random_logs_below(l, 256) : kind);
    }
}

static struct slice make_attributes(struct random_logs *l, unsigned shape)
{
    struct buffer b = take_room(l);
    uint64_t fixed = hash_mix(shape + UINT64_C(0x1234567));
    unsigned members = (unsigned)(fixed % 6);

    if (shape == 0)
        return slice_of(NULL, 0);
    buffer_append_char(&b, '{');
    for (unsigned i = 0; i < members; i++) {
        uint64_t h = hash_mix(fixed + i);
        size_t name = one_in(l, 40) ? random_logs_below(l, sizeof(names) / sizeof(*names))
                                    : (h % 3 + i * 2) % (sizeof(names) / sizeof(*names));

        if (i)
            buffer_append_string(&b, one_in(l, 100) ? " , " : ",");
        json_append_string(&b, slice_of_string(names[name]));
        buffer_append_char(&b, ':');
        append_value(l, &b, (unsigned)(h >> 20));
    }
    buffer_append_char(&b, '}');
    return buffer_error(&b) ? slice_of(NULL, 0) : keep(l, &b);
}

/* ---- Logs ---- */

static const char *const levels[] = {"info", "INFO", "error", "Warn", "", "ÉTÉ", "été", "debug"};

static void make_log(struct random_logs *l, struct block_row *row, unsigned variety)
{
    struct buffer level = take_room(l);

    buffer_append_string(&level, levels[random_logs_below(l, variety % 8 + 1)]);
    if (one_in(l, 200))
        append_text(l, &level, 3);
    row->record.level = buffer_error(&level) ? slice_of(NULL, 0) : keep(l, &level);
    struct buffer message = take_room(l);
    append_text(l, &message, (unsigned)random_logs_below(l, variety % 12 + 1) + variety);
    row->record.message = buffer_error(&message) ? slice_of(NULL, 0) : keep(l, &message);
    row->record.attributes =
        make_attributes(l, (unsigned)random_logs_below(l, variety % 5 + 1) + variety % 3);
}

void random_logs_make(struct random_logs *l, struct slice bytes, size_t max)
{
    *l = (struct random_logs){.bytes = bytes, .state = hash_bytes(HASH_BASIS, bytes)};
    l->size = POOL_BYTES;
    l->pool = xmalloc(l->size);

    unsigned variety = (unsigned)random_logs_below(l, 256);
    size_t n = 1 + random_logs_below(l, 256) * random_logs_below(l, 256) % max;
    struct log_key key = {.timestamp_us = (int64_t)random_logs_below(l, 1000)};

    l->rows = xcalloc(n, sizeof(*l->rows));
    while (l->len < n && l->used + 5 * (size_t)TEXT_ROOM < l->size - FILTER_ROOM) {
        struct block_row *row = &l->rows[l->len++];

        key.timestamp_us += (int64_t)random_logs_below(l, 3);
        key.id.bytes[14] = (unsigned char)(l->len >> 8);
        key.id.bytes[15] = (unsigned char)l->len;
        row->record.key = key;
        row->sequence = l->len;
        make_log(l, row, variety);
    }
}

void random_logs_free(struct random_logs *l)
{
    free(l->pool);
    free(l->rows);
}

/* ---- Queries ---- */

/* A part of `s`, as it is, or changed a little. */
static struct slice part_of(struct random_logs *l, struct slice s)
{
    struct buffer b = take_room(l);
    size_t start = s.len ? random_logs_below(l, s.len) : 0;
    size_t len = random_logs_below(l, one_in(l, 2) ? 8 : 256);

    if (one_in(l, 8))
        start = 0;
    if (len > s.len - start || one_in(l, 8))
        len = s.len - start;
    buffer_append(&b, s.data ? s.data + start : "", len);
    if (one_in(l, 6) && b.len) /* another byte: mostly in no log */
        b.data[random_logs_below(l, b.len)] = "a0fzG \xc3"[random_logs_below(l, 7)];
    if (one_in(l, 3)) /* without case */
        for (size_t i = 0; i < b.len; i++)
            if ((b.data[i] >= 'a' && b.data[i] <= 'z') || (b.data[i] >= 'A' && b.data[i] <= 'Z'))
                b.data[i] ^= 0x20;
    if (one_in(l, 30))
        buffer_append_string(&b, "0");
    return buffer_error(&b) ? slice_of(NULL, 0) : keep(l, &b);
}

static const struct record *any_log(struct random_logs *l)
{
    return &l->rows[random_logs_below(l, 256) * 257 % l->len].record;
}

static void choose_value(struct random_logs *l, struct log_attribute_filter *a, yyjson_val *name,
                         yyjson_val *value)
{
    struct buffer b = take_room(l);

    buffer_append_slice(&b, json_text(name));
    a->name = keep(l, &b);
    b = take_room(l);
    if (yyjson_is_bool(value))
        buffer_append_string(&b, yyjson_get_bool(value) ? "true" : "false");
    else if (!yyjson_is_null(value))
        buffer_append_slice(&b, json_text(value));
    if (b.len || yyjson_is_str(value))
        a->value = keep(l, &b);
}

static void choose_attribute(struct random_logs *l, struct log_attribute_filter *a)
{
    struct slice json = any_log(l)->attributes;
    yyjson_doc *doc = yyjson_read(json.data ? json.data : "", json.len, YYJSON_READ_NUMBER_AS_RAW);
    yyjson_val *object = yyjson_doc_get_root(doc);
    size_t members = yyjson_obj_size(object);
    yyjson_obj_iter iter = yyjson_obj_iter_with(object);
    yyjson_val *name = NULL;

    a->name = slice_of_string(PICK(l, names));
    a->value = SLICE_LITERAL("null");
    for (size_t left = members ? random_logs_below(l, members) + 1 : 0; left > 0; left--)
        name = yyjson_obj_iter_next(&iter);
    if (name)
        choose_value(l, a, name, yyjson_obj_iter_get_val(name));
    yyjson_doc_free(doc);
    if (one_in(l, 4))
        a->value = part_of(l, a->value);
    a->excludes = one_in(l, 3);
}

void random_logs_filter(struct random_logs *l, struct log_filter *f)
{
    log_filter_init(f);
    if (l->size - l->used < 40 * (size_t)TEXT_ROOM)
        return;
    if (!one_in(l, 3))
        f->text = part_of(l, any_log(l)->message);
    if (one_in(l, 4))
        f->excluded_text = part_of(l, any_log(l)->message);
    while (f->levels_len < 3 && one_in(l, 4))
        f->levels[f->levels_len++] =
            one_in(l, 4) ? part_of(l, any_log(l)->level) : slice_of_string(PICK(l, levels));
    while (f->excluded_levels_len < 2 && one_in(l, 6))
        f->excluded_levels[f->excluded_levels_len++] = slice_of_string(PICK(l, levels));
    while (f->attributes_len < 3 && one_in(l, 3))
        choose_attribute(l, &f->attributes[f->attributes_len++]);
}

/* ---- Queries as trees ---- */

static struct slice kept(struct random_logs *l, struct slice s)
{
    struct buffer b = take_room(l);

    buffer_append_slice(&b, s);
    return buffer_error(&b) ? SLICE_LITERAL("") : keep(l, &b);
}

static struct slice scalar_text(yyjson_val *value)
{
    if (yyjson_is_bool(value))
        return slice_of_string(yyjson_get_bool(value) ? "true" : "false");
    if (yyjson_is_null(value))
        return SLICE_LITERAL("null");
    return yyjson_is_ctn(value) ? SLICE_LITERAL("") : json_text(value);
}

static yyjson_val *any_element(struct random_logs *l, yyjson_val *array)
{
    size_t n = yyjson_arr_size(array);

    return n ? yyjson_arr_get(array, random_logs_below(l, n)) : NULL;
}

static yyjson_val *any_member(struct random_logs *l, yyjson_val *object, struct buffer *path)
{
    yyjson_obj_iter iter = yyjson_obj_iter_with(object);
    size_t members = yyjson_obj_size(object);
    yyjson_val *name = NULL;

    for (size_t left = members ? random_logs_below(l, members) + 1 : 0; left > 0; left--)
        name = yyjson_obj_iter_next(&iter);
    if (!name)
        return NULL;
    if (path->len)
        buffer_append_char(path, '.');
    buffer_append_slice(path, json_text(name));
    return yyjson_obj_iter_get_val(name);
}

/* A path in some log, and the text of a value that is there. */
static void choose_path(struct random_logs *l, struct query_node *node)
{
    struct slice json = any_log(l)->attributes;
    yyjson_doc *doc = yyjson_read(json.data ? json.data : "", json.len, YYJSON_READ_NUMBER_AS_RAW);
    yyjson_val *value = yyjson_doc_get_root(doc);
    struct buffer path = take_room(l);

    while (yyjson_is_ctn(value) && !one_in(l, 20))
        value = yyjson_is_obj(value) ? any_member(l, value, &path) : any_element(l, value);
    if (!path.len || one_in(l, 20))
        buffer_append_string(&path, PICK(l, names));
    if (one_in(l, 30))
        buffer_append_string(&path, ".n");
    node->path = buffer_error(&path) ? SLICE_LITERAL("n") : keep(l, &path);
    node->text = kept(l, scalar_text(value));
    yyjson_doc_free(doc);
}

static struct slice any_number(struct random_logs *l, struct slice text)
{
    struct number n;
    struct buffer b = take_room(l);

    if (!one_in(l, 3) && number_parse(text, &n))
        return text;
    append_number(l, &b);
    text = keep(l, &b);
    return number_parse(text, &n) ? text : SLICE_LITERAL("1.5e1");
}

static void choose_bounds(struct random_logs *l, struct query_node *node, struct slice low,
                          struct slice high)
{
    unsigned which = (unsigned)random_logs_below(l, 3);

    if (which != 1)
        node->low = low;
    if (which != 2)
        node->high = high;
    node->low_included = one_in(l, 2);
    node->high_included = one_in(l, 2);
}

/* A part of `text` as a regular expression; one that is none becomes a plain test. */
static void choose_regex(struct random_logs *l, struct query_node *node, struct slice text)
{
    static const char *const starts[] = {"", "", "^", "(?i)", ".*", "\\d", "(a|b)?"};
    static const char *const ends[] = {"", "", "$", "\\d+", ".", "[^ ]*x?", "|kelvin"};
    struct slice part = part_of(l, text);
    struct buffer b = take_room(l);
    struct regex *regex;
    struct errbuf err;
    size_t offset;

    buffer_append_string(&b, PICK(l, starts));
    for (size_t i = 0; i < part.len; i++) {
        unsigned char c = (unsigned char)part.data[i];

        if (c < 0x80 && strchr("\\.[](){}*+?|^$/#", c))
            buffer_append_char(&b, '\\');
        buffer_append_char(&b, (char)c);
    }
    buffer_append_string(&b, PICK(l, ends));
    node->text = buffer_error(&b) ? SLICE_LITERAL("x") : keep(l, &b);
    if (regex_new(node->text, &regex, &offset, &err)) {
        node->test = node->field == QUERY_MESSAGE ? QUERY_HOLDS : QUERY_CONTAINS;
        node->text = part;
        return;
    }
    regex_free(regex);
}

/* That of `message`, or of a part of it. */
static void choose_pattern(struct random_logs *l, struct query_node *node, struct slice message)
{
    struct buffer b = take_room(l);

    pattern_append(&b, one_in(l, 4) ? part_of(l, message) : message);
    node->text = buffer_error(&b) ? SLICE_LITERAL("x") : keep(l, &b);
}

static void choose_attribute_test(struct random_logs *l, struct query_node *node)
{
    static const enum query_test tests[] = {
        QUERY_EXISTS, QUERY_EQUALS,   QUERY_EQUALS, QUERY_EQUALS, QUERY_BEGINS,
        QUERY_ENDS,   QUERY_CONTAINS, QUERY_REGEX,  QUERY_RANGE,  QUERY_RANGE};
    struct slice text;

    choose_path(l, node);
    text = node->text;
    node->test = PICK(l, tests);
    switch (node->test) {
    case QUERY_RANGE:
        choose_bounds(l, node, any_number(l, text), any_number(l, text));
        break;
    case QUERY_REGEX:
        choose_regex(l, node, text);
        break;
    case QUERY_BEGINS:
        node->text = slice_of(text.data, text.len ? random_logs_below(l, text.len + 1) : 0);
        break;
    case QUERY_ENDS:
        if (text.len) {
            size_t from = random_logs_below(l, text.len + 1);
            node->text = slice_of(text.data + from, text.len - from);
        }
        break;
    case QUERY_CONTAINS:
        node->text = part_of(l, text);
        break;
    default:
        if (one_in(l, 6))
            node->text = one_in(l, 2) ? part_of(l, text) : any_number(l, text);
    }
}

static void choose_message_test(struct random_logs *l, struct query_node *node)
{
    static const enum query_test tests[] = {QUERY_HOLDS, QUERY_HOLDS, QUERY_BEGINS,
                                            QUERY_ENDS,  QUERY_REGEX, QUERY_PATTERN};
    struct slice text = any_log(l)->message;

    node->test = PICK(l, tests);
    node->text = part_of(l, text);
    if (node->test == QUERY_REGEX)
        choose_regex(l, node, text);
    else if (node->test == QUERY_PATTERN)
        choose_pattern(l, node, text);
    else if (node->test == QUERY_BEGINS)
        node->text = slice_of(text.data, text.len ? random_logs_below(l, text.len + 1) : 0);
}

static void choose_level_test(struct random_logs *l, struct query_node *node)
{
    static const enum query_test tests[] = {QUERY_EQUALS, QUERY_EQUALS, QUERY_RANGE, QUERY_BEGINS,
                                            QUERY_ENDS};
    static const char *const others[] = {"err", "warning", "fatal", "trace", "debug"};

    node->test = PICK(l, tests);
    node->text = slice_of_string(one_in(l, 3) ? PICK(l, others) : PICK(l, levels));
    if (node->test == QUERY_RANGE)
        choose_bounds(l, node, slice_of_string(PICK(l, others)), slice_of_string(PICK(l, others)));
    else if (node->test != QUERY_EQUALS)
        node->text = part_of(l, node->text);
}

static void choose_key_test(struct random_logs *l, struct query_node *node)
{
    const struct log_key *key = &any_log(l)->key;
    struct buffer b = take_room(l);
    char text[UUID_TEXT_LEN];

    if (one_in(l, 2)) {
        node->field = QUERY_TIMESTAMP;
        node->test = QUERY_RANGE;
        node->low_us = one_in(l, 3) ? INT64_MIN : key->timestamp_us;
        node->high_us = one_in(l, 3) ? INT64_MAX : any_log(l)->key.timestamp_us;
        return;
    }
    node->field = QUERY_ID;
    node->test = one_in(l, 9) ? QUERY_EXISTS : QUERY_EQUALS;
    uuid_format(&key->id, text);
    buffer_append(&b, text, one_in(l, 9) ? 7 : UUID_TEXT_LEN);
    node->text = keep(l, &b);
}

/* Nobody can ask for a part of a character: the language refuses it. */
static struct slice whole_characters(struct slice s)
{
    while (s.len && ((unsigned char)s.data[0] & 0xc0) == 0x80)
        s = slice_of(s.data + 1, s.len - 1);
    return slice_of(s.data, utf8_valid_prefix(s));
}

static void append_test(struct random_logs *l, struct query_builder *b)
{
    struct query_node node = {.kind = QUERY_TEST};

    switch (random_logs_below(l, 10)) {
    case 0:
    case 1:
    case 2:
        node.field = QUERY_MESSAGE;
        choose_message_test(l, &node);
        break;
    case 3:
        node.field = QUERY_LEVEL;
        choose_level_test(l, &node);
        break;
    case 4:
        choose_key_test(l, &node);
        break;
    case 5:
        node.field = QUERY_ANY;
        node.test = QUERY_HOLDS;
        choose_path(l, &node);
        node.text = part_of(l, one_in(l, 2) ? node.text : any_log(l)->message);
        node.path = SLICE_LITERAL("");
        break;
    default:
        node.field = QUERY_ATTRIBUTE;
        choose_attribute_test(l, &node);
    }
    node.text = whole_characters(node.text);
    query_builder_test(b, &node);
}

static void append_tree(struct random_logs *l, struct query_builder *b, unsigned depth)
{
    enum query_kind kind = (enum query_kind)random_logs_below(l, 3);

    if (depth == 0 || one_in(l, 3)) {
        append_test(l, b);
        return;
    }
    query_builder_open(b, kind);
    for (unsigned n = kind == QUERY_NOT ? 1 : 2 + (unsigned)random_logs_below(l, 3); n > 0; n--)
        append_tree(l, b, depth - 1);
    query_builder_close(b);
}

struct query *random_logs_query(struct random_logs *l)
{
    struct query_builder b;
    struct query *q;

    query_builder_init(&b);
    if (l->size - l->used >= 1000 * (size_t)TEXT_ROOM)
        append_tree(l, &b, (unsigned)random_logs_below(l, 5));
    return query_builder_finish(&b, &q) ? NULL : q;
}
