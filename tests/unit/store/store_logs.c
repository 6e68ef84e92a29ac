#include "store_logs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/byte_order.h"
#include "base/timestamp.h"
#include "base/xalloc.h"

enum { TEXT_MAX = 4 << 20, LARGE_ONE_IN = 300 };

struct store_logs_text {
    struct store_logs_text *next;
    char data[];
};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))
#define ONE_OF(dice, list) ((list)[dice_below(dice, COUNT(list))])

void store_logs_release(struct store_logs *l)
{
    while (l->texts) {
        struct store_logs_text *t = l->texts;

        l->texts = t->next;
        free(t);
    }
    free(l->items);
    *l = (struct store_logs){0};
}

static struct slice keep(struct store_logs *l, struct slice s)
{
    struct store_logs_text *t;

    if (s.len == 0)
        return slice_of("", 0);
    t = xmalloc(sizeof(*t) + s.len);
    memcpy(t->data, s.data, s.len);
    t->next = l->texts;
    l->texts = t;
    return slice_of(t->data, s.len);
}

struct record *store_logs_add_slices(struct store_logs *l, const struct record *r)
{
    l->items = array_reserve(l->items, &l->capacity, l->len + 1, sizeof(*l->items));
    l->items[l->len] = (struct record){.key = r->key,
                                       .level = keep(l, r->level),
                                       .message = keep(l, r->message),
                                       .attributes = keep(l, r->attributes)};
    return &l->items[l->len++];
}

struct record *store_logs_add(struct store_logs *l, const struct log_key *key, const char *level,
                              const char *message, const char *attributes)
{
    const struct record r = {.key = *key,
                             .level = slice_of_string(level),
                             .message = slice_of_string(message),
                             .attributes = slice_of_string(attributes ? attributes : "")};

    return store_logs_add_slices(l, &r);
}

/* ---- Keys ---- */

static struct log_key random_key(struct dice *dice, const struct store_logs_kind *kind)
{
    int64_t span_us = kind->to_us - kind->from_us;
    int64_t us = kind->from_us + (span_us > 0 ? (int64_t)dice_below(dice, (size_t)span_us) : 0);

    if (kind->any_time && dice_one_in(dice, 8))
        us = TIMESTAMP_MIN_US +
             (int64_t)dice_below(dice, (size_t)(TIMESTAMP_MAX_US - TIMESTAMP_MIN_US) + 1);
    else if (dice_one_in(dice, 2))
        us -= us % 1000000; /* many of one moment */

    struct log_key key = log_key_lowest(us);
    if (dice_one_in(dice, 2)) {
        byte_order_put32((char *)key.id.bytes + 12, (uint32_t)dice_below(dice, 1000));
    } else {
        byte_order_put32((char *)key.id.bytes + 12, (uint32_t)dice_bits(dice));
        byte_order_put32((char *)key.id.bytes + 9, (uint32_t)dice_bits(dice));
    }
    return key;
}

/* ---- Texts ---- */

static const char *const levels[] = {
    "info", "info", "info", "INFO", "debug", "warn", "Warning", "error", "", "\xc3\x84rger",
};
static const char *const words[] = {
    "connection",
    "reset",
    "by",
    "peer",
    "user",
    "logged in",
    "GET /api/v1/items",
    "timeout",
    "Disk FULL",
    "STRA\xc3\237E", /* octal, so that the E is none of its digits */
    "\xf0\x9f\x90\x98",
    "it's \"quoted\"",
    "back\\slash",
    "\n\tat com.example.Main(Main.java:17)",
    "%s {} []",
    "",
    " ",
    "=",
    "-",
    "\x01\x7f",
};

static void append_word(struct buffer *b, struct dice *dice)
{
    switch (dice_below(dice, 8)) {
    case 0:
        buffer_appendf(b, "%llu", (unsigned long long)(dice_bits(dice) >> dice_below(dice, 64)));
        break;
    case 1:
        buffer_appendf(b, "%llx", (unsigned long long)(dice_bits(dice) >> dice_below(dice, 64)));
        break;
    case 2:
        buffer_appendf(b, "%u.%u.%u.%u:%u", (unsigned)dice_below(dice, 256),
                       (unsigned)dice_below(dice, 256), (unsigned)dice_below(dice, 3),
                       (unsigned)dice_below(dice, 256), (unsigned)dice_below(dice, 65536));
        break;
    case 3:
        buffer_appendf(b, "%08u", (unsigned)dice_below(dice, 100000)); /* with zeroes in front */
        break;
    default:
        buffer_append_string(b, ONE_OF(dice, words));
    }
}

