#include "follow/ladder.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/byte_order.h"
#include "base/xalloc.h"
#include "follow/mark.h"

enum { NUMBERS = 3 }; /* shift, lines and to, before the steps */

void ladder_release(struct ladder *l)
{
    free(l->steps);
    *l = (struct ladder){0};
}

static void halve(struct ladder *l)
{
    for (uint32_t i = 0; i < l->len / 2; i++)
        l->steps[i] = l->steps[2 * i + 1];
    l->len /= 2;
    l->shift++;
    l->is_kept = false;
}

static uint32_t step_of(uint64_t chain)
{
    return (uint32_t)(chain >> 32);
}

void ladder_add(struct ladder *l, uint64_t end, uint64_t chain)
{
    if (end <= l->to || end > LADDER_BYTES)
        return;
    l->to = (uint32_t)end;
    l->lines++;
    l->is_kept = false;
    if (l->len == LADDER_STEPS_MAX)
        halve(l);
    if (l->lines & ((UINT32_C(1) << l->shift) - 1))
        return;
    size_t capacity = l->capacity;
    l->steps = array_reserve(l->steps, &capacity, l->len + 1, sizeof(*l->steps));
    l->capacity = (uint32_t)capacity;
    l->steps[l->len++] = step_of(chain);
}

void ladder_thin(struct ladder *l, uint32_t max)
{
    if (l->len <= max)
        return;
    while (l->len > max)
        halve(l);
    uint32_t *fitting = xmalloc(l->len * sizeof(*fitting));
    memcpy(fitting, l->steps, l->len * sizeof(*fitting));
    free(l->steps);
    l->steps = fitting;
    l->capacity = l->len;
}

bool ladder_has(const struct ladder *whole, const struct ladder *part)
{
    uint32_t steps = part->lines >> whole->shift;

    if (steps == 0 || steps > whole->len || part->lines > whole->lines ||
        part->shift > whole->shift)
        return false;
    for (uint32_t i = 0; i < steps; i++)
        if (part->steps[((i + 1) << (whole->shift - part->shift)) - 1] != whole->steps[i])
            return false;
    return true;
}

bool ladder_differs(const struct ladder *a, const struct ladder *b)
{
    uint32_t shift = a->shift > b->shift ? a->shift : b->shift;
    uint32_t steps = (a->lines < b->lines ? a->lines : b->lines) >> shift;

    for (uint32_t i = 1; i <= steps; i++)
        if (a->steps[(i << (shift - a->shift)) - 1] != b->steps[(i << (shift - b->shift)) - 1])
            return true;
    return false;
}

uint64_t ladder_add_text(struct ladder *l, struct slice text)
{
    const char *begin = text.data, *line_end;
    uint64_t chain = 0;

    while (text.len > 0) {
        if (text.data[0] == '\0') { /* a hole, before a line */
            text = slice_of(text.data + 1, text.len - 1);
            continue;
        }
        if (!(line_end = memchr(text.data, '\n', text.len)))
            break;
        struct slice line = slice_of(text.data, (size_t)(line_end - text.data) + 1);
        chain = content_chain(chain, line);
        text = slice_of(line.data + line.len, text.len - line.len);
        ladder_add(l, (uint64_t)(text.data - begin), chain);
    }
    return chain;
}

void ladder_write(const struct ladder *l, struct buffer *b)
{
    const uint32_t numbers[NUMBERS] = {l->shift, l->lines, l->to};
    char *p = buffer_reserve(b, sizeof(uint32_t) * (NUMBERS + (size_t)l->len));

    if (!p)
        return;
    for (uint32_t i = 0; i < NUMBERS; i++)
        p = byte_order_put32(p, numbers[i]);
    for (uint32_t i = 0; i < l->len; i++)
        p = byte_order_put32(p, l->steps[i]);
    b->len = (size_t)(p - b->data);
}

void ladder_read(struct ladder *l, struct slice bytes)
{
    uint32_t numbers = (uint32_t)(bytes.len / sizeof(uint32_t));
    size_t capacity = 0;

    if (numbers < NUMBERS || numbers > NUMBERS + LADDER_STEPS_MAX)
        return;
    l->shift = byte_order_get32(bytes.data);
    l->lines = byte_order_get32(bytes.data + sizeof(uint32_t));
    l->to = byte_order_get32(bytes.data + 2 * sizeof(uint32_t));
    l->len = numbers - NUMBERS;
    if (l->shift > 16 || l->len != l->lines >> l->shift || l->to > LADDER_BYTES) {
        *l = (struct ladder){0};
        return;
    }
    if (l->len > 0)
        l->steps = array_reserve(NULL, &capacity, l->len, sizeof(*l->steps));
    l->capacity = (uint32_t)capacity;
    for (uint32_t i = 0; i < l->len; i++)
        l->steps[i] = byte_order_get32(bytes.data + (NUMBERS + (size_t)i) * sizeof(uint32_t));
}
