#include "random_query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yyjson.h>

#include "base/buffer.h"
#include "base/uuid7.h"
#include "base/xalloc.h"
#include "query/pattern.h"
#include "json/writer.h"

enum { RECORD_ROOM = 4096, TEXT_ROOM = 512, ROOMS = 64, DEPTH_MAX = 4 };

#define PICK(d, array) ((array)[dice_below(d, sizeof(array) / sizeof(*(array)))])

/* ---- Logs ---- */

static const char *const words[] = {"connection",
                                    "Timeout",
                                    "timeout after",
                                    "Köln",
                                    "KÖLN",
                                    "straße",
                                    "İstanbul",
                                    "\xe2\x84\xaa\x65lvin",
                                    "kelvin",
                                    "日本語",
                                    "user_7",
                                    "node-1.a",
                                    "x",
                                    "a/b",
                                    "",
                                    "pool exhausted",
                                    "c:\\temp",
                                    "\"q\"",
                                    "tab\there",
                                    "true",
                                    "null",
                                    "500",
                                    "-1.50",
                                    "é"};
static const char *const numbers[] = {"0",
                                      "-0",
                                      "1",
                                      "1.0",
                                      "1e0",
                                      "10",
                                      "1.50",
                                      "1.5",
                                      "500",
                                      "5e2",
                                      "-7",
                                      "0.1",
                                      "99.9",
                                      "100",
                                      "100.000",
                                      "1e-3",
                                      "200",
                                      "404",
                                      "4.04",
                                      "12345",
                                      "2e10",
                                      "1e100",
                                      "-1e-7",
                                      "3",
                                      "9007199254740993",
                                      "9007199254740992"};
static const char *const plain_numbers[] = {"0",
                                            "1",
                                            "1.0",
                                            "10",
                                            "1.50",
                                            "1.5",
                                            "500",
                                            "-7",
                                            "0.1",
                                            "99.9",
                                            "100",
                                            "100.000",
                                            "200",
                                            "404",
                                            "4.04",
                                            "12345",
                                            "3",
                                            "9007199254740993",
                                            "9007199254740992"};
static const char *const names[] = {"a", "b",    "c",      "host", "a.b", "b.c",
                                    "",  "http", "status", "ключ", "x\"y"};
static const char *const levels[] = {"info", "INFO",  "warn",  "Warning", "error", "err",
                                     "",     "FATAL", "debug", "notice",  "odd",   "critical"};

static void append_scalar(struct dice *d, struct buffer *b, bool plain)
{
    static const char *const literals[] = {"true", "false", "null"};

    switch (dice_below(d, 4)) {
    case 0:
        buffer_append_string(b, PICK(d, literals));
        break;
    case 1:
        buffer_append_string(b, plain ? PICK(d, plain_numbers) : PICK(d, numbers));
        break;
    case 2:
        json_append_string(b, slice_of_string(PICK(d, numbers)));
        break;
    default:
        json_append_string(b, slice_of_string(PICK(d, words)));
    }
}

static void append_object(struct dice *d, struct buffer *b, unsigned depth, bool plain);

static void append_array(struct dice *d, struct buffer *b, unsigned depth, bool plain)
{
    buffer_append_char(b, '[');
    for (size_t i = 0, n = dice_below(d, 4); i < n; i++) {
        if (i)
            buffer_append_char(b, ',');
        if (depth < 3 && dice_one_in(d, 4))
            dice_one_in(d, 2) ? append_object(d, b, depth + 1, plain)
                              : append_array(d, b, depth + 1, plain);
        else
            append_scalar(d, b, plain);
    }
    buffer_append_char(b, ']');
}

static void append_object(struct dice *d, struct buffer *b, unsigned depth, bool plain)
{
    size_t first = dice_below(d, sizeof(names) / sizeof(*names));

    buffer_append_char(b, '{');
    for (size_t i = 0, n = dice_below(d, depth ? 3 : 5); i < n; i++) {
        if (i)
            buffer_append_char(b, ',');
        json_append_string(b,
                           slice_of_string(names[(first + i) % (sizeof(names) / sizeof(*names))]));
        buffer_append_char(b, ':');
        if (depth < 3 && dice_one_in(d, 3))
            dice_one_in(d, 3) ? append_array(d, b, depth + 1, plain)
                              : append_object(d, b, depth + 1, plain);
        else
            append_scalar(d, b, plain);
    }
    buffer_append_char(b, '}');
}

static void append_message(struct dice *d, struct buffer *b)
{
    for (size_t i = dice_below(d, 6); i > 0; i--) {
        if (dice_one_in(d, 3))
            buffer_append_u64(b, dice_below(d, 2000));
        else
            buffer_append_string(b, PICK(d, words));
        buffer_append_string(b, dice_one_in(d, 4) ? "=" : " ");
    }
}