static void append_message(struct buffer *b, struct dice *dice, size_t large)
{
    static const char *const forms[] = {"request %u took %u ms", "job-%u of queue q%u is done",
                                        "cannot open /var/lib/x/%u: error %u"};

    if (large > 0) {
        for (size_t n = dice_below(dice, 7); b->len < large; n++)
            buffer_appendf(b, "%zx ", n * n * 40503);
    } else if (dice_one_in(dice, 2)) {
        unsigned a = (unsigned)dice_below(dice, 100000);
        unsigned c = (unsigned)dice_below(dice, 500);

        switch (dice_below(dice, COUNT(forms))) {
        case 0:
            buffer_appendf(b, "request %u took %u ms", a, c);
            break;
        case 1:
            buffer_appendf(b, "job-%u of queue q%u is done", a, c % 4);
            break;
        default:
            buffer_appendf(b, "cannot open /var/lib/x/%u: error %u", a, c);
        }
    } else {
        for (size_t n = dice_below(dice, 12); n > 0; n--) {
            append_word(b, dice);
            if (n > 1 && !dice_one_in(dice, 9))
                buffer_append(b, " ", 1);
        }
    }
}

/* ---- Attributes ---- */

/* As every store keeps them: shorter names first, each once, no space, numbers without exponent. */
static const char *const names[] = {"",     "n",      "ok",      "host",     "tags",
                                    "user", "status", "service", "trace_id", "duration.ms"};

static const char *const values[] = {
    "0",
    "1",
    "-1",
    "200",
    "404",
    "1.0",
    "1.50",
    "9007199254740993",
    "true",
    "null",
    "\"\"",
    "\"1\"",
    "\"true\"",
    "\"api\"",
    "[]",
    "{}",
    "-0.5",
    "0.10",
    "\"w 1\"",
    "[1,2]",
    "{\"a\":\"b\"}",
    "\"caf\xc3\xa9\"",
    "false",
    "[{\"k\":[]},null,\"x\"]",
    "18446744073709551616",
    "\"a\\\"b\\\\c\\n\"",
};

static void append_value(struct buffer *b, struct dice *dice, const char *name)
{
    if (strcmp(name, "trace_id") == 0 && !dice_one_in(dice, 20))
        buffer_appendf(b, "\"%016llx%016llx\"", (unsigned long long)dice_bits(dice),
                       (unsigned long long)dice_bits(dice));
    else if (strcmp(name, "duration.ms") == 0 && !dice_one_in(dice, 20))
        buffer_appendf(b, "%u.%u", (unsigned)dice_below(dice, 900),
                       (unsigned)dice_below(dice, 1000));
    else if (strcmp(name, "service") == 0 && !dice_one_in(dice, 20))
        buffer_appendf(b, "\"s%u\"", (unsigned)dice_below(dice, 5));
    else if (dice_one_in(dice, 3))
        buffer_appendf(b, "%lld", (long long)(dice_bits(dice) >> (1 + dice_below(dice, 63))));
    else
        buffer_append_string(b, ONE_OF(dice, values));
}

/* What was sent comes back as it was, however it is spelled. */
static const char *const spelled[] = {
    "{\"b\":1,\"a\":2}",
    "{\"a\":1,\"a\":2}",
    "{\"a\":1,\"b\":{\"c\":1,\"c\":2},\"a\":\"x\"}",
    "{ \"a\" : 1 ,\t\"b\":\n[ 1 , 2 ] }",
    "{\"n\":1e2}",
    "{\"n\":1E+2}",
    "{\"n\":1.0e-07}",
    "{\"n\":-0}",
    "{\"n\":-0.0}",
    "{\"n\":100.00}",
    "{\"n\":1e400}",
    "{\"n\":123456789012345678901234567890.1234567890}",
    "{\"s\":\"\\u00e9\\/\\ud83d\\udc18\"}",
    "{\"\\u0061\":1,\"a\":2}",
    "{\"s\":\"\\u000a\\n\"}",
    "{\"service\":\"\\u0073\\u0031\"}",
    "{}",
    "{ }",
    "{\"\":{\"\":{\"\":[]}}}",
    "{\"a.b\":1,\"a\":{\"b\":2}}",
    "{\"a\":[{\"b\":1},{\"b\":\"2\"},{\"b\":null},[[]]]}",
};

