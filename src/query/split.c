#include "query/split.h"

#include "base/hex.h"
#include "base/uuid7.h"

enum {
    SLOTS_OF_RUN = 8, /* at most, and some */
    HEX_MIN = 8,      /* digits and letters up to f of such a length are a number */
    LETTERS_NAME = 2, /* digits behind letters of such a length are part of a name */
};

const unsigned char split_classes[256] = {
    [SPLIT_MARK] = SPLIT_ODD,
    ['0' ... '9'] = SPLIT_DIGIT,
    ['a' ... 'f'] = SPLIT_LOWER_HEX,
    ['A' ... 'F'] = SPLIT_UPPER_HEX,
    ['g' ... 'z'] = SPLIT_LETTER,
    ['G' ... 'Z'] = SPLIT_LETTER,
    ['_'] = SPLIT_LETTER,
    [0x80 ... 0xff] = SPLIT_LETTER,
};

/* A text on its way. */
struct splitting {
    struct split *out;
    const char *start, *at, *end;
    const char *piece; /* where the constant text begins that comes next */
    size_t len;        /* of the skeleton */
    bool cuts_character;
};

/* Of a character that began before it, in UTF-8. */
static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* How long the skeleton would be if the text ended here. */
static size_t skeleton_len(const struct splitting *s)
{
    return s->len + (size_t)(s->at - s->piece);
}

/* Appends as much of [from, to) as there is room for. */
static void add_piece(struct splitting *s, const char *from, const char *to)
{
    size_t len = (size_t)(to - from);

    if (len > s->out->max - s->len)
        len = s->out->max - s->len;
    if (len)
        memcpy(s->out->skeleton + s->len, from, len);
    s->len += len;
}

/* Ends a piece; its slot is [from, to). */
static void add_slot(struct splitting *s, const char *from, const char *to)
{
    struct split *out = s->out;

    add_piece(s, s->piece, from);
    if (s->len < out->max)
        out->skeleton[s->len++] = SPLIT_MARK;
    s->piece = to;
    s->cuts_character |= is_continuation(*from) || (to < s->end && is_continuation(*to));
    if (out->slots)
        out->slots[out->slots_len] = slice_of(from, (size_t)(to - from));
    out->slots_len++;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_uuid_at(const char *p, const char *end)
{
    if (end - p < UUID_TEXT_LEN)
        return false;
    for (size_t i = 0; i < UUID_TEXT_LEN; i++)
        if (i == 8 || i == 13 || i == 18 || i == 23 ? p[i] != '-' : hex_value(p[i]) < 0)
            return false;
    return true;
}

/*
 * Digits [from, to): with a point and digits behind them, if they are one number and not part of a
 * version, an address or a time.
 */
static const char *add_number(struct splitting *s, const char *from, const char *to,
                              bool is_whole_run)
{
    const char *p = to;
    bool is_part = from > s->start && (from[-1] == ':' || from[-1] == '.');

    if (is_whole_run && !is_part && s->end - p > 1 && p[0] == '.' && is_digit(p[1]) &&
        (from[0] != '0' || to - from == 1)) {
        for (p++; p < s->end && is_digit(*p);)
            p++;
        if (s->end - p > 1 && p[0] == '.' && is_digit(p[1]))
            p = to;
    }
    add_slot(s, from, p);
    return p;
}

/* How often letters change to digits and back in a run. */
static unsigned count_changes(const char *p, const char *end)
{
    unsigned changes = 0;

    for (; p + 1 < end; p++)
        changes += is_digit(p[0]) != is_digit(p[1]);
    return changes;
}

/* Digits and letters, one change: "12ms", "v2", "param5". */
static void add_digits_of(struct splitting *s, const char *from, const char *to)
{
    const char *p = from;

    if (is_digit(*from)) {
        while (p < to && is_digit(*p))
            p++;
        add_number(s, from, p, false);
        return;
    }
    while (!is_digit(*p))
        p++;
    if (to - p > LETTERS_NAME)
        add_slot(s, p, to);
}

/* "19T17" */
static bool is_pair(const char *from, const char *to)
{
    const char *p = from;

    while (p < to && is_digit(*p))
        p++;
    return p > from && to - p > 1 && is_digit(p[1]);
}

static void add_pair(struct splitting *s, const char *from, const char *to)
{
    const char *p = from;

    while (is_digit(*p))
        p++;
    add_slot(s, from, p);
    add_slot(s, p + 1, to);
}

/* A run of letters and digits, of both: what varies in it becomes slots. */
static void add_mixed(struct splitting *s, const char *from, const char *to, unsigned classes)
{
    unsigned changes = count_changes(from, to);
    bool is_hex = (classes & ~(unsigned)(SPLIT_DIGIT | SPLIT_LOWER_HEX)) == 0 ||
                  (classes & ~(unsigned)(SPLIT_DIGIT | SPLIT_UPPER_HEX)) == 0;

    if (to - from > 2 && from[0] == '0' && from[1] == 'x')
        add_slot(s, from + 2, to);
    else if (is_hex && (changes > 1 || to - from >= HEX_MIN))
        add_slot(s, from, to);
    else if (changes == 1)
        add_digits_of(s, from, to);
    else if (changes == 2 && is_pair(from, to))
        add_pair(s, from, to);
    else
        add_slot(s, from, to);
}

/* The run [from, s->at), which has a digit. */
static void add_run(struct splitting *s, const char *from, unsigned classes)
{
    if (s->at - from == 8 && s->end > s->at && *s->at == '-' && is_uuid_at(from, s->end)) {
        s->at = from + UUID_TEXT_LEN;
        add_slot(s, from, s->at);
    } else if (classes == SPLIT_DIGIT) {
        s->at = add_number(s, from, s->at, true);
    } else {
        add_mixed(s, from, s->at, classes);
    }
}

/* Goes on behind the next run of letters and digits, or the next sign. False: it cannot. */
static bool go_on(struct splitting *s)
{
    const char *from = s->at;
    unsigned classes = 0, c;

    while (s->at < s->end && (c = split_classes[(unsigned char)*s->at]) != 0) {
        classes |= c;
        s->at++;
    }
    if ((classes & SPLIT_ODD) ||
        ((classes & SPLIT_DIGIT) && s->out->slots_len > SPLIT_SLOTS_MAX - SLOTS_OF_RUN)) {
        s->at = from;
        return false;
    }
    if (classes & SPLIT_DIGIT)
        add_run(s, from, classes);
    else if (!classes)
        s->at++;
    return true;
}

void split_text(struct split *out, struct slice text)
{
    struct splitting s = {.out = out, .start = text.data, .at = text.data, .piece = text.data};
    bool goes_on = true;

    out->len = out->slots_len = 0;
    out->is_whole = true;
    if (text.len == 0)
        return;
    s.end = text.data + text.len;
    s.cuts_character = is_continuation(text.data[0]);
    while (s.at < s.end && goes_on && skeleton_len(&s) < out->max)
        goes_on = go_on(&s);
    out->is_whole = s.at == s.end && !s.cuts_character && skeleton_len(&s) <= out->max;
    add_piece(&s, s.piece, s.at);
    out->len = s.len;
}
