#include "query/number.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    EXPONENT_DIGITS_MAX = 18, /* fit into int64_t, with what digits before the point add */
    DOUBLE_DIGITS_MAX = 780,  /* the nearest double may depend on 767, and on whether more follow */
    DOUBLE_EXPONENT_MAX = 9999, /* infinity, and 0 below */
};

/* ---- Reading ---- */

/* Cuts the digits off the beginning of `*text`. */
static struct slice cut_digits(struct slice *text)
{
    size_t len = 0;

    while (len < text->len && text->data[len] >= '0' && text->data[len] <= '9')
        len++;

    struct slice digits = slice_of(text->data, len);

    *text = slice_of(text->data + len, text->len - len);
    return digits;
}

static bool cut_char(struct slice *text, char c)
{
    if (text->len == 0 || text->data[0] != c)
        return false;
    *text = slice_of(text->data + 1, text->len - 1);
    return true;
}

static size_t zeroes_at_start(struct slice digits)
{
    size_t n = 0;

    while (n < digits.len && digits.data[n] == '0')
        n++;
    return n;
}

static struct slice without_zeroes_at_end(struct slice digits)
{
    while (digits.len > 0 && digits.data[digits.len - 1] == '0')
        digits.len--;
    return digits;
}

/*
 * Reads what may follow the digits: e, a sign, digits. `*beyond`: they are more than can be said.
 * False: it is something else.
 */
static bool cut_exponent(struct slice *text, int64_t *exponent, bool *beyond)
{
    *exponent = 0;
    *beyond = false;
    if (!cut_char(text, 'e') && !cut_char(text, 'E'))
        return true;

    bool negative = cut_char(text, '-');

    if (!negative)
        (void)cut_char(text, '+');

    struct slice digits = cut_digits(text);
    size_t zeroes = zeroes_at_start(digits);

    *beyond = digits.len - zeroes > EXPONENT_DIGITS_MAX;
    for (size_t i = zeroes; i < digits.len && !*beyond; i++)
        *exponent = *exponent * 10 + (digits.data[i] - '0');
    if (negative)
        *exponent = -*exponent;
    return digits.len > 0;
}

/* Drops the zeroes at both ends. */
static void normalize(struct number *n)
{
    size_t zeroes = zeroes_at_start(n->whole);

    n->whole = slice_of(n->whole.data + zeroes, n->whole.len - zeroes);
    n->exponent += (int64_t)n->whole.len;
    if (n->whole.len == 0) {
        zeroes = zeroes_at_start(n->fraction);
        n->fraction = slice_of(n->fraction.data + zeroes, n->fraction.len - zeroes);
        n->exponent -= (int64_t)zeroes;
    }
    n->fraction = without_zeroes_at_end(n->fraction);
    if (n->fraction.len == 0)
        n->whole = without_zeroes_at_end(n->whole);
}

static bool is_zero(const struct number *n)
{
    return n->whole.len == 0 && n->fraction.len == 0;
}

/* `*written`: the exponent as it stands there. */
static bool parse(struct slice text, struct number *n, int64_t *written)
{
    bool beyond;

    *n = (struct number){.fraction = SLICE_LITERAL("")};
    if (text.len == 0)
        return false;
    n->negative = cut_char(&text, '-');
    n->whole = cut_digits(&text);
    if (n->whole.len == 0 || (n->whole.len > 1 && n->whole.data[0] == '0'))
        return false;
    if (cut_char(&text, '.')) {
        n->fraction = cut_digits(&text);
        if (n->fraction.len == 0)
            return false;
    }
    if (!cut_exponent(&text, written, &beyond) || text.len > 0)
        return false;
    n->exponent = *written;
    normalize(n);
    if (is_zero(n)) {
        n->negative = false;
        n->exponent = 0;
        *written = beyond ? INT64_MAX : *written;
        return true;
    }
    return !beyond;
}

bool number_parse(struct slice text, struct number *n)
{
    int64_t written;

    return parse(text, n, &written);
}

bool number_parse_string(struct slice text, struct number *n)
{
    int64_t written;

    return text.len <= NUMBER_STRING_MAX && parse(text, n, &written) &&
           written <= NUMBER_STRING_EXPONENT_MAX && written >= -NUMBER_STRING_EXPONENT_MAX;
}

/* ---- Comparing ---- */

static size_t digits_len(const struct number *n)
{
    return n->whole.len + n->fraction.len;
}

