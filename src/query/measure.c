#include "query/measure.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "query/number.h"

static struct slice text_of(const struct measure_number *n)
{
    return slice_of(n->text, n->len);
}

/* ---- Values ---- */

static double within_doubles(double d)
{
    return d > DBL_MAX ? DBL_MAX : d < -DBL_MAX ? -DBL_MAX : d;
}

static void set_number(struct measure_number *m, const struct number *n)
{
    struct buffer text;

    m->number = within_doubles(number_double(n));
    buffer_init_over(&text, m->text, sizeof(m->text));
    number_append(&text, n);
    if (buffer_error(&text)) {
        char room[MEASURE_TEXT_MAX + 1];
        int len = snprintf(room, sizeof(room), "%.17g", m->number);

        m->len = (uint8_t)len;
        memcpy(m->text, room, (size_t)len);
    } else {
        m->len = (uint8_t)text.len;
    }
}

void measured_init(struct measured *m, const struct log_value *value, unsigned asked)
{
    struct number n;

    *m = (struct measured){.is_number = false};
    if (asked & (MEASURE_NUMBERS | MEASURE_QUANTILES))
        m->is_number = value->type == LOG_VALUE_NUMBER   ? number_parse(value->text, &n)
                       : value->type == LOG_VALUE_STRING ? number_parse_string(value->text, &n)
                                                         : false;
    if (m->is_number)
        set_number(&m->number, &n);
    if (m->is_number && (asked & MEASURE_QUANTILES))
        m->place = quantiles_place(m->number.number);
    if (asked & MEASURE_DISTINCT)
        m->hash = distinct_hash(value->text);
    if (asked & MEASURE_LEVELS) {
        int severity = level_severity(value->text);

        m->level = severity < 0 ? MEASURE_OTHER_LEVEL : (unsigned)severity;
    }
}

struct slice measured_integer(int64_t integer, unsigned decimals, char room[MEASURED_INTEGER_ROOM])
{
    bool negative = integer < 0;
    uint64_t rest = negative ? -(uint64_t)integer : (uint64_t)integer;
    char *at = room + MEASURED_INTEGER_ROOM;

    for (unsigned digits = 0; rest > 0 || digits <= decimals; digits++) {
        if (digits == decimals && decimals > 0)
            *--at = '.';
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    }
    if (negative)
        *--at = '-';
    return slice_of(at, (size_t)(room + MEASURED_INTEGER_ROOM - at));
}

int measure_number_compare(const struct measure_number *a, const struct measure_number *b)
{
    struct number x, y;

    if (a->number != b->number)
        return a->number < b->number ? -1 : 1;
    if (slice_equal(text_of(a), text_of(b)) || !number_parse(text_of(a), &x) ||
        !number_parse(text_of(b), &y))
        return 0;
    return number_compare(&x, &y);
}

/* ---- Measures ---- */

void measure_release(struct measure *m)
{
    quantiles_release(&m->quantiles);
    distinct_release(&m->distinct);
    free(m->levels);
    free(m->example);
}

size_t measure_memory(const struct measure *m)
{
    return quantiles_memory(&m->quantiles) + distinct_memory(&m->distinct) +
           (m->levels ? MEASURE_LEVELS_LEN * sizeof(*m->levels) : 0) + m->example_len;
}

double measure_sum(const struct measure *m)
{
    return within_doubles(m->sum + m->compensation);
}

/* Neumaier's variant of Kahan's sum. */
static void add_to_sum(struct measure *m, double addend)
{
    double d = within_doubles(addend);
    double sum = within_doubles(m->sum + d);

    m->compensation += fabs(m->sum) >= fabs(d) ? (m->sum - sum) + d : (d - sum) + m->sum;
    m->compensation = within_doubles(m->compensation);
    m->sum = sum;
}

static void widen(struct measure *m, const struct measure_number *min,
                  const struct measure_number *max)
{
    if (min->len && (!m->min.len || measure_number_compare(min, &m->min) < 0))
        m->min = *min;
    if (max->len && (!m->max.len || measure_number_compare(max, &m->max) > 0))
        m->max = *max;
}

