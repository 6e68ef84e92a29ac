#include "store/postgres/paces.h"

#include "base/hash.h"

void store_postgres_paces_init(struct store_postgres_paces *p)
{
    pthread_mutex_init(&p->lock, NULL);
}

void store_postgres_paces_release(struct store_postgres_paces *p)
{
    pthread_mutex_destroy(&p->lock);
}

static uint64_t add_number(uint64_t hash, int64_t number)
{
    return hash_mix(hash ^ (uint64_t)number);
}

static uint64_t add_text(uint64_t hash, struct slice text)
{
    return hash_long(add_number(hash, (int64_t)text.len), text);
}

/* Two questions with the same hash would only begin with the wrong size. */
static uint64_t hash_of(const struct store_scan *scan)
{
    const struct log_filter *filter = log_matcher_filter(scan->matcher);
    const struct query *q = filter->query;
    uint64_t hash = add_number(1, filter->since_us);

    for (uint32_t i = 0; q && i < q->len; i++) {
        const struct query_node *node = &q->nodes[i];

        hash = add_number(hash, node->kind);
        hash = add_number(hash, node->end);
        if (node->kind != QUERY_TEST)
            continue;
        hash = add_number(add_number(hash, node->field), node->test);
        hash = add_text(add_text(hash, node->path), node->text);
        hash = add_text(add_text(hash, node->low), node->high);
        hash = add_number(add_number(hash, node->low_us), node->high_us);
    }
    return hash;
}

static bool knows_its_pace(const struct store_scan *scan)
{
    return scan->window_us > 0 || scan->stride > 0;
}

static struct store_postgres_pace *find(struct store_postgres_paces *p,
                                        const struct store_scan *scan, uint64_t asked)
{
    for (size_t i = 0; i < STORE_POSTGRES_PACES_MAX; i++) {
        struct store_postgres_pace *pace = &p->kept[i];

        if ((pace->window_us > 0 || pace->stride > 0) && pace->asked == asked &&
            log_key_compare(&pace->place, &scan->before) == 0)
            return pace;
    }
    return NULL;
}

void store_postgres_paces_keep(struct store_postgres_paces *p, const struct store_scan *scan)
{
    uint64_t asked;

    if (!knows_its_pace(scan) || scan->done)
        return;
    asked = hash_of(scan);
    pthread_mutex_lock(&p->lock);
    struct store_postgres_pace *pace = find(p, scan, asked);
    if (!pace) {
        pace = &p->kept[p->oldest];
        p->oldest = (p->oldest + 1) % STORE_POSTGRES_PACES_MAX;
    }
    *pace = (struct store_postgres_pace){.place = scan->before,
                                         .asked = asked,
                                         .window_us = scan->window_us,
                                         .stride = scan->stride,
                                         .by_number = scan->by_number,
                                         .by_key = scan->by_key};
    pthread_mutex_unlock(&p->lock);
}

void store_postgres_paces_take(struct store_postgres_paces *p, struct store_scan *scan)
{
    uint64_t asked;

    if (knows_its_pace(scan) || scan->done)
        return;
    asked = hash_of(scan);
    pthread_mutex_lock(&p->lock);
    const struct store_postgres_pace *pace = find(p, scan, asked);
    if (pace) {
        scan->window_us = pace->window_us;
        scan->stride = pace->stride;
        scan->by_number = pace->by_number;
        scan->by_key = pace->by_key;
    }
    pthread_mutex_unlock(&p->lock);
}