void random_records_make(struct random_records *r, struct dice *d, size_t n,
                         const struct random_records_options *options)
{
    struct buffer b;
    struct log_key key = {.timestamp_us = 1767225600000000};

    *r = (struct random_records){.items = xcalloc(n, sizeof(*r->items)), .len = n};
    r->texts = xmalloc(n * RECORD_ROOM);
    for (size_t i = 0; i < n; i++) {
        struct record *item = &r->items[i];
        size_t message, attributes;

        buffer_init_over(&b, r->texts + i * RECORD_ROOM, RECORD_ROOM);
        key.timestamp_us +=
            (int64_t)dice_below(d, 3) * (options->step_us ? options->step_us : 1000);
        key.id = uuid7_lowest(key.timestamp_us);
        key.id.bytes[14] = (uint8_t)(i >> 8);
        key.id.bytes[15] = (uint8_t)i;
        item->key = key;
        item->level = slice_of_string(PICK(d, levels));
        append_message(d, &b);
        message = b.len;
        if (!dice_one_in(d, 6))
            append_object(d, &b, 0, options->plain_numbers);
        if (b.len == message + 2) /* {}: there are none */
            b.len = message;
        attributes = b.len - message;
        if (buffer_error(&b))
            abort();
        item->message = slice_of(b.data, message);
        item->attributes = slice_of(b.data + message, attributes);
    }
}

void random_records_release(struct random_records *r)
{
    free(r->items);
    free(r->texts);
}

/* ---- Tests ---- */

/* What a tree's texts are in until it is finished. */
struct making {
    struct dice *d;
    const struct record *records;
    size_t n;
    struct query_builder builder;
    char rooms[ROOMS][TEXT_ROOM];
    size_t used;
};

static struct slice keep(struct making *m, struct slice s)
{
    char *room = m->rooms[m->used++ % ROOMS];

    if (s.len > TEXT_ROOM)
        s.len = TEXT_ROOM;
    if (s.len)
        memcpy(room, s.data, s.len);
    return slice_of(room, s.len);
}

static const struct record *any_record(struct making *m)
{
    return &m->records[dice_below(m->d, m->n)];
}

static bool is_boundary(struct slice s, size_t at)
{
    return at == s.len || ((unsigned char)s.data[at] & 0xc0) != 0x80;
}

/* A part of `s` of whole characters: its beginning, its end, or from within; sometimes changed. */
static struct slice part_of(struct making *m, struct slice s, enum query_test test)
{
    size_t from = s.len ? dice_below(m->d, s.len) : 0;
    size_t to = from + (s.len ? dice_below(m->d, s.len - from) + 1 : 0);

    if (test == QUERY_BEGINS || test == QUERY_EQUALS)
        from = 0;
    if (test == QUERY_ENDS || test == QUERY_EQUALS)
        to = s.len;
    while (!is_boundary(s, from))
        from++;
    while (!is_boundary(s, to))
        to++;
    struct slice part = keep(m, slice_of(s.data ? s.data + from : "", to > from ? to - from : 0));
    if (dice_one_in(m->d, 8) && part.len && (unsigned char)part.data[0] < 0x80)
        ((char *)part.data)[0] = 'q';
    return part;
}

static struct slice number_of_chance(struct making *m)
{
    return slice_of_string(PICK(m->d, numbers));
}

/* That of `message`, or of another text. */
static struct slice pattern_of(struct making *m, struct slice message)
{
    char room[4 * LOG_PATTERN_BYTES_MAX];
    struct buffer b;

    buffer_init_over(&b, room, sizeof(room));
    pattern_append(&b, dice_one_in(m->d, 4) ? part_of(m, message, QUERY_CONTAINS) : message);
    return keep(m, buffer_slice(&b));
}

static struct slice regex_of_chance(struct making *m, struct slice text)
{
    static const char *const patterns[] = {"\\d+",
                                           "time.?out after",
                                           "(?i)TIMEOUT",
                                           "^[a-z]+ ",
                                           "=$",
                                           "user_\\d",
                                           "(a|b)/",
                                           "Köln|kelvin",
                                           "(?i)köln",
                                           "x+$",
                                           "\\bnode-\\d",
                                           "^$",
                                           "[^\\x00-\\x7f]",
                                           "pool (?:ex|in)hausted",
                                           "(\\w+) .*\\1",
                                           "^1(\\.0)?$",
                                           "^[45]\\d\\d$",
                                           "true|false",
                                           "ti{1,2}me?out+",
                                           "\\Q.a\\E"};
    struct slice part;
    struct buffer b;
    char room[TEXT_ROOM * 2];

