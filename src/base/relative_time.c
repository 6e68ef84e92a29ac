#include "base/relative_time.h"

#include <stdbool.h>

#include "base/timestamp.h"

static const int64_t SECOND_US = 1000000;
static const int64_t DAY_US = INT64_C(86400) * 1000000;

static int64_t no_zone(int64_t us)
{
    return 0;
}

/* The midnight `days` after the one that was last. */
static int64_t midnight(int64_t now_us, int64_t days, relative_time_zone_fn *zone)
{
    int64_t local_us = now_us + zone(now_us) * SECOND_US;
    int64_t start_us = (local_us / DAY_US - (local_us % DAY_US < 0) + days) * DAY_US;
    int64_t guess_us = start_us - zone(now_us) * SECOND_US;

    /* Summer time may have begun or ended between. */
    return start_us - zone(guess_us) * SECOND_US;
}

/* Cuts `word` off the beginning of `*text`. */
static bool cut_word(struct slice *text, const char *word)
{
    size_t len = strlen(word);

    if (text->len < len ||
        !slice_equal_ascii_nocase(slice_of(text->data, len), slice_of_string(word)))
        return false;
    *text = slice_of(text->data + len, text->len - len);
    return true;
}

/* The microseconds of `unit`, or 0. */
static int64_t unit_us(char unit)
{
    switch (unit) {
    case 's':
        return SECOND_US;
    case 'm':
        return 60 * SECOND_US;
    case 'h':
        return 3600 * SECOND_US;
    case 'd':
        return DAY_US;
    case 'w':
        return 7 * DAY_US;
    default:
        return 0;
    }
}

/*
 * Reads all of `text` as a length: digits and a unit. One that is longer than a time may be long
 * becomes twice as long as that. False if it is none.
 */
static bool read_length(struct slice text, int64_t *us)
{
    static const int64_t MAX_US = 2 * (TIMESTAMP_MAX_US - TIMESTAMP_MIN_US);
    int64_t n = 0;

    if (text.len < 2 || !unit_us(text.data[text.len - 1]))
        return false;
    for (size_t i = 0; i < text.len - 1; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        if (n <= MAX_US / 10)
            n = n * 10 + (text.data[i] - '0');
    }
    if (__builtin_mul_overflow(n, unit_us(text.data[text.len - 1]), us) || *us > MAX_US)
        *us = MAX_US;
    return true;
}

/* What `*text` counts from, cut off it. False if it begins with no word. */
static bool cut_base(struct slice *text, int64_t now_us, relative_time_zone_fn *zone,
                     int64_t *base_us)
{
    if (cut_word(text, "now"))
        *base_us = now_us;
    else if (cut_word(text, "today"))
        *base_us = midnight(now_us, 0, zone);
    else if (cut_word(text, "yesterday"))
        *base_us = midnight(now_us, -1, zone);
    else
        return false;
    return true;
}

static bool read_relative(struct slice text, int64_t now_us, relative_time_zone_fn *zone,
                          int64_t *base_us, int64_t *length_us)
{
    static const struct slice ago = {" ago", 4};

    *length_us = 0;
    if (cut_base(&text, now_us, zone, base_us)) {
        if (text.len == 0)
            return true;
        if (!memchr("+- ", text.data[0], 3) ||
            !read_length(slice_of(text.data + 1, text.len - 1), length_us))
            return false;
        if (text.data[0] == '-')
            *length_us = -*length_us;
        return true;
    }
    if (text.len > ago.len && slice_equal(slice_of(text.data + text.len - ago.len, ago.len), ago))
        text.len -= ago.len;
    if (!read_length(text, length_us))
        return false;
    *base_us = now_us;
    *length_us = -*length_us;
    return true;
}

int relative_time_parse(struct slice text, int64_t now_us, relative_time_zone_fn *zone, int64_t *us)
{
    int64_t base_us;
    int64_t length_us;

    if (!read_relative(text, now_us, zone ? zone : no_zone, &base_us, &length_us))
        return LM_EINVAL;

    int64_t sum_us = base_us + length_us;

    if (sum_us < TIMESTAMP_MIN_US || sum_us > TIMESTAMP_MAX_US)
        return LM_ETOOBIG;
    *us = sum_us;
    return 0;
}
