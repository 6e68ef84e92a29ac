#include "formats/line_time.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/timestamp.h"
#include "formats/line_scan.h"
#include "formats/names.h"
#include "formats/syslog_time.h"

enum {
    ISO_TEXT_MAX = 48, /* 2026-11-28T12:00:01.123456789+01:00 and room to spare */
    DATE_LEN = 10,
    CLOCK_LEN = 8,
    FRACTION_MAX = 9,
    YEAR_DIGITS = 4,
};

static const int64_t US_PER_S = 1000000;

/* ---- Parts ---- */

/* The length of a time of day at the beginning of `text`, with its decimals. */
size_t line_time_of_day(struct slice text)
{
    static const char shape[] = "dd:dd:dd";
    size_t len = 0, digits = 0;

    if (text.len < CLOCK_LEN)
        return 0;
    for (; len < CLOCK_LEN; len++)
        if (shape[len] == 'd' ? !line_is_digit(text.data[len]) : text.data[len] != shape[len])
            return 0;
    if (len + 1 < text.len && (text.data[len] == '.' || text.data[len] == ',')) {
        while (len + 1 + digits < text.len && line_is_digit(text.data[len + 1 + digits]))
            digits++;
        len += digits && digits <= FRACTION_MAX ? 1 + digits : 0;
    }
    return len;
}

/* The length of +01:00, +0100 or +01. */
static size_t offset_len(struct slice text)
{
    struct slice rest = text;

    if (!text.len || (text.data[0] != '+' && text.data[0] != '-'))
        return 0;
    line_drop(&rest, 1);
    if (line_take_digits(&rest, 2).len != 2)
        return 0;
    size_t hours_len = text.len - rest.len;
    line_take(&rest, ":");
    return line_take_digits(&rest, 2).len == 2 ? text.len - rest.len : hours_len;
}

/* A time put together as names.h reads it. */
struct iso {
    char text[ISO_TEXT_MAX];
    size_t len;
};

/* Of what is put there nothing is longer than a time of day, or all of it a time. */
static void put(struct iso *iso, const char *text, size_t len)
{
    assert(iso->len + len <= sizeof(iso->text));
    memcpy(iso->text + iso->len, text, len);
    iso->len += len;
}

static struct iso begin_iso(const char *year, const char *month, const char *day,
                            struct slice clock)
{
    struct iso iso = {.len = 0};

    put(&iso, year, YEAR_DIGITS);
    put(&iso, "-", 1);
    put(&iso, month, 2);
    put(&iso, "-", 1);
    put(&iso, day, 2);
    put(&iso, "T", 1);
    put(&iso, clock.data, clock.len);
    return iso;
}

/* What is read once it is text as names.h has it; `has_zone`: that has one. */
static bool read_iso(const struct line_memory *m, struct slice text, bool has_zone,
                     struct line_time *time)
{
    if (time_of_text(text, &time->us, &time->below_us))
        return false;
    if (!has_zone && m->ahead_s) { /* the zone at that time by the wall, and then at what that is */
        int64_t us = time->us - m->ahead_s(time->us) * US_PER_S;

        time->us -= m->ahead_s(us) * US_PER_S;
    }
    return true;
}

/* ---- ISO ---- */

/* Takes the zone off `*rest` and puts it behind the time. */
static bool take_zone(struct slice *rest, struct iso *iso)
{
    struct slice at = *rest;
    size_t len;

    if (!rest->len || !strchr("Zz +-", rest->data[0])) /* most have none, and a blank or letter */
        return false;
    if (line_take(rest, "Z") || line_take(rest, "z") || line_take(rest, " UTC") ||
        line_take(rest, " GMT")) {
        put(iso, "Z", 1);
        return true;
    }
    if (at.len && at.data[0] == ' ')
        line_drop(&at, 1);
    len = offset_len(at);
    if (!len || (at.len < rest->len && len < 5)) /* behind a blank it is +0100 or +01:00 */
        return false;
    put(iso, at.data, len);
    put(iso, "00", len == 3 ? 2 : 0);
    line_drop(rest, (size_t)(at.data - rest->data) + len);
    return true;
}

size_t line_time_iso(const struct line_memory *m, struct slice text, struct line_time *time)
{
    struct slice rest = text;

    if (text.len < DATE_LEN + 1 + CLOCK_LEN || !line_is_digit(text.data[0]) ||
        (text.data[4] != '-' && text.data[4] != '/') || text.data[7] != text.data[4] ||
        (text.data[DATE_LEN] != 'T' && text.data[DATE_LEN] != ' '))
        return 0;
    line_drop(&rest, DATE_LEN + 1);
    size_t clock_len = line_time_of_day(rest);
    if (!clock_len)
        return 0;
    struct slice clock = slice_of(rest.data, clock_len);
    line_drop(&rest, clock_len);
    struct iso iso = begin_iso(text.data, text.data + 5, text.data + 8, clock);
    bool has_zone = take_zone(&rest, &iso);
    if (rest.len && (line_is_digit(rest.data[0]) || line_is_letter(rest.data[0])))
        return 0;
    return read_iso(m, slice_of(iso.text, iso.len), has_zone, time) ? text.len - rest.len : 0;
}