    if (dice_one_in(m->d, 2))
        return slice_of_string(PICK(m->d, patterns));
    part = part_of(m, text, QUERY_CONTAINS);
    buffer_init_over(&b, room, sizeof(room));
    for (size_t i = 0; i < part.len && i < 40; i++) {
        if (strchr("\\^$.|?*+()[]{}\"/", part.data[i]))
            buffer_append_char(&b, '\\');
        buffer_append_char(&b, part.data[i]);
    }
    while (b.len && !utf8_valid(buffer_slice(&b)))
        b.len--;
    return keep(m, buffer_slice(&b));
}

/* A path, and a text that may be at it. */
static void choose_path(struct making *m, struct query_node *node, struct slice *text)
{
    struct slice json = any_record(m)->attributes;
    yyjson_doc *doc = json.len ? yyjson_read(json.data, json.len, YYJSON_READ_NUMBER_AS_RAW) : NULL;
    yyjson_val *value = yyjson_doc_get_root(doc);
    char room[TEXT_ROOM];
    struct buffer path;

    buffer_init_over(&path, room, sizeof(room));
    while (yyjson_is_ctn(value) && yyjson_get_len(value) > 0) {
        size_t at = dice_below(m->d, yyjson_get_len(value));
        yyjson_obj_iter members;
        yyjson_val *key = NULL;

        if (yyjson_is_arr(value)) {
            value = yyjson_arr_get(value, at);
            continue;
        }
        if (path.len && dice_one_in(m->d, 6))
            break;
        yyjson_obj_iter_init(value, &members);
        for (size_t i = 0; i <= at; i++)
            key = yyjson_obj_iter_next(&members);
        if (path.len)
            buffer_append_char(&path, '.');
        buffer_append_slice(&path, json_text(key));
        value = yyjson_obj_iter_get_val(key);
    }
    if (!value || dice_one_in(m->d, 10))
        buffer_append_string(&path, PICK(m->d, names));
    node->path = keep(m, buffer_slice(&path));
    *text = yyjson_is_str(value) || yyjson_is_raw(value) ? json_text(value)
            : yyjson_is_bool(value) ? slice_of_string(yyjson_get_bool(value) ? "true" : "false")
                                    : SLICE_LITERAL("null");
    *text = keep(m, *text);
    yyjson_doc_free(doc);
}

static void choose_bounds(struct making *m, struct query_node *node)
{
    bool is_level = node->field == QUERY_LEVEL;

    if (!dice_one_in(m->d, 3))
        node->low = is_level ? slice_of_string(PICK(m->d, levels)) : number_of_chance(m);
    if (!node->low.data || dice_one_in(m->d, 2))
        node->high = is_level ? slice_of_string(PICK(m->d, levels)) : number_of_chance(m);
    node->low_included = dice_one_in(m->d, 2);
    node->high_included = dice_one_in(m->d, 2);
}

static void choose_attribute_test(struct making *m, struct query_node *node)
{
    static const enum query_test tests[] = {QUERY_EXISTS, QUERY_EQUALS, QUERY_EQUALS,
                                            QUERY_BEGINS, QUERY_ENDS,   QUERY_CONTAINS,
                                            QUERY_REGEX,  QUERY_RANGE,  QUERY_RANGE};
    struct slice text;

    node->test = PICK(m->d, tests);
    choose_path(m, node, &text);
    if (node->test == QUERY_RANGE)
        choose_bounds(m, node);
    else if (node->test == QUERY_REGEX)
        node->text = regex_of_chance(m, text);
    else if (node->test == QUERY_EQUALS && dice_one_in(m->d, 3))
        node->text = number_of_chance(m);
    else if (node->test != QUERY_EXISTS)
        node->text = part_of(m, text, node->test);
}

