/*
 * Reading times as pydantic v2 does with its speedate library: a text is an RFC 3339 time, else a
 * number, else a date; if it is none of them, what the date's parser says is the reason that
 * the client is given.
 */
#include "base/timestamp.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/slice.h"

static const int64_t SECOND_US = 1000000;
static const int64_t DAY_S = 86400;

/* Numbers of a larger magnitude are milliseconds, not seconds. */
static const int64_t MILLISECONDS_ABOVE = INT64_C(20000000000);

/* Years 0 to 9999 in seconds; year 0 is then refused for a reason of its own. */
static const int64_t FIRST_S = INT64_C(-62167219200);
static const int64_t LAST_S = INT64_C(253402300799);

/* Longer numbers are not read. An integer of that length is past every double anyway. */
enum { NUMBER_TEXT_MAX = 400 };

static const char PARSING[] = "datetime_parsing";
static const char FROM_DATE_PARSING[] = "datetime_from_date_parsing";
static const char TOO_EARLY[] = "dates before 0000 are not supported as unix timestamps";
static const char TOO_LATE[] = "dates after 9999 are not supported as unix timestamps";
static const char YEAR_0[] = "year 0 is out of range";
static const char YEAR_10000[] = "year 10000 is out of range"; /* a zone can lead there */

static int fail(struct timestamp_error *error, const char *type, const char *reason)
{
    error->type = type;
    snprintf(error->reason, sizeof(error->reason), "%s", reason);
    return LM_EINVAL;
}

/* ---- The calendar ---- */

struct date {
    int year;
    int month;
    int day;
};

static bool is_leap_year(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int days_of_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return month == 2 && is_leap_year(year) ? 29 : days[month - 1];
}

/*
 * Days since 1970-01-01. Years are counted from March, so that the leap day is the last of its
 * year, and in eras of 400 years, which all have 146097 days.
 */
static int64_t days_of_date(const struct date *date)
{
    int64_t year = date->year - (date->month <= 2) + 400; /* never negative */
    int64_t era = year / 400;
    int64_t year_of_era = year % 400;
    int64_t month = (date->month + 9) % 12; /* March is 0 */
    int64_t day_of_year = (153 * month + 2) / 5 + date->day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return (era - 1) * 146097 + day_of_era - 719468;
}

/* The other way round, for years 1 to 9999. */
static struct date date_of_days(int64_t days)
{
    int64_t z = days + 719468;
    int64_t era = z / 146097;
    int64_t day_of_era = z % 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153; /* March is 0 */

    return (struct date){
        .year = (int)(year_of_era + era * 400 + (month >= 10)),
        .month = (int)(month < 10 ? month + 3 : month - 9),
        .day = (int)(day_of_year - (153 * month + 2) / 5 + 1),
    };
}

/* ---- Text ---- */

/* The number of two digits at `at`, or -1. */
static int two_digits(struct slice text, size_t at)
{
    unsigned high;
    unsigned low;

    if (at + 2 > text.len)
        return -1;
    high = (unsigned)(text.data[at] - '0');
    low = (unsigned)(text.data[at + 1] - '0');
    return high > 9 || low > 9 ? -1 : (int)(high * 10 + low);
}

static bool is_at(struct slice text, size_t at, char c)
{
    return at < text.len && text.data[at] == c;
}

static bool is_digit_at(struct slice text, size_t at)
{
    return at < text.len && text.data[at] >= '0' && text.data[at] <= '9';
}

/* Reads "2026-11-25" from the start of `text`. Returns NULL, or what is wrong. */
static const char *parse_date(struct slice text, struct date *date)
{
    int century = two_digits(text, 0);
    int year = two_digits(text, 2);

    if (text.len < 10)
        return "input is too short";
    if (century < 0 || year < 0)
        return "invalid character in year";
    date->year = century * 100 + year;
    if (text.data[4] != '-')
        return "invalid date separator, expected `-`";
    date->month = two_digits(text, 5);
    if (date->month < 0)
        return "invalid character in month";
    if (text.data[7] != '-')
        return "invalid date separator, expected `-`";
    date->day = two_digits(text, 8);
    if (date->day < 0)
        return "invalid character in day";
    if (date->month < 1 || date->month > 12)
        return "month value is outside expected range of 1-12";
    if (date->day < 1 || date->day > days_of_month(date->year, date->month))
        return "day value is outside expected range";
    return NULL;
}

/* Reads ".123456789" at `*at`, if it is there: microseconds, further digits are dropped. */
static bool parse_fraction(struct slice text, size_t *at, int64_t *us)
{
    int64_t unit = SECOND_US / 10;

    *us = 0;
    if (!is_at(text, *at, '.') && !is_at(text, *at, ','))
        return true;
    if (!is_digit_at(text, *at + 1))
        return false;
    for (++*at; is_digit_at(text, *at); ++*at) {
        *us += (text.data[*at] - '0') * unit;
        unit /= 10;
    }
    return true;
}