static void append_attributes(struct buffer *b, struct dice *dice, bool may_be_spelled)
{
    const char *separator = "{";

    if (dice_one_in(dice, 5))
        return;
    if (may_be_spelled && dice_one_in(dice, 4)) {
        buffer_append_string(b, ONE_OF(dice, spelled));
        return;
    }
    for (size_t i = 0; i < COUNT(names); i++) {
        if (dice_below(dice, 3) > 0)
            continue;
        buffer_appendf(b, "%s\"%s\":", separator, names[i]);
        append_value(b, dice, names[i]);
        separator = ",";
    }
    if (dice_one_in(dice, 4)) { /* one of many names, longer than the others */
        buffer_appendf(b, "%s\"attribute.%05u\":", separator, (unsigned)dice_below(dice, 20000));
        append_value(b, dice, "");
        separator = ",";
    }
    buffer_append_string(b, separator[0] == '{' ? "{}" : "}");
}

struct record *store_logs_add_random(struct store_logs *l, struct dice *dice,
                                     const struct store_logs_kind *kind)
{
    struct buffer message;
    struct buffer attributes;
    struct record record = {.key = random_key(dice, kind)};
    bool is_large = kind->large_bytes > 0 && dice_one_in(dice, LARGE_ONE_IN);

    buffer_init(&message, TEXT_MAX);
    buffer_init(&attributes, TEXT_MAX);
    append_message(&message, dice, is_large ? kind->large_bytes : 0);
    append_attributes(&attributes, dice, kind->spelled);
    record.level = slice_of_string(ONE_OF(dice, levels));
    record.message = slice_of(message.data, message.len);
    record.attributes = slice_of(attributes.data, attributes.len);
    struct record *added = store_logs_add_slices(l, &record);
    buffer_release(&message);
    buffer_release(&attributes);
    return added;
}

/* ---- Filters ---- */

static const char *const texts[] = {
    "con", "full", "REQUEST 1", "took", "nothing has this", "\xc3\xa9", "stra\xc3\237e",
    "e",   "0",    "12",        "user", "peer user",        "/var",     " ",
    "\\",  "ff"};

/* A piece of the message, from anywhere to anywhere, but never a piece of a character. */
static struct slice piece_of(struct slice message, struct dice *dice)
{
    size_t from = dice_below(dice, message.len);
    size_t to = from + 1 + dice_below(dice, message.len - from < 24 ? message.len - from : 24);

    while (from > 0 && ((unsigned char)message.data[from] & 0xc0) == 0x80)
        from--;
    while (to < message.len && ((unsigned char)message.data[to] & 0xc0) == 0x80)
        to++;
    return slice_of(message.data + from, to - from);
}

static struct slice random_text(struct dice *dice, const struct record *sample)
{
    if (sample && sample->message.len > 0 && dice_one_in(dice, 2))
        return piece_of(sample->message, dice);
    return slice_of_string(ONE_OF(dice, texts));
}

static struct slice random_level(struct dice *dice, const struct record *sample)
{
    if (sample && dice_one_in(dice, 2))
        return sample->level;
    return slice_of_string(ONE_OF(dice, levels));
}

static struct log_attribute_filter random_attribute(struct dice *dice, const struct record *sample)
{
    static const char *const asked[] = {"1",   "api", "s1", "s2",   "true", "null",        "",
                                        "1.0", "200", "x",  "0.10", "100",  "caf\xc3\xa9", "1e2"};
    struct log_attribute_filter f = {slice_of_string(ONE_OF(dice, names)),
                                     slice_of_string(ONE_OF(dice, asked)), dice_one_in(dice, 4)};
    static const char trace[] = "\"trace_id\":\"";

    if (dice_one_in(dice, 6))
        f.name = slice_of_string(dice_one_in(dice, 2) ? "a" : "s");
    if (sample && sample->attributes.len > 0 && dice_one_in(dice, 3)) {
        const char *at =
            memmem(sample->attributes.data, sample->attributes.len, trace, sizeof(trace) - 1);

        if (at && (size_t)(sample->attributes.data + sample->attributes.len - at) > 45) {
            f.name = SLICE_LITERAL("trace_id");
            f.value = slice_of(at + sizeof(trace) - 1, 32);
        }
    }
    return f;
}

void store_logs_random_filter(struct log_filter *f, struct dice *dice, const struct record *sample)
{
    log_filter_init(f);
    if (dice_one_in(dice, 3))
        f->levels[f->levels_len++] = random_level(dice, sample);
    if (dice_one_in(dice, 6))
        f->levels[f->levels_len++] = random_level(dice, sample);
    if (dice_one_in(dice, 8))
        f->excluded_levels[f->excluded_levels_len++] = random_level(dice, NULL);
    if (dice_one_in(dice, 3))
        f->text = random_text(dice, sample);
    if (dice_one_in(dice, 8))
        f->excluded_text = random_text(dice, NULL);
    while (dice_one_in(dice, 3) && f->attributes_len < 3)
        f->attributes[f->attributes_len++] = random_attribute(dice, sample);
}
