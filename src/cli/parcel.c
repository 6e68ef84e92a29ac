#include "cli/parcel.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"

void parcel_init(struct parcel *p)
{
    *p = (struct parcel){.source = SIZE_MAX};
    buffer_init(&p->body, SIZE_MAX / 2);
    buffer_init(&p->sources, SIZE_MAX / 2);
}

void parcel_release(struct parcel *p)
{
    buffer_release(&p->body);
    buffer_release(&p->sources);
    free(p->items);
}

void parcel_clear(struct parcel *p)
{
    buffer_clear(&p->body);
    buffer_clear(&p->sources);
    p->source = SIZE_MAX;
    p->len = 0;
}

void parcel_source(struct parcel *p, const char *name)
{
    if (p->source < p->sources.len && strcmp(p->sources.data + p->source, name) == 0)
        return;
    p->source = p->sources.len;
    buffer_append(&p->sources, name, strlen(name) + 1);
}

void parcel_add(struct parcel *p, uint64_t number)
{
    p->items = array_reserve(p->items, &p->capacity, p->len + 1, sizeof(*p->items));
    p->items[p->len] = (struct parcel_item){.begin = p->len ? p->items[p->len - 1].end : 0,
                                            .end = p->body.len,
                                            .source = p->source,
                                            .number = number};
    p->len++;
}

bool parcel_is_full(const struct parcel *p)
{
    return p->len >= DELIVERY_BATCH_LOGS || p->body.len >= DELIVERY_BATCH_BYTES;
}

const char *parcel_source_of(const struct parcel *p, const struct parcel_item *item)
{
    return item->source < p->sources.len ? p->sources.data + item->source : "";
}