int measure_add_level(struct measure *m, unsigned level, uint64_t logs)
{
    if (!m->levels) {
        m->levels = try_malloc(MEASURE_LEVELS_LEN * sizeof(*m->levels));
        if (!m->levels)
            return LM_ENOMEM;
        memset(m->levels, 0, MEASURE_LEVELS_LEN * sizeof(*m->levels));
    }
    m->levels[level] += logs;
    return 0;
}

int measure_set_example(struct measure *m, struct slice example)
{
    if (m->example)
        return 0;
    m->example = try_malloc(example.len + 1);
    if (!m->example)
        return LM_ENOMEM;
    if (example.len)
        memcpy(m->example, example.data, example.len);
    m->example_len = example.len;
    return 0;
}

int measure_add(struct measure *m, const struct measured *value, uint64_t logs, unsigned asked)
{
    int error = 0;

    if (value->is_number) {
        m->numbers += logs;
        add_to_sum(m, value->number.number * (double)logs);
        widen(m, &value->number, &value->number);
        if (asked & MEASURE_QUANTILES)
            error = quantiles_add(&m->quantiles, value->number.number, value->place, logs);
    }
    if (!error && (asked & MEASURE_DISTINCT))
        error = distinct_add(&m->distinct, value->hash);
    if (!error && (asked & MEASURE_LEVELS))
        error = measure_add_level(m, value->level, logs);
    if (!error && (asked & MEASURE_EXAMPLE))
        error = measure_set_example(m, value->example);
    return error;
}

/*
 * Up to so large an integer, integer / 10^decimals is the double that is nearest to it, and no two
 * have the same.
 */
static const int64_t EXACT_MAX = 999999999999999;
static const double TENS[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8, 1e9,
                              1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18};

int measure_add_integer(struct measure *m, int64_t integer, unsigned decimals, uint64_t logs,
                        unsigned asked, bool *done)
{
    double number;

    *done = false;
    if (integer > EXACT_MAX || integer < -EXACT_MAX ||
        (asked & ~(unsigned)(MEASURE_NUMBERS | MEASURE_QUANTILES)))
        return 0;
    number = (double)integer / TENS[decimals];
    if (!(number > m->min.number && number < m->max.number))
        return 0; /* an extreme, which is kept as its text, or the first one */
    *done = true;
    m->numbers += logs;
    add_to_sum(m, number * (double)logs);
    return asked & MEASURE_QUANTILES
               ? quantiles_add(&m->quantiles, number, quantiles_place(number), logs)
               : 0;
}

static void widen_times(struct measure *m, int64_t first_us, int64_t last_us)
{
    if (!m->logs || first_us < m->first_us)
        m->first_us = first_us;
    if (!m->logs || last_us > m->last_us)
        m->last_us = last_us;
}

void measure_add_time(struct measure *m, int64_t time_us, uint64_t logs)
{
    widen_times(m, time_us, time_us);
    m->logs += logs;
}

int measure_merge(struct measure *m, const struct measure *other, unsigned asked)
{
    int error = 0;

    if ((asked & MEASURE_TIMES) && other->logs)
        widen_times(m, other->first_us, other->last_us);
    m->logs += other->logs;
    m->numbers += other->numbers;
    add_to_sum(m, other->sum);
    add_to_sum(m, other->compensation);
    widen(m, &other->min, &other->max);
    if (asked & MEASURE_QUANTILES)
        error = quantiles_merge(&m->quantiles, &other->quantiles);
    if (!error && (asked & MEASURE_DISTINCT))
        error = distinct_merge(&m->distinct, &other->distinct);
    for (unsigned i = 0;
         !error && (asked & MEASURE_LEVELS) && other->levels && i < MEASURE_LEVELS_LEN; i++)
        error = measure_add_level(m, i, other->levels[i]);
    if (!error && (asked & MEASURE_EXAMPLE) && other->example)
        error = measure_set_example(m, slice_of(other->example, other->example_len));
    return error;
}
