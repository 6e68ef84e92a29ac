#include "record/limits.h"

#include <stdint.h>
#include <string.h>

enum { ODD_LEN_MIN = 5 }; /* 1e100 */

/* Of the characters of a number, "e" and "E" alone have this bit. */
#define EXPONENT_BIT UINT64_C(0x4040404040404040)

static bool has_exponent(struct slice number)
{
    const char *p = number.data;
    size_t left = number.len;
    uint64_t seen = 0;

    for (; left >= sizeof(seen); left -= sizeof(seen), p += sizeof(seen)) {
        uint64_t word;

        memcpy(&word, p, sizeof(word));
        seen |= word;
    }
    for (; left > 0; left--)
        seen |= (unsigned char)*p++;
    return (seen & EXPONENT_BIT) != 0;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool record_number_is_odd(struct slice number)
{
    size_t digits = 0;

    if (number.len < ODD_LEN_MIN)
        return false;
    if (number.len > RECORD_FRACTION_DIGITS_MAX)
        return true;
    if (!has_exponent(number))
        return false;
    while (is_digit(number.data[number.len - 1 - digits]))
        digits++;
    return digits >= 3;
}

/* The exponent at `p`, behind its "e"; past ±RECORD_EXPONENT_MAX it is the first beyond. */
static int64_t read_exponent(const char *p, const char *end)
{
    bool negative = p < end && *p == '-';
    int64_t exponent = 0;

    p += p < end && !is_digit(*p);
    for (; p < end && exponent <= RECORD_EXPONENT_MAX; p++)
        exponent = exponent * 10 + (*p - '0');
    if (exponent > RECORD_EXPONENT_MAX)
        exponent = RECORD_EXPONENT_MAX + 1;
    return negative ? -exponent : exponent;
}

enum record_number record_number_judge(struct slice number, size_t *huge_digits)
{
    const char *p = number.data;
    const char *end = p + number.len;
    int64_t whole = 0; /* digits before the point, from the first that is not 0 */
    int64_t fraction = 0;
    int64_t exponent = 0;
    bool zero = true;

    p += p < end && *p == '-';
    for (; p < end && is_digit(*p); p++) {
        zero = zero && *p == '0';
        whole += !zero;
    }
    if (p < end && *p == '.') {
        for (p++; p < end && is_digit(*p); p++) {
            if (zero && *p == '0')
                whole--; /* 0.001: none, and two less than none */
            zero = zero && *p == '0';
            fraction++;
        }
    }
    if (p < end)
        exponent = read_exponent(p + 1, end);

    whole = zero ? 0 : whole + exponent;
    fraction -= exponent;
    if (exponent > RECORD_EXPONENT_MAX || whole > RECORD_WHOLE_DIGITS_MAX)
        return RECORD_NUMBER_WHOLE;
    if (exponent < -RECORD_EXPONENT_MAX || fraction > RECORD_FRACTION_DIGITS_MAX)
        return RECORD_NUMBER_FRACTION;
    if (exponent > RECORD_HUGE_EXPONENT || exponent < -RECORD_HUGE_EXPONENT) {
        *huge_digits += (size_t)(whole > 0 ? whole : 0) + (size_t)(fraction > 0 ? fraction : 0);
        if (*huge_digits > RECORD_HUGE_DIGITS_MAX)
            return RECORD_NUMBER_HUGE;
    }
    return RECORD_NUMBER_FITS;
}
