#include "formats/syslog_time.h"

#include <string.h>
#include <time.h>

#include "base/timestamp.h"
#include "formats/names.h"

enum {
    ISO_MAX = 40,       /* bytes of an RFC 3339 time that are looked at */
    FRACTION_MAX = 9,   /* decimals */
    ZONE_NAME_MAX = 5,  /* letters: "AEST", "UTC" */
    QUARTER_S = 15 * 60 /* of an hour: zones change at none but whole quarters */
};

static const int64_t US_PER_S = 1000000;

static bool is_digit_at(struct slice text, size_t at)
{
    return at < text.len && text.data[at] >= '0' && text.data[at] <= '9';
}

static bool is_at(struct slice text, size_t at, char c)
{
    return at < text.len && text.data[at] == c;
}

static bool are_digits(struct slice text, size_t at, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!is_digit_at(text, at + i))
            return false;
    return true;
}

/* ---- The zone of this machine ---- */

static int64_t floor_quarter(int64_t seconds)
{
    return seconds / QUARTER_S - (seconds % QUARTER_S < 0);
}

/* How far local time is ahead at a point in time. */
static int64_t offset_at(struct syslog_zone *zone, int64_t seconds)
{
    int64_t quarter = floor_quarter(seconds);
    time_t t = (time_t)seconds;
    struct tm tm;

    if (zone->ahead_s)
        return zone->ahead_s(seconds * US_PER_S);
    if (!zone->is_known || zone->quarter != quarter) {
        zone->is_known = true;
        zone->quarter = quarter;
        zone->offset_s = localtime_r(&t, &tm) ? tm.tm_gmtoff : 0;
    }
    return zone->offset_s;
}

/*
 * `us` as if it were UTC, to what it is as local time. Of an hour that comes twice, in autumn, it
 * is always the same one.
 */
static int64_t of_local(struct syslog_zone *zone, int64_t us)
{
    int64_t seconds = us / US_PER_S - (us % US_PER_S < 0);
    int64_t guess = seconds - offset_at(zone, seconds);
    int64_t offset = offset_at(zone, guess);

    return us - offset * US_PER_S;
}

/* ---- "Mmm dd hh:mm:ss" ---- */

static unsigned read_month(struct slice text, size_t at)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

    if (at + 3 > text.len)
        return 0;
    for (unsigned i = 0; i < 12; i++)
        if (memcmp(text.data + at, names + 3 * (size_t)i, 3) == 0)
            return i + 1;
    return 0;
}

/* A time with its parts apart; views. */
struct parts {
    unsigned year; /* 0: it says none */
    unsigned month, day;
    struct slice clock;    /* hh:mm:ss */
    struct slice fraction; /* digits */
};

static bool read_year(struct slice text, size_t at, unsigned *year)
{
    if (!are_digits(text, at, 4) || is_digit_at(text, at + 4))
        return false;
    if (memcmp(text.data + at, "19", 2) != 0 && memcmp(text.data + at, "20", 2) != 0)
        return false;
    *year = 0;
    for (size_t i = 0; i < 4; i++)
        *year = *year * 10 + (unsigned)(text.data[at + i] - '0');
    return true;
}

static size_t read_clock(struct slice text, size_t at, struct parts *p)
{
    size_t begin = at;

    if (!are_digits(text, at, 2) || !is_at(text, at + 2, ':') || !are_digits(text, at + 3, 2) ||
        !is_at(text, at + 5, ':') || !are_digits(text, at + 6, 2))
        return 0;
    p->clock = slice_of(text.data + at, 8);
    at += 8;
    if ((is_at(text, at, '.') || is_at(text, at, ',')) && is_digit_at(text, at + 1)) {
        size_t first = ++at;

        while (is_digit_at(text, at))
            at++;
        p->fraction = slice_of(text.data + first, at - first);
        if (p->fraction.len > FRACTION_MAX)
            p->fraction.len = FRACTION_MAX;
    }
    return at - begin;
}

static bool ends_at(struct slice text, size_t at)
{
    return at >= text.len || text.data[at] == ' ' || text.data[at] == ':';
}

static size_t read_parts(struct slice text, struct parts *p)
{
    size_t at = 0;

    *p = (struct parts){0};
    if (read_year(text, 0, &p->year) && is_at(text, 4, ' '))
        at = 5;
    p->month = read_month(text, at);
    if (!p->month || !is_at(text, at + 3, ' '))
        return 0;
    at += is_at(text, at + 4, ' ') ? 5 : 4; /* "Mar  1" */
    while (is_digit_at(text, at) && p->day < 10)
        p->day = p->day * 10 + (unsigned)(text.data[at++] - '0');
    if (!is_at(text, at, ' '))
        return 0;
    at++;
    if (!p->year && read_year(text, at, &p->year) && is_at(text, at + 4, ' '))
        at += 5;
    size_t clock = read_clock(text, at, p);
    at += clock;
    if (!clock || !ends_at(text, at))
        return 0;
    if (!p->year && is_at(text, at, ' ') && read_year(text, at + 1, &p->year)) {
        if (ends_at(text, at + 5))
            at += 5;
        else
            p->year = 0;
    }
    return at;
}

