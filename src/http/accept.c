#include "http/accept.h"

enum { WEIGHT_ONE = 1000 };

/* "q=0.5" as 500. */
static int weight_of(struct slice parameter)
{
    struct slice name = slice_trim(slice_cut(&parameter, '='));
    struct slice value = slice_trim(parameter);
    int weight = 0, scale = WEIGHT_ONE;

    if (!slice_equal_ascii_nocase(name, SLICE_LITERAL("q")) || value.len == 0 ||
        value.data[0] != '0' || (value.len > 1 && value.data[1] != '.'))
        return WEIGHT_ONE;
    for (size_t i = 2; i < value.len && scale > 1; i++) {
        if (value.data[i] < '0' || value.data[i] > '9')
            return WEIGHT_ONE;
        scale /= 10;
        weight += (value.data[i] - '0') * scale;
    }
    return weight;
}

bool accept_next(struct slice *header, struct accept_item *item)
{
    struct slice parameters;

    if (header->len == 0)
        return false;
    parameters = slice_cut(header, ',');
    item->name = slice_trim(slice_cut(&parameters, ';'));
    item->weight = WEIGHT_ONE;
    while (parameters.len > 0) {
        int weight = weight_of(slice_cut(&parameters, ';'));

        item->weight = weight < item->weight ? weight : item->weight;
    }
    return true;
}

bool accept_names(struct slice header, struct slice name)
{
    struct accept_item item;

    while (accept_next(&header, &item))
        if (item.weight > 0 && slice_equal_ascii_nocase(item.name, name))
            return true;
    return false;
}