/* Reads a zone at `at`, to the end of `text`: seconds east of UTC. None is UTC. */
static bool parse_zone(struct slice text, size_t at, int64_t *offset_s)
{
    static const struct slice minus_sign = {"\xe2\x88\x92", 3}; /* U+2212, as ISO 8601 has it */
    int sign = 1;

    *offset_s = 0;
    if (at == text.len)
        return true;
    if (is_at(text, at, 'Z') || is_at(text, at, 'z'))
        return at + 1 == text.len;
    if (text.len - at > minus_sign.len &&
        slice_equal(slice_of(text.data + at, minus_sign.len), minus_sign)) {
        sign = -1;
        at += minus_sign.len;
    } else if (is_at(text, at, '+') || is_at(text, at, '-')) {
        sign = text.data[at] == '-' ? -1 : 1;
        at++;
    } else {
        return false;
    }

    int hours = two_digits(text, at);

    at += is_at(text, at + 2, ':') ? 3 : 2;

    int minutes = two_digits(text, at);

    *offset_s = sign * (hours * 3600 + minutes * 60);
    return hours >= 0 && hours <= 23 && minutes >= 0 && minutes <= 59 && at + 2 == text.len;
}

/* Reads "12:34", "12:34:56", "12:34:56.789", each with or without a zone, from `at` to the end. */
static bool parse_time(struct slice text, size_t at, int64_t *us)
{
    int hour = two_digits(text, at);
    int minute = two_digits(text, at + 3);
    int second = 0;
    int64_t fraction_us = 0;
    int64_t offset_s;

    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || !is_at(text, at + 2, ':'))
        return false;
    at += 5;
    if (is_at(text, at, ':')) {
        second = two_digits(text, at + 1);
        if (second < 0 || second > 59)
            return false;
        at += 3;
        if (!parse_fraction(text, &at, &fraction_us))
            return false;
    }
    if (!parse_zone(text, at, &offset_s))
        return false;
    *us = (hour * 3600 + minute * 60 + second - offset_s) * SECOND_US + fraction_us;
    return true;
}

/* ---- Numbers ---- */

