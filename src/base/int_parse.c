#include "base/int_parse.h"

#include <stdbool.h>

enum { DIGITS_MAX = 4300 }; /* Python's limit */

/* Every character with Unicode's White_Space property. */
static const char *const SPACES[] = {
    "\t",           "\n",           "\v",           "\f",           "\r",           " ",
    "\xc2\x85",     "\xc2\xa0",     "\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x81", "\xe2\x80\x82",
    "\xe2\x80\x83", "\xe2\x80\x84", "\xe2\x80\x85", "\xe2\x80\x86", "\xe2\x80\x87", "\xe2\x80\x88",
    "\xe2\x80\x89", "\xe2\x80\x8a", "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f",
    "\xe3\x80\x80",
};

static bool is_at(struct slice text, size_t at, char c)
{
    return at < text.len && text.data[at] == c;
}

static bool is_digit_at(struct slice text, size_t at)
{
    return at < text.len && text.data[at] >= '0' && text.data[at] <= '9';
}

static struct slice after(struct slice text, size_t n)
{
    return slice_of(text.data + n, text.len - n);
}

/* Length of the white space character at the start (or the end) of `text`; 0 if there is none.
 */
static size_t space_len(struct slice text, bool at_end)
{
    for (size_t i = 0; i < sizeof(SPACES) / sizeof(SPACES[0]); i++) {
        struct slice space = slice_of_string(SPACES[i]);

        if (text.len >= space.len &&
            slice_equal(slice_of(text.data + (at_end ? text.len - space.len : 0), space.len),
                        space))
            return space.len;
    }
    return 0;
}

static struct slice trim(struct slice text)
{
    size_t n;

    while ((n = space_len(text, false)) > 0)
        text = after(text, n);
    while ((n = space_len(text, true)) > 0)
        text.len -= n;
    return text;
}

/* Reads all of `text`, underscores aside, as -?(0|[1-9][0-9]*). */
static int read_digits(struct slice text, bool negative, int64_t *value)
{
    int64_t n = 0; /* gathered below zero, which has one more */
    size_t digits = 0;
    bool leading_zero = false;

    if (is_at(text, 0, '-')) {
        if (negative)
            return LM_EINVAL;
        negative = true;
        text = after(text, 1);
    }
    for (size_t at = 0; at < text.len; at++) {
        if (text.data[at] == '_')
            continue;
        if (!is_digit_at(text, at) || leading_zero)
            return LM_EINVAL;
        leading_zero = digits++ == 0 && text.data[at] == '0';
        if (digits > DIGITS_MAX)
            return LM_ETOOBIG;
        if (__builtin_mul_overflow(n, 10, &n) || __builtin_sub_overflow(n, text.data[at] - '0', &n))
            n = INT64_MIN;
    }
    if (digits == 0)
        return LM_EINVAL;
    *value = negative ? n : n == INT64_MIN ? INT64_MAX : -n;
    return 0;
}

/*
 * `text` from its first digit that counts. pydantic takes a minus sign after leading zeros for the
 * number's own, and so do we. Empty: no number.
 */
static struct slice without_leading_zeros(struct slice text)
{
    if (!is_at(text, 0, '0'))
        return is_digit_at(text, 0) ? text : slice_of(NULL, 0);
    for (size_t at = 1; at < text.len; at++) {
        char c = text.data[at];

        if (c == '0' || c == '_')
            continue;
        if (c == '.')
            return after(text, at - 1);
        return (c >= '1' && c <= '9') || c == '-' ? after(text, at) : slice_of(NULL, 0);
    }
    return after(text, text.len - 1);
}

static struct slice without_zero_fraction(struct slice text)
{
    const char *point = text.len ? memchr(text.data, '.', text.len) : NULL;
    size_t whole = point ? (size_t)(point - text.data) : text.len;

    if (whole + 1 >= text.len)
        return text;
    for (size_t at = whole + 1; at < text.len; at++)
        if (text.data[at] != '0')
            return text;
    return slice_of(text.data, whole);
}

static bool has_misplaced_underscore(struct slice text)
{
    if (is_at(text, 0, '_') || is_at(text, text.len - 1, '_'))
        return true;
    for (size_t at = 1; at < text.len; at++)
        if (text.data[at] == '_' && text.data[at - 1] == '_')
            return true;
    return false;
}

/* True if `text` starts like a plain number, one that has too many digits. */
static bool starts_too_long(struct slice text)
{
    size_t first = is_at(text, 0, '-') ? 1 : 0;
    size_t at = first;

    while (is_digit_at(text, at))
        at++;
    return at - first > DIGITS_MAX && text.data[first] != '0';
}

int int_parse_lax(struct slice text, int64_t *value)
{
    bool negative = false;

    if (starts_too_long(text))
        return LM_ETOOBIG;
    text = trim(text);
    if (is_at(text, 0, '+')) {
        text = after(text, 1);
    } else if (is_at(text, 0, '-')) {
        negative = true;
        text = after(text, 1);
    }
    text = without_zero_fraction(without_leading_zeros(text));
    if (text.len == 0 || has_misplaced_underscore(text))
        return LM_EINVAL;
    return read_digits(text, negative, value) == 0 ? 0 : LM_EINVAL;
}
