#include "worker/retention_clock.h"

#include <stdbool.h>

#include "base/check.h"

static const int64_t DOUBT_US = INT64_C(1000000) * RETENTION_CLOCK_DOUBT_S;

static bool is_near(int64_t a_us, int64_t b_us)
{
    return a_us - b_us <= DOUBT_US && b_us - a_us <= DOUBT_US;
}

void retention_clock_check(const struct retention_clock *c)
{
    const struct store_clock *k = &c->kept;

    CHECK(k->claimed_us || !k->doubted_us);
    CHECK(!k->claimed_us || !is_near(k->claimed_us, k->believed_us));
    CHECK(k->doubted_us >= 0 && k->doubted_us < DOUBT_US);
    CHECK(!c->advanced_us || c->time_us <= k->believed_us);
}

static enum retention_clock_news advance(struct store_clock *k, int64_t wall_us, int64_t ran_us)
{
    bool was_doubted = k->claimed_us != 0;

    if (k->believed_us == 0 || is_near(wall_us, k->believed_us + ran_us)) {
        *k = (struct store_clock){.believed_us = wall_us};
        return was_doubted ? RETENTION_CLOCK_BELIEVES : RETENTION_CLOCK_AS_BEFORE;
    }
    k->believed_us += ran_us;
    if (!was_doubted) {
        k->claimed_us = wall_us;
        return RETENTION_CLOCK_DOUBTS;
    }
    k->claimed_us += ran_us;
    k->doubted_us += ran_us;
    if (is_near(wall_us, k->claimed_us))
        k->claimed_us = wall_us;
    if (k->doubted_us < DOUBT_US)
        return RETENTION_CLOCK_AS_BEFORE;
    *k = (struct store_clock){.believed_us = k->claimed_us};
    if (k->believed_us == wall_us)
        return RETENTION_CLOCK_BELIEVES;
    k->claimed_us = wall_us; /* it has jumped again meanwhile */
    return RETENTION_CLOCK_DOUBTS;
}

enum retention_clock_news retention_clock_advance(struct retention_clock *c, int64_t wall_us,
                                                  uint64_t monotonic_us)
{
    if (c->advanced_us) /* else what is kept is another program's, or whoever's */
        CHECKED(retention_clock_check(c));
    int64_t ran_us = c->advanced_us ? (int64_t)(monotonic_us - c->advanced_us) : 0;
    enum retention_clock_news news = advance(&c->kept, wall_us, ran_us);

    c->advanced_us = monotonic_us;
    c->time_us = wall_us < c->kept.believed_us ? wall_us : c->kept.believed_us;
    CHECKED(retention_clock_check(c));
    return news;
}