/* ---- Other programs' ---- */

/* 1 to 12, or 0. */
static int month_of(struct slice name)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

    if (name.len != 3)
        return 0;
    for (int i = 0; i < 12; i++)
        if (memcmp(names + 3 * i, name.data, 3) == 0)
            return i + 1;
    return 0;
}

size_t line_time_access(struct slice text, struct line_time *time)
{
    struct slice rest = text, day, month, year;
    int number;

    if (!line_take_until(&rest, '/', &day) || !line_take_until(&rest, '/', &month) ||
        !line_take_until(&rest, ':', &year) || day.len != 2 || year.len != YEAR_DIGITS ||
        !(number = month_of(month)))
        return 0;
    size_t clock_len = line_time_of_day(rest);
    struct slice clock = slice_of(rest.data, clock_len);
    if (!clock_len || rest.len == clock_len || rest.data[clock_len] != ' ')
        return 0;
    line_drop(&rest, clock_len + 1);
    size_t zone_len = offset_len(rest);
    const char digits[] = {(char)('0' + number / 10), (char)('0' + number % 10)};
    struct iso iso = begin_iso(year.data, digits, day.data, clock);
    put(&iso, rest.data, zone_len);
    line_drop(&rest, zone_len);
    if (zone_len < 5 || time_of_text(slice_of(iso.text, iso.len), &time->us, &time->below_us))
        return 0;
    return text.len - rest.len;
}

size_t line_time_apache(const struct line_memory *m, struct slice text, struct line_time *time)
{
    struct slice rest = text;
    char date[ISO_TEXT_MAX];

    if (line_take_word(&rest).len != 3)
        return 0;
    int month = month_of(line_take_word(&rest));
    struct slice day = line_take_digits(&rest, 2);
    if (!month || !day.len || !line_drop_blanks(&rest))
        return 0;
    size_t clock_len = line_time_of_day(rest);
    struct slice clock = slice_of(rest.data, clock_len);
    line_drop(&rest, clock_len);
    if (!clock_len || !line_take(&rest, " "))
        return 0;
    struct slice year = line_take_digits(&rest, YEAR_DIGITS);
    if (year.len != YEAR_DIGITS)
        return 0;
    snprintf(date, sizeof(date), "%.*s-%02d-%s%.*sT%.*s", SLICE_ARG(year), month,
             day.len == 1 ? "0" : "", SLICE_ARG(day), SLICE_ARG(clock));
    return read_iso(m, slice_of_string(date), false, time) ? text.len - rest.len : 0;
}

/* The year of the calendar at `us`. */
static int year_of(int64_t us)
{
    char text[TIMESTAMP_TEXT_LEN];
    int year = 0;

    timestamp_format(us, text);
    for (int i = 0; i < YEAR_DIGITS; i++)
        year = year * 10 + (text[i] - '0');
    return year;
}

static bool read_in_year(const struct line_memory *m, int year, struct slice month,
                         struct slice day, struct slice clock, struct line_time *time)
{
    char date[ISO_TEXT_MAX];

    snprintf(date, sizeof(date), "%04d-%.2s-%.2sT%.*s", year, month.data, day.data,
             SLICE_ARG(clock));
    return read_iso(m, slice_of_string(date), false, time);
}

/* A time of which all but the year is known (TIME_AHEAD_MAX_US). */
static bool read_without_year(const struct line_memory *m, struct slice month, struct slice day,
                              struct slice clock, struct line_time *time)
{
    int64_t latest_us = m->now_us + TIME_AHEAD_MAX_US;
    int year = year_of(latest_us);

    return (read_in_year(m, year, month, day, clock, time) && time->us <= latest_us) ||
           read_in_year(m, year - 1, month, day, clock, time);
}

size_t line_time_glog(const struct line_memory *m, struct slice text, struct line_time *time)
{
    struct slice rest = text;
    char iso[ISO_TEXT_MAX];
    struct slice date = line_take_digits(&rest, 8);

    if ((date.len != 4 && date.len != 8) || !line_take(&rest, " "))
        return 0;
    size_t clock_len = line_time_of_day(rest);
    if (clock_len <= CLOCK_LEN)
        return 0;
    struct slice clock = slice_of(rest.data, clock_len);
    line_drop(&rest, clock_len);
    const char *day = date.data + date.len - 4;
    if (date.len == 4 ? !read_without_year(m, slice_of(day, 2), slice_of(day + 2, 2), clock, time)
                      : (snprintf(iso, sizeof(iso), "%.4s-%.2s-%.2sT%.*s", date.data, day, day + 2,
                                  SLICE_ARG(clock)),
                         !read_iso(m, slice_of_string(iso), false, time)))
        return 0;
    return text.len - rest.len;
}
