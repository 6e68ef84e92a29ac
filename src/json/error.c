/*
 * The cold path of a text that is not JSON: a scanner that follows Python's json module step by
 * step, since what is told to the client is where that one stops and why. The text is walked in
 * bytes, with every position turned into characters at the end.
 */
#include "json/error.h"

#include <stdint.h>

#include "base/hex.h"
#include "base/utf8.h"

struct scanner {
    struct slice text;
    size_t at;
    size_t depth_left;
    struct json_error *error; /* its position is in bytes until the end */
    struct json_error own;    /* the first thing that Python takes and JSON is not; message NULL */
};

static bool fail(struct scanner *s, const char *message, size_t position)
{
    s->error->message = message;
    s->error->position = position;
    return false;
}

/* Goes on, so that an error which Python would report comes first. */
static void note(struct scanner *s, const char *message, size_t position)
{
    if (!s->own.message)
        s->own = (struct json_error){message, position};
}

/* The byte at `at`, or 0 past the end (as U+0000, which is nowhere right either). */
static char byte_at(const struct scanner *s, size_t at)
{
    return at < s->text.len ? s->text.data[at] : '\0';
}

static void skip_space(struct scanner *s)
{
    while (s->at < s->text.len && memchr(" \t\n\r", s->text.data[s->at], 4))
        s->at++;
}

static bool skip_word(struct scanner *s, struct slice word)
{
    if (s->text.len - s->at < word.len || memcmp(s->text.data + s->at, word.data, word.len) != 0)
        return false;
    s->at += word.len;
    return true;
}

static size_t skip_digits(const struct scanner *s, size_t at)
{
    while (byte_at(s, at) >= '0' && byte_at(s, at) <= '9')
        at++;
    return at;
}

/* -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?, as much of it as is there. */
static bool skip_number(struct scanner *s)
{
    size_t at = s->at + (byte_at(s, s->at) == '-');
    size_t end = skip_digits(s, at);

    if (end == at)
        return false;
    if (byte_at(s, at) == '0')
        end = at + 1;
    if (byte_at(s, end) == '.' && skip_digits(s, end + 1) > end + 1)
        end = skip_digits(s, end + 1);
    if (byte_at(s, end) == 'e' || byte_at(s, end) == 'E') {
        at = end + 1;
        at += byte_at(s, at) == '-' || byte_at(s, at) == '+';
        if (skip_digits(s, at) > at)
            end = skip_digits(s, at);
    }
    s->at = end;
    return true;
}

