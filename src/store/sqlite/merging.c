#include "store/sqlite/merging.h"

#include "base/check.h"

void merging_init(struct merging *m)
{
    *m = (struct merging){0};
    pthread_mutex_init(&m->lock, NULL);
}

void merging_release(struct merging *m)
{
    pthread_mutex_destroy(&m->lock);
}

void merging_set(struct merging *m, const struct segment *segments, size_t n)
{
    CHECK(n <= MERGING_MAX);
    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < n; i++)
        m->numbers[i] = segments[i].number;
    m->len = n;
    pthread_mutex_unlock(&m->lock);
}

bool merging_has(struct merging *m, int64_t number)
{
    bool has = false;

    if (!m)
        return false;
    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < m->len && !has; i++)
        has = m->numbers[i] == number;
    pthread_mutex_unlock(&m->lock);
    return has;
}