/* The digits from the `i`th on that lie one behind the other in the text. */
static struct slice digits_from(const struct number *n, size_t i)
{
    if (i < n->whole.len)
        return slice_of(n->whole.data + i, n->whole.len - i);
    i -= n->whole.len;
    return slice_of(n->fraction.data + i, n->fraction.len - i);
}

/* Both have the same exponent: as 0.DIGITS. */
static int compare_digits(const struct number *a, const struct number *b)
{
    size_t a_len = digits_len(a);
    size_t b_len = digits_len(b);
    size_t len = a_len < b_len ? a_len : b_len;

    for (size_t i = 0; i < len;) {
        struct slice x = digits_from(a, i);
        struct slice y = digits_from(b, i);
        size_t both = x.len < y.len ? x.len : y.len;
        int order = memcmp(x.data, y.data, both);

        if (order)
            return order;
        i += both;
    }
    return (a_len > b_len) - (a_len < b_len);
}

static int sign(const struct number *n)
{
    return is_zero(n) ? 0 : n->negative ? -1 : 1;
}

int number_compare(const struct number *a, const struct number *b)
{
    int order;

    if (sign(a) != sign(b))
        return sign(a) - sign(b);
    if (a->exponent != b->exponent)
        order = a->exponent < b->exponent ? -1 : 1;
    else
        order = compare_digits(a, b);
    return a->negative ? -order : order;
}

/* ---- As a double ---- */

double number_double(const struct number *n)
{
    char text[DOUBLE_DIGITS_MAX + 32] = "-0.";
    size_t len = 3;
    size_t digits = digits_len(n);
    size_t kept = digits < DOUBLE_DIGITS_MAX ? digits : DOUBLE_DIGITS_MAX;
    int64_t exponent = n->exponent;

    if (exponent > DOUBLE_EXPONENT_MAX)
        exponent = DOUBLE_EXPONENT_MAX;
    if (exponent < -DOUBLE_EXPONENT_MAX)
        exponent = -DOUBLE_EXPONENT_MAX;
    for (size_t i = 0; i < kept;) {
        struct slice some = digits_from(n, i);

        if (some.len > kept - i)
            some.len = kept - i;
        memcpy(text + len, some.data, some.len);
        len += some.len;
        i += some.len;
    }
    /* What is cut off is not 0: one digit says so. */
    snprintf(text + len, sizeof(text) - len, "%se%d", kept < digits ? "1" : "0", (int)exponent);
    return strtod(n->negative ? text : text + 1, NULL);
}

/* ---- Writing ---- */

enum { WRITTEN_OUT_MAX = 21, SMALL_ZEROES_MAX = 6 }; /* digits; zeroes behind the point */

static void append_zeroes(struct buffer *b, int64_t n)
{
    while (n-- > 0)
        buffer_append_char(b, '0');
}

/* Appends the digits [from, to) of all of them. */
static void append_digits(struct buffer *b, const struct number *n, size_t from, size_t to)
{
    size_t whole = n->whole.len;

    if (from < whole)
        buffer_append(b, n->whole.data + from, (to < whole ? to : whole) - from);
    if (to > whole) {
        size_t start = from > whole ? from - whole : 0;

        buffer_append(b, n->fraction.data + start, to - whole - start);
    }
}

void number_append(struct buffer *b, const struct number *n)
{
    size_t len = n->whole.len + n->fraction.len;
    int64_t point = n->exponent; /* so many digits are before it */

    if (n->negative)
        buffer_append_char(b, '-');
    if (len == 0) {
        buffer_append_char(b, '0');
    } else if (point > 0 && point <= WRITTEN_OUT_MAX) {
        size_t before = (size_t)point < len ? (size_t)point : len;

        append_digits(b, n, 0, before);
        append_zeroes(b, point - (int64_t)len);
        if (before < len) {
            buffer_append_char(b, '.');
            append_digits(b, n, before, len);
        }
    } else if (point <= 0 && point > -SMALL_ZEROES_MAX) {
        buffer_append_string(b, "0.");
        append_zeroes(b, -point);
        append_digits(b, n, 0, len);
    } else {
        append_digits(b, n, 0, 1);
        if (len > 1) {
            buffer_append_char(b, '.');
            append_digits(b, n, 1, len);
        }
        buffer_appendf(b, "e%lld", (long long)point - 1);
    }
}
