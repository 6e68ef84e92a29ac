#include "store/position.h"

#include <stdbool.h>

enum { NUMBERS = 3, DIGITS_MAX = 18 };

int store_position_compare(const struct store_position *a, const struct store_position *b)
{
    if (a->transaction != b->transaction)
        return a->transaction < b->transaction ? -1 : 1;
    if (a->sequence != b->sequence)
        return a->sequence < b->sequence ? -1 : 1;
    return (a->index > b->index) - (a->index < b->index);
}

void store_position_append(struct buffer *b, const struct store_position *p)
{
    buffer_append_u64(b, p->transaction);
    buffer_append_char(b, '-');
    buffer_append_u64(b, p->sequence);
    buffer_append_char(b, '-');
    buffer_append_u64(b, p->index);
}

int store_position_parse(struct slice text, struct store_position *p)
{
    uint64_t numbers[NUMBERS] = {0};
    unsigned n = 0, digits = 0;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];

        if (c == '-' && digits > 0 && n < NUMBERS - 1) {
            n++;
            digits = 0;
        } else if (c >= '0' && c <= '9' && ++digits <= DIGITS_MAX) {
            numbers[n] = numbers[n] * 10 + (uint64_t)(c - '0');
        } else {
            return LM_EINVAL;
        }
    }
    if (n < NUMBERS - 1 || digits == 0 || numbers[2] > UINT32_MAX)
        return LM_EINVAL;
    *p = (struct store_position){numbers[0], numbers[1], (uint32_t)numbers[2]};
    return 0;
}
