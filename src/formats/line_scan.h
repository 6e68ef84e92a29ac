/*
 * Taking a line apart from its beginning: each function cuts what it names off `*rest`, or changes
 * nothing and returns false (an empty slice, 0).
 */
#ifndef LOGMILL_FORMATS_LINE_SCAN_H
#define LOGMILL_FORMATS_LINE_SCAN_H

#include <stdbool.h>

#include "base/slice.h"

static inline bool line_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool line_is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* Drops the first `n` bytes, of which there are as many. */
static inline void line_drop(struct slice *rest, size_t n)
{
    *rest = slice_of(rest->data + n, rest->len - n);
}

static inline bool line_begins(struct slice text, struct slice word)
{
    return text.len >= word.len && memcmp(text.data, word.data, word.len) == 0;
}

static inline bool line_take(struct slice *rest, const char *word)
{
    struct slice wanted = slice_of_string(word);

    if (!line_begins(*rest, wanted))
        return false;
    line_drop(rest, wanted.len);
    return true;
}

/* The digits at the beginning: `most` of them at most. */
static inline struct slice line_take_digits(struct slice *rest, size_t most)
{
    size_t len = 0;

    while (len < rest->len && len < most && line_is_digit(rest->data[len]))
        len++;
    struct slice digits = slice_of(rest->data, len);
    line_drop(rest, len);
    return digits;
}

/* What stands before the first `end`, which goes with it. */
static inline bool line_take_until(struct slice *rest, char end, struct slice *text)
{
    const char *at = rest->len ? memchr(rest->data, end, rest->len) : NULL;

    if (!at)
        return false;
    *text = slice_of(rest->data, (size_t)(at - rest->data));
    line_drop(rest, text->len + 1);
    return true;
}

static inline size_t line_drop_blanks(struct slice *rest)
{
    size_t len = 0;

    while (len < rest->len && (rest->data[len] == ' ' || rest->data[len] == '\t'))
        len++;
    if (len)
        line_drop(rest, len);
    return len;
}

/* What stands before the first blank, or all; the blanks behind it go with it. */
static inline struct slice line_take_word(struct slice *rest)
{
    size_t len = 0;

    while (len < rest->len && rest->data[len] != ' ' && rest->data[len] != '\t')
        len++;
    struct slice word = slice_of(rest->data, len);
    if (len)
        line_drop(rest, len);
    line_drop_blanks(rest);
    return word;
}

#endif