/* `seconds` (floor) and 0 to 999999 us more. Returns NULL, or what is wrong. */
static const char *from_seconds(int64_t seconds, int64_t fraction_us, int64_t *us)
{
    if (seconds < FIRST_S)
        return TOO_EARLY;
    if (seconds > LAST_S)
        return TOO_LATE;
    *us = seconds * SECOND_US + fraction_us;
    return *us < TIMESTAMP_MIN_US ? YEAR_0 : NULL;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int64_t floor_rest(int64_t a, int64_t b)
{
    return a % b + (a % b < 0 ? b : 0);
}

static const char *from_integer(int64_t value, int64_t *us)
{
    if (value >= -MILLISECONDS_ABOVE && value <= MILLISECONDS_ABOVE)
        return from_seconds(value, 0, us);
    return from_seconds(floor_div(value, 1000), floor_rest(value, 1000) * 1000, us);
}

static const char *from_double(double value, int64_t *us)
{
    bool milliseconds = fabs(value) > (double)MILLISECONDS_ABOVE;
    int64_t unit_us = milliseconds ? 1000 : SECOND_US;
    int64_t units_per_s = SECOND_US / unit_us;
    double whole = floor(value);

    if (!(whole >= (double)(FIRST_S * units_per_s)))
        return TOO_EARLY;
    if (whole >= (double)((LAST_S + 1) * units_per_s))
        return TOO_LATE;

    int64_t seconds = floor_div((int64_t)whole, units_per_s);
    /* Up to a whole second, by rounding. */
    int64_t rest_us = floor_rest((int64_t)whole, units_per_s) * unit_us +
                      (int64_t)round((value - whole) * (double)unit_us);

    return from_seconds(seconds + rest_us / SECOND_US, rest_us % SECOND_US, us);
}

/* Reads all of `text` as an integer: [+-]?[0-9]+. False if it is none, or past int64_t. */
static bool read_integer(struct slice text, int64_t *value)
{
    bool negative = is_at(text, 0, '-');
    size_t at = negative || is_at(text, 0, '+') ? 1 : 0;
    int64_t n = 0;

    if (at == text.len)
        return false;
    for (; at < text.len; at++) {
        if (!is_digit_at(text, at) || __builtin_mul_overflow(n, 10, &n) ||
            __builtin_sub_overflow(n, text.data[at] - '0', &n))
            return false;
    }
    *value = n; /* gathered below zero, which has one more */
    return negative || !__builtin_sub_overflow(0, n, value);
}

/* Reads all of `text`, which is as C's strtod takes it but for its length. */
static bool read_double(struct slice text, double *value)
{
    char copy[NUMBER_TEXT_MAX + 1];
    char *end;

    if (text.len == 0 || text.len > NUMBER_TEXT_MAX)
        return false;
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    *value = strtod(copy, &end);
    return end == copy + text.len;
}

/* True if `text` is [+-]?[0-9]*\.[0-9]*([eE][+-]?[0-9]+)? with a digit before the exponent. */
static bool is_decimal(struct slice text)
{
    size_t at = is_at(text, 0, '-') || is_at(text, 0, '+') ? 1 : 0;
    size_t first = at;

    while (is_digit_at(text, at))
        at++;
    if (!is_at(text, at, '.'))
        return false;
    at++;
    while (is_digit_at(text, at))
        at++;
    if (at - first < 2)
        return false;
    if (is_at(text, at, 'e') || is_at(text, at, 'E')) {
        at++;
        if (is_at(text, at, '-') || is_at(text, at, '+'))
            at++;
        if (!is_digit_at(text, at))
            return false;
        while (is_digit_at(text, at))
            at++;
    }
    return at == text.len;
}

/* ---- The whole ---- */

/* A date with or without a time. Returns NULL, or what is wrong. */
static const char *from_text(struct slice text, int64_t *us)
{
    struct date date;
    int64_t time_us = 0;
    const char *wrong = parse_date(text, &date);

    if (wrong)
        return wrong;
    if (text.len > 10 && (!memchr("Tt _", text.data[10], 4) || !parse_time(text, 11, &time_us)))
        return "unexpected extra characters at the end of the input";
    *us = days_of_date(&date) * DAY_S * SECOND_US + time_us;
    if (date.year == 0 || *us < TIMESTAMP_MIN_US)
        return YEAR_0;
    return *us > TIMESTAMP_MAX_US ? YEAR_10000 : NULL;
}

int timestamp_parse_text(struct slice text, int64_t *us, struct timestamp_error *error)
{
    int64_t integer;
    double number;
    const char *wrong = from_text(text, us);

    if (wrong && wrong != YEAR_0 && wrong != YEAR_10000) {
        if (read_integer(text, &integer)) {
            wrong = from_integer(integer, us);
        } else if (is_decimal(text) && read_double(text, &number)) {
            const char *wrong_number = from_double(number, us);

            if (!wrong_number || wrong_number == YEAR_0)
                wrong = wrong_number;
        }
    }
    if (!wrong)
        return 0;
    return fail(error, wrong == YEAR_0 || wrong == YEAR_10000 ? PARSING : FROM_DATE_PARSING, wrong);
}

int timestamp_parse_number(struct slice text, int64_t *us, struct timestamp_error *error)
{
    bool integral = !memchr(text.data, '.', text.len) && !memchr(text.data, 'e', text.len) &&
                    !memchr(text.data, 'E', text.len);
    int64_t integer;
    double number;
    const char *wrong;

    if (integral && read_integer(text, &integer)) {
        wrong = from_integer(integer, us);
    } else if (!read_double(text, &number) || isinf(number)) {
        /* Python's integers have no limit: pydantic takes one past a double for no time at all. */
        if (integral)
            return fail(error, "datetime_type", "");
        wrong = text.data[0] == '-' ? TOO_EARLY : TOO_LATE;
    } else {
        wrong = from_double(number, us);
    }
    return wrong ? fail(error, PARSING, wrong) : 0;
}

void timestamp_format(int64_t us, char out[TIMESTAMP_TEXT_LEN])
{
    int64_t days = floor_div(us, DAY_S * SECOND_US);
    int64_t rest = floor_rest(us, DAY_S * SECOND_US);
    struct date date = date_of_days(days);
    /* From the back; `d` digits each. */
    const struct {
        char before;
        int digits;
        int64_t value;
    } fields[] = {
        {'.', 6, rest % SECOND_US},
        {':', 2, rest / SECOND_US % 60},
        {':', 2, rest / SECOND_US / 60 % 60},
        {'T', 2, rest / SECOND_US / 3600},
        {'-', 2, date.day},
        {'-', 2, date.month},
        {'\0', 4, date.year},
    };
    char *at = out + TIMESTAMP_TEXT_LEN;

    *--at = 'Z';
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        int64_t value = fields[i].value;

        for (int d = 0; d < fields[i].digits; d++) {
            *--at = (char)('0' + value % 10);
            value /= 10;
        }
        if (fields[i].before)
            *--at = fields[i].before;
    }
}

void timestamp_append(struct buffer *b, int64_t us)
{
    char *to = buffer_reserve(b, TIMESTAMP_TEXT_LEN);

    if (!to)
        return;
    timestamp_format(us, to);
    b->len += TIMESTAMP_TEXT_LEN;
}
