#include "access/rate.h"

static const int64_t SECOND_NS = 1000000000;
static const uint64_t AMOUNT_MAX = UINT64_C(1) << 33; /* in one go: a larger one counts as this */

/* How long it takes until `n` have come in; 0: any number may. */
static int64_t cost_ns(const struct rate *r, uint64_t n)
{
    uint64_t per_s = atomic_load(&r->per_s);

    if (per_s == 0)
        return 0;
    if (n > AMOUNT_MAX)
        n = AMOUNT_MAX;
    return (int64_t)((n * (uint64_t)SECOND_NS + per_s - 1) / per_s);
}

/* When there is enough for `cost`, in a bucket that is full at `full_ns`; full, for more than it
 * can hold. */
static int64_t ready_ns(int64_t full_ns, int64_t cost)
{
    return cost < SECOND_NS ? full_ns - SECOND_NS + cost : full_ns;
}

static int64_t wait_ns(const struct rate *r, int64_t cost, int64_t now_ns)
{
    int64_t ready = ready_ns(atomic_load(&r->full_ns), cost);

    return cost > 0 && ready > now_ns ? ready - now_ns : 0;
}

/* As wait_ns, and takes them if that is 0. */
static int64_t take(struct rate *r, int64_t cost, int64_t now_ns)
{
    int64_t full = atomic_load(&r->full_ns), after;

    if (cost == 0)
        return 0;
    do {
        int64_t ready = ready_ns(full, cost);

        if (ready > now_ns)
            return ready - now_ns;
        after = (full > now_ns ? full : now_ns) + cost;
    } while (!atomic_compare_exchange_weak(&r->full_ns, &full, after));
    return 0;
}

static void charge(struct rate *r, uint64_t n, int64_t now_ns)
{
    int64_t cost = cost_ns(r, n), most = now_ns + RATE_DEBT_MAX_S * SECOND_NS;
    int64_t full = atomic_load(&r->full_ns), after;

    if (cost == 0)
        return;
    do {
        after = (full > now_ns ? full : now_ns) + cost;
        if (after > most)
            after = full > most ? full : most;
    } while (!atomic_compare_exchange_weak(&r->full_ns, &full, after));
}

static enum allowance_lack lack(int64_t logs_ns, int64_t bytes_ns, uint64_t *wait_s)
{
    int64_t longest = logs_ns > bytes_ns ? logs_ns : bytes_ns;

    *wait_s = (uint64_t)(longest / SECOND_NS) + (longest % SECOND_NS > 0);
    return longest == 0 ? ALLOWANCE_ENOUGH : logs_ns >= bytes_ns ? ALLOWANCE_LOGS : ALLOWANCE_BYTES;
}

enum allowance_lack allowance_take(struct allowance *a, uint64_t logs, uint64_t bytes,
                                   int64_t now_ns, uint64_t *wait_s)
{
    int64_t logs_cost = cost_ns(&a->logs, logs), bytes_cost = cost_ns(&a->bytes, bytes);
    int64_t logs_ns = take(&a->logs, logs_cost, now_ns);
    int64_t bytes_ns =
        logs_ns > 0 ? wait_ns(&a->bytes, bytes_cost, now_ns) : take(&a->bytes, bytes_cost, now_ns);

    if (logs_ns == 0 && bytes_ns > 0) /* given back */
        atomic_fetch_sub(&a->logs.full_ns, logs_cost);
    return lack(logs_ns, bytes_ns, wait_s);
}

enum allowance_lack allowance_look(const struct allowance *a, uint64_t logs, uint64_t bytes,
                                   int64_t now_ns, uint64_t *wait_s)
{
    return lack(wait_ns(&a->logs, cost_ns(&a->logs, logs), now_ns),
                wait_ns(&a->bytes, cost_ns(&a->bytes, bytes), now_ns), wait_s);
}

void allowance_charge(struct allowance *a, uint64_t logs, uint64_t bytes, int64_t now_ns)
{
    charge(&a->logs, logs, now_ns);
    charge(&a->bytes, bytes, now_ns);
}