/* The number of four hexadecimal digits at `at`, or -1. */
static int hex4(const struct scanner *s, size_t at)
{
    int value = 0;

    for (size_t i = at; i < at + 4; i++) {
        int digit = hex_value(byte_at(s, i));

        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

/* At the "u" of an escape. */
static bool skip_unicode_escape(struct scanner *s)
{
    size_t start = s->at;
    int unit = hex4(s, start + 1);
    int low = -1;

    if (unit < 0 || start + 5 == s->text.len) /* Python wants the string to go on */
        return fail(s, "Invalid \\uXXXX escape", start);
    s->at += 5;
    if ((unit & 0xf800) != 0xd800)
        return true;
    if (unit < 0xdc00 && byte_at(s, s->at) == '\\' && byte_at(s, s->at + 1) == 'u') {
        low = hex4(s, s->at + 2);
        if (low < 0 || s->at + 6 == s->text.len)
            return fail(s, "Invalid \\uXXXX escape", s->at + 1);
    }
    if (low >= 0xdc00 && low <= 0xdfff)
        s->at += 6;
    else
        note(s, "Lone surrogate in \\uXXXX escape", start);
    return true;
}

/* At the opening quote. */
static bool skip_string(struct scanner *s)
{
    size_t start = s->at++;

    while (s->at < s->text.len) {
        unsigned char c = (unsigned char)s->text.data[s->at];

        if (c == '"') {
            s->at++;
            return true;
        }
        if (c < 0x20)
            return fail(s, "Invalid control character at", s->at);
        if (c != '\\') {
            s->at++;
            continue;
        }
        if (++s->at == s->text.len)
            break;
        c = (unsigned char)s->text.data[s->at];
        if (c == 'u') {
            if (!skip_unicode_escape(s))
                return false;
        } else if (memchr("\"\\/bfnrt", c, 8)) {
            s->at++;
        } else {
            return fail(s, "Invalid \\escape", s->at - 1);
        }
    }
    return fail(s, "Unterminated string starting at", start);
}

static bool skip_value(struct scanner *s);

/* At the opening brace. */
static bool skip_object(struct scanner *s)
{
    s->at++;
    skip_space(s);
    if (byte_at(s, s->at) == '}') {
        s->at++;
        return true;
    }
    for (;;) {
        if (byte_at(s, s->at) != '"')
            return fail(s, "Expecting property name enclosed in double quotes", s->at);
        if (!skip_string(s))
            return false;
        skip_space(s);
        if (byte_at(s, s->at) != ':')
            return fail(s, "Expecting ':' delimiter", s->at);
        s->at++;
        skip_space(s);
        if (!skip_value(s))
            return false;
        skip_space(s);
        if (byte_at(s, s->at) == '}')
            break;
        if (byte_at(s, s->at) != ',')
            return fail(s, "Expecting ',' delimiter", s->at);
        s->at++;
        skip_space(s);
    }
    s->at++;
    return true;
}

/* At the opening bracket. */
static bool skip_array(struct scanner *s)
{
    s->at++;
    skip_space(s);
    if (byte_at(s, s->at) == ']') {
        s->at++;
        return true;
    }
    for (;;) {
        if (!skip_value(s))
            return false;
        skip_space(s);
        if (byte_at(s, s->at) == ']')
            break;
        if (byte_at(s, s->at) != ',')
            return fail(s, "Expecting ',' delimiter", s->at);
        s->at++;
        skip_space(s);
    }
    s->at++;
    return true;
}

/* Recurses once for each level of nesting, of which max_depth are allowed. */
static bool skip_value(struct scanner *s)
{
    size_t start = s->at;
    char c = byte_at(s, start);
    bool ok;

    if (c == '"')
        return skip_string(s);
    if (c == '{' || c == '[') {
        if (s->depth_left == 0)
            return fail(s, "Nested too deeply", s->at);
        s->depth_left--;
        ok = c == '{' ? skip_object(s) : skip_array(s);
        s->depth_left++;
        return ok;
    }
    if (skip_word(s, SLICE_LITERAL("null")) || skip_word(s, SLICE_LITERAL("true")) ||
        skip_word(s, SLICE_LITERAL("false")) || skip_number(s))
        return true;
    if (skip_word(s, SLICE_LITERAL("NaN")) || skip_word(s, SLICE_LITERAL("Infinity")) ||
        skip_word(s, SLICE_LITERAL("-Infinity"))) {
        note(s, "Expecting value", start);
        return true;
    }
    return fail(s, "Expecting value", s->at);
}

static bool skip_text(struct scanner *s)
{
    skip_space(s);
    if (!skip_value(s))
        return false;
    skip_space(s);
    if (s->at < s->text.len)
        return fail(s, "Extra data", s->at);
    if (s->own.message)
        return fail(s, s->own.message, s->own.position);
    return true;
}

bool json_find_error(struct slice text, size_t max_depth, struct json_error *error)
{
    struct scanner s = {.text = text, .depth_left = max_depth, .error = error};
    size_t valid = utf8_valid_prefix(text);

    if (valid < text.len)
        fail(&s, "Invalid UTF-8", valid);
    else if (skip_text(&s))
        return false;
    error->position = utf8_count(slice_of(text.data, error->position));
    return true;
}

void json_explain(struct slice text, size_t max_depth, struct json_error *error)
{
    if (!json_find_error(text, max_depth, error))
        *error = (struct json_error){.message = "Cannot be read as JSON", .position = 0};
}