static void choose_test(struct making *m, struct query_node *node)
{
    static const enum query_field fields[] = {
        QUERY_MESSAGE,   QUERY_MESSAGE,   QUERY_LEVEL,     QUERY_TIMESTAMP, QUERY_ID,
        QUERY_ATTRIBUTE, QUERY_ATTRIBUTE, QUERY_ATTRIBUTE, QUERY_ATTRIBUTE, QUERY_ANY};
    static const enum query_test of_message[] = {QUERY_HOLDS,  QUERY_HOLDS, QUERY_BEGINS,
                                                 QUERY_ENDS,   QUERY_REGEX, QUERY_EXISTS,
                                                 QUERY_PATTERN};
    static const enum query_test of_level[] = {QUERY_EQUALS, QUERY_EQUALS, QUERY_BEGINS,
                                               QUERY_ENDS,   QUERY_RANGE,  QUERY_RANGE};
    const struct record *r = any_record(m);
    char id[UUID_TEXT_LEN];
    struct slice text;

    *node = (struct query_node){.kind = QUERY_TEST, .field = PICK(m->d, fields)};
    switch (node->field) {
    case QUERY_MESSAGE:
        node->test = PICK(m->d, of_message);
        if (node->test == QUERY_REGEX)
            node->text = regex_of_chance(m, r->message);
        else if (node->test == QUERY_PATTERN)
            node->text = pattern_of(m, r->message);
        else if (node->test != QUERY_EXISTS)
            node->text = part_of(m, r->message, node->test);
        break;
    case QUERY_LEVEL:
        node->test = PICK(m->d, of_level);
        if (node->test == QUERY_RANGE)
            choose_bounds(m, node);
        else
            node->text = part_of(m, slice_of_string(PICK(m->d, levels)), node->test);
        break;
    case QUERY_TIMESTAMP:
        node->test = QUERY_RANGE;
        node->low_us = dice_one_in(m->d, 3) ? INT64_MIN : r->key.timestamp_us;
        node->high_us = node->low_us == INT64_MIN || dice_one_in(m->d, 2)
                            ? any_record(m)->key.timestamp_us
                            : INT64_MAX;
        break;
    case QUERY_ID:
        node->test = QUERY_EQUALS;
        uuid_format(&r->key.id, id);
        node->text = keep(m, slice_of(id, sizeof(id)));
        break;
    case QUERY_ATTRIBUTE:
        choose_attribute_test(m, node);
        break;
    case QUERY_ANY:
        node->test = QUERY_HOLDS;
        choose_path(m, node, &text);
        node->path = (struct slice){0};
        node->text = part_of(m, dice_one_in(m->d, 3) ? r->message : text, QUERY_CONTAINS);
        break;
    }
}

/* ---- Trees ---- */

static void add(struct making *m, unsigned depth)
{
    static const enum query_kind kinds[] = {QUERY_AND, QUERY_OR, QUERY_NOT, QUERY_OR};
    struct query_node node;

    if (depth == DEPTH_MAX || dice_one_in(m->d, 3)) {
        choose_test(m, &node);
        query_builder_test(&m->builder, &node);
        return;
    }
    enum query_kind kind = PICK(m->d, kinds);
    query_builder_open(&m->builder, kind);
    for (size_t n = kind == QUERY_NOT ? 1 : 1 + dice_below(m->d, 3); n > 0 && m->used < ROOMS / 2;
         n--)
        add(m, depth + 1);
    query_builder_close(&m->builder);
}

static struct query *make(struct dice *d, const struct record *records, size_t n, unsigned depth)
{
    struct making *m = xmalloc(sizeof(*m));
    struct query *q = NULL;

    while (!q) {
        m->d = d;
        m->records = records;
        m->n = n;
        m->used = 0;
        query_builder_init(&m->builder);
        add(m, depth);
        if (query_builder_finish(&m->builder, &q))
            abort();
    }
    free(m);
    return q;
}

struct query *random_query(struct dice *d, const struct record *records, size_t n)
{
    return make(d, records, n, 0);
}

struct query *random_query_test(struct dice *d, const struct record *records, size_t n)
{
    return make(d, records, n, DEPTH_MAX);
}

void random_query_print(const struct query *q)
{
    static const char *const kinds[] = {"AND", "OR", "NOT", "TEST"};
    static const char *const fields[] = {"message", "level", "timestamp", "id", "attribute", "any"};
    static const char *const tests[] = {"EXISTS",   "EQUALS", "HOLDS",   "BEGINS", "ENDS",
                                        "CONTAINS", "REGEX",  "PATTERN", "RANGE"};

    for (uint32_t i = 0; i < q->len; i++) {
        const struct query_node *n = &q->nodes[i];

        fprintf(stderr, "%u to %u: %s", i, n->end, kinds[n->kind]);
        if (n->kind == QUERY_TEST)
            fprintf(stderr, " %s %s path `%.*s` text `%.*s` %c%.*s … %.*s%c %lld … %lld",
                    fields[n->field], tests[n->test], SLICE_ARG(n->path), SLICE_ARG(n->text),
                    n->low_included ? '[' : '{', SLICE_ARG(n->low), SLICE_ARG(n->high),
                    n->high_included ? ']' : '}', (long long)n->low_us, (long long)n->high_us);
        fprintf(stderr, "\n");
    }
}