/* As if it were UTC; LM_EINVAL if there is no such day or time. */
static int time_in_year(const struct parts *p, unsigned year, int64_t *us, unsigned *below_us)
{
    char text[ISO_MAX];
    size_t len = 0;
    char date[] = {
        (char)('0' + year / 1000),
        (char)('0' + year / 100 % 10),
        (char)('0' + year / 10 % 10),
        (char)('0' + year % 10),
        '-',
        (char)('0' + p->month / 10),
        (char)('0' + p->month % 10),
        '-',
        (char)('0' + p->day / 10),
        (char)('0' + p->day % 10),
        'T',
    };

    memcpy(text, date, sizeof(date));
    len += sizeof(date);
    memcpy(text + len, p->clock.data, p->clock.len);
    len += p->clock.len;
    if (p->fraction.len) {
        text[len++] = '.';
        memcpy(text + len, p->fraction.data, p->fraction.len);
        len += p->fraction.len;
    }
    return time_of_text(slice_of(text, len), us, below_us);
}

static unsigned year_of(int64_t us)
{
    char text[TIMESTAMP_TEXT_LEN];

    timestamp_format(us, text);
    return (unsigned)((text[0] - '0') * 1000 + (text[1] - '0') * 100 + (text[2] - '0') * 10 +
                      (text[3] - '0'));
}

/* In the last year in which it is no further ahead of `arrival_us` than a clock may be. */
static int time_near(const struct parts *p, int64_t arrival_us, int64_t *us, unsigned *below_us)
{
    int64_t latest_us = arrival_us + TIME_AHEAD_MAX_US;
    unsigned year = year_of(latest_us);
    int error = time_in_year(p, year, us, below_us);

    return error || *us > latest_us ? time_in_year(p, year - 1, us, below_us) : 0;
}

/* The name of a zone between a time and Cisco's ": %"; the bytes of it and of the space before. */
static size_t read_zone_name(struct slice text, size_t at, bool *is_utc)
{
    size_t first = at + 1, end = first;
    struct slice name;

    if (!is_at(text, at, ' '))
        return 0;
    while (end < text.len && text.data[end] >= 'A' && text.data[end] <= 'Z')
        end++;
    name = slice_of(text.data + first, end - first);
    if (name.len == 0 || name.len > ZONE_NAME_MAX || end + 3 > text.len ||
        memcmp(text.data + end, ": %", 3) != 0)
        return 0;
    *is_utc = slice_equal(name, SLICE_LITERAL("UTC")) || slice_equal(name, SLICE_LITERAL("GMT")) ||
              slice_equal(name, SLICE_LITERAL("Z"));
    return 1 + name.len;
}

/* A time of `len` bytes that says neither its year nor a zone. */
static int read_plain(struct slice text, size_t len, const struct parts *p, int64_t arrival_us,
                      struct syslog_zone *zone, struct syslog_time *time)
{
    bool is_last = len == sizeof(zone->last) && zone->last_arrival_us == arrival_us &&
                   memcmp(text.data, zone->last, len) == 0;

    if (is_last) {
        time->us = zone->last_us;
        return 0;
    }
    int error = time_near(p, arrival_us, &time->us, &time->below_us);
    if (error)
        return error;
    time->us = of_local(zone, time->us);
    if (len == sizeof(zone->last)) {
        memcpy(zone->last, text.data, len);
        zone->last_arrival_us = arrival_us;
        zone->last_us = time->us;
    }
    return 0;
}

static size_t read_words(struct slice text, int64_t arrival_us, struct syslog_zone *zone,
                         struct syslog_time *time)
{
    struct parts p;
    bool is_utc = false;
    size_t len = read_parts(text, &p);
    int error;

    if (len == 0)
        return 0;
    size_t named = read_zone_name(text, len, &is_utc);
    if (!p.year && !is_utc) {
        error = read_plain(text, len, &p, arrival_us, zone, time);
    } else {
        error = p.year ? time_in_year(&p, p.year, &time->us, &time->below_us)
                       : time_near(&p, arrival_us, &time->us, &time->below_us);
        if (!error && !is_utc)
            time->us = of_local(zone, time->us);
    }
    return error ? 0 : len + named;
}

/* ---- All of them ---- */

static size_t read_iso(struct slice text, struct syslog_time *time)
{
    size_t len = 0;

    if (!are_digits(text, 0, 4) || !is_at(text, 4, '-') || !is_at(text, 10, 'T'))
        return 0;
    while (len < text.len && len <= ISO_MAX && text.data[len] != ' ')
        len++;
    if (len <= ISO_MAX && text.data[len - 1] == ':') /* Cisco */
        len--;
    if (len > ISO_MAX || time_of_text(slice_of(text.data, len), &time->us, &time->below_us))
        return 0;
    return len;
}

size_t syslog_time_read(struct slice text, int64_t arrival_us, struct syslog_zone *zone,
                        struct syslog_time *time)
{
    size_t sign = is_at(text, 0, '*') || is_at(text, 0, '.');

    *time = (struct syslog_time){.is_unset = is_at(text, 0, '*')};
    if (!text.len)
        return 0;
    struct slice rest = slice_of(text.data + sign, text.len - sign);
    size_t len = sign ? 0 : read_iso(rest, time);
    if (!len)
        len = read_words(rest, arrival_us, zone, time);
    if (!len)
        return 0;
    time->text = slice_of(rest.data, len);
    return sign + len;
}
