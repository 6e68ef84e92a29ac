#include "formats/names.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/timestamp.h"

/* ---- Levels ---- */

static const char *const BY_SYSLOG[] = {"emergency", "alert",  "critical", "error",
                                        "warning",   "notice", "info",     "debug"};
/* By fours from 1 on, and by tens from 10 on. */
static const char *const ASCENDING[] = {"trace", "debug", "info", "warning", "error", "critical"};

enum { OTLP_STEP = 4, OTLP_MAX = 24, NUMBER_STEP = 10, SYSLOG_MAX = 7, ASCENDING_LAST = 5 };

struct slice level_of_syslog(int64_t severity)
{
    return slice_of_string(severity >= 0 && severity <= SYSLOG_MAX ? BY_SYSLOG[severity] : "info");
}

struct slice level_of_otlp(int64_t number)
{
    if (number < 1 || number > OTLP_MAX)
        return (struct slice){NULL, 0};
    return slice_of_string(ASCENDING[(number - 1) / OTLP_STEP]);
}

struct slice level_of_monolog(int64_t number)
{
    static const struct {
        int64_t number;
        const char *level;
    } levels[] = {
        {100, "debug"}, {200, "info"},     {250, "notice"}, {300, "warning"},
        {400, "error"}, {500, "critical"}, {550, "alert"},  {600, "emergency"},
    };

    for (size_t i = 0; i < sizeof(levels) / sizeof(*levels); i++)
        if (levels[i].number == number)
            return slice_of_string(levels[i].level);
    return (struct slice){NULL, 0};
}

struct slice level_of_number(int64_t number)
{
    struct slice of_monolog = level_of_monolog(number);

    if (of_monolog.len)
        return of_monolog;
    if (number < NUMBER_STEP)
        return level_of_syslog(number);
    int64_t step = number / NUMBER_STEP - 1;

    return slice_of_string(ASCENDING[step < ASCENDING_LAST ? step : ASCENDING_LAST]);
}

/* ---- Times ---- */

enum {
    NS_PER_US = 1000,
    FRACTION_DIGITS = 9, /* of a number that are looked at */
    NUMBER_TEXT_MAX = 64,
};

static const int64_t US_PER_S = 1000000;
static const int64_t NS_PER_MS = 1000000;

/* Numbers from here on are not seconds, not milliseconds, not microseconds. */
static const int64_t SECONDS_END = INT64_C(100000000000);
static const int64_t MILLISECONDS_END = INT64_C(100000000000000);
static const int64_t MICROSECONDS_END = INT64_C(100000000000000000);

static bool in_calendar(int64_t us)
{
    return us >= TIMESTAMP_MIN_US && us <= TIMESTAMP_MAX_US;
}

int64_t time_of_ns(int64_t ns, unsigned *below_us)
{
    int64_t us = ns / NS_PER_US;
    int64_t rest = ns % NS_PER_US;

    if (rest < 0) {
        rest += NS_PER_US;
        us--;
    }
    *below_us = (unsigned)rest;
    return us;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* `whole` of the unit that its size tells, and `fraction` billionths of it: neither is negative. */
static void scale(int64_t whole, int64_t fraction, int64_t *us, unsigned *below_us)
{
    *below_us = 0;
    if (whole < SECONDS_END) {
        *us = whole * US_PER_S + fraction / NS_PER_US;
        *below_us = (unsigned)(fraction % NS_PER_US);
    } else if (whole < MILLISECONDS_END) {
        *us = whole * NS_PER_US + fraction / NS_PER_MS;
        *below_us = (unsigned)(fraction / NS_PER_US % NS_PER_US);
    } else if (whole < MICROSECONDS_END) {
        *us = whole;
        *below_us = (unsigned)(fraction / NS_PER_MS);
    } else {
        *us = time_of_ns(whole, below_us);
    }
}

/* What is before 1970 is rounded down as well. */
static int finish(bool negative, int64_t whole, int64_t fraction, int64_t *us, unsigned *below_us)
{
    scale(whole, fraction, us, below_us);
    if (negative) {
        *us = *below_us ? -*us - 1 : -*us;
        *below_us = *below_us ? NS_PER_US - *below_us : 0;
    }
    return in_calendar(*us) ? 0 : LM_EINVAL;
}

/* A number that is written with an exponent: rare, and never exact to the nanosecond. */
static int of_exponent(struct slice number, int64_t *us, unsigned *below_us)
{
    char text[NUMBER_TEXT_MAX];
    char *end;

    if (number.len >= sizeof(text))
        return LM_EINVAL;
    memcpy(text, number.data, number.len);
    text[number.len] = '\0';
    double value = strtod(text, &end);
    double whole = floor(fabs(value));
    if (end != text + number.len || !(whole < 9e18))
        return LM_EINVAL;
    double fraction = (fabs(value) - whole) * 1e9;
    return finish(value < 0, (int64_t)whole, (int64_t)fraction, us, below_us);
}

int time_of_number(struct slice number, int64_t *us, unsigned *below_us)
{
    bool negative = number.len > 0 && number.data[0] == '-';
    size_t at = negative, first = at;
    int64_t whole = 0, fraction = 0;

    for (; at < number.len && is_digit(number.data[at]); at++) {
        int digit = number.data[at] - '0';

        if (whole > (INT64_MAX - digit) / 10)
            return LM_EINVAL;
        whole = whole * 10 + digit;
    }
    if (at == first)
        return LM_EINVAL;
    if (at < number.len && number.data[at] == '.') {
        int64_t unit = NS_PER_MS * NS_PER_US / 10;

        for (at++; at < number.len && is_digit(number.data[at]); at++, unit /= 10)
            fraction += (number.data[at] - '0') * unit;
    }
    if (at < number.len)
        return number.data[at] != 'e' && number.data[at] != 'E' ? LM_EINVAL
                                                                : of_exponent(number, us, below_us);
    return finish(negative, whole, fraction, us, below_us);
}

/* The seventh to ninth decimal of a time that has been read. */
static unsigned below_microseconds(struct slice text)
{
    enum { US_DIGITS = 6 };
    unsigned below = 0, unit = 100;
    size_t at = 0;

    while (at < text.len && text.data[at] != '.' && text.data[at] != ',')
        at++;
    for (size_t i = at + 1; i < text.len && is_digit(text.data[i]); i++) {
        if (i - at > US_DIGITS) {
            below += (unsigned)(text.data[i] - '0') * unit;
            unit /= 10;
        }
    }
    return below;
}

int time_of_text(struct slice text, int64_t *us, unsigned *below_us)
{
    struct timestamp_error why;
    enum { YEAR_DIGITS = 4 };

    if (text.len > YEAR_DIGITS && text.data[YEAR_DIGITS] == '-') {
        *below_us = below_microseconds(text);
        return timestamp_parse_text(text, us, &why);
    }
    return time_of_number(text, us, below_us);
}
