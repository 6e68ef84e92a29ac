#include "follow/agenda.h"

#include <stdlib.h>

#include "base/array.h"

/* Places begin with 1: the one above `place` is `place / 2`. */
static struct agenda_item **at(const struct agenda *a, size_t place)
{
    return &a->items[place - 1];
}

static bool is_before(const struct agenda_item *x, const struct agenda_item *y)
{
    return x->us != y->us ? x->us < y->us : x->turn < y->turn;
}

static void set(struct agenda *a, size_t place, struct agenda_item *item)
{
    *at(a, place) = item;
    item->place = place;
}

static void move_up(struct agenda *a, struct agenda_item *item, size_t place)
{
    for (; place > 1 && is_before(item, *at(a, place / 2)); place /= 2)
        set(a, place, *at(a, place / 2));
    set(a, place, item);
}

static void move_down(struct agenda *a, struct agenda_item *item, size_t place)
{
    for (size_t below; (below = 2 * place) <= a->len; place = below) {
        if (below < a->len && is_before(*at(a, below + 1), *at(a, below)))
            below++;
        if (!is_before(*at(a, below), item))
            break;
        set(a, place, *at(a, below));
    }
    set(a, place, item);
}

void agenda_release(struct agenda *a)
{
    free((void *)a->items);
    *a = (struct agenda){.len = 0};
}

void agenda_put(struct agenda *a, struct agenda_item *item, uint64_t us)
{
    if (item->place > 0 && item->us <= us)
        return;
    item->us = us;
    item->turn = a->turn++;
    if (item->place == 0) {
        a->items = (struct agenda_item **)array_reserve((void *)a->items, &a->capacity, a->len + 1,
                                                        sizeof(struct agenda_item *));
        item->place = ++a->len;
    }
    move_up(a, item, item->place);
}

void agenda_remove(struct agenda *a, struct agenda_item *item)
{
    size_t place = item->place;

    if (place == 0)
        return;
    item->place = 0;
    struct agenda_item *last = *at(a, a->len--);
    if (last == item)
        return;
    if (place > 1 && is_before(last, *at(a, place / 2)))
        move_up(a, last, place);
    else
        move_down(a, last, place);
}

uint64_t agenda_next_us(const struct agenda *a)
{
    return a->len > 0 ? a->items[0]->us : UINT64_MAX;
}

struct agenda_item *agenda_take(struct agenda *a, uint64_t us)
{
    struct agenda_item *first = a->len > 0 ? a->items[0] : NULL;

    if (!first || first->us > us)
        return NULL;
    agenda_remove(a, first);
    return first;
}
