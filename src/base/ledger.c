#include "base/ledger.h"

/* The part of `used` bytes that is not the account's own. */
static size_t above_floor(const struct account *a, size_t used)
{
    return used > a->floor ? used - a->floor : 0;
}

static bool take_shared(struct ledger *l, size_t bytes)
{
    size_t used = atomic_load_explicit(&l->shared_used, memory_order_relaxed);

    do {
        if (bytes > l->shared - used)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&l->shared_used, &used, used + bytes,
                                                    memory_order_relaxed, memory_order_relaxed));
    return true;
}

static void give_shared(struct ledger *l, size_t bytes)
{
    if (bytes > 0)
        atomic_fetch_sub_explicit(&l->shared_used, bytes, memory_order_relaxed);
}

/*
 * Takes `bytes`, of which `shared` have been taken of the shared already; these are given back if
 * there is no room. What is shared is taken before the account says that it is used, and given back
 * after: so the limit holds at every moment, and if other threads change the account meanwhile,
 * what was taken of the shared is put right before the next try.
 */
static bool take_with(struct account *a, size_t bytes, size_t shared)
{
    size_t used = atomic_load_explicit(&a->used, memory_order_relaxed);

    for (;;) {
        size_t need;

        if (used > a->ceiling || bytes > a->ceiling - used)
            break;
        need = above_floor(a, used + bytes) - above_floor(a, used);
        if (need > shared && !take_shared(a->ledger, need - shared))
            break;
        if (need < shared)
            give_shared(a->ledger, shared - need);
        shared = need;
        if (atomic_compare_exchange_weak_explicit(&a->used, &used, used + bytes,
                                                  memory_order_relaxed, memory_order_relaxed))
            return true;
    }
    give_shared(a->ledger, shared);
    return false;
}

bool account_take(struct account *a, size_t bytes)
{
    return take_with(a, bytes, 0);
}

/* Gives back `bytes` but for what of the shared they were: that is returned. */
static size_t leave(struct account *a, size_t bytes)
{
    size_t used = atomic_fetch_sub_explicit(&a->used, bytes, memory_order_relaxed);

    return above_floor(a, used) - above_floor(a, used - bytes);
}

void account_give(struct account *a, size_t bytes)
{
    give_shared(a->ledger, leave(a, bytes));
}

bool account_exchange(struct account *a, size_t given, struct account *b, size_t bytes)
{
    return take_with(b, bytes, leave(a, given));
}

bool ledger_could_hold(const struct ledger *l, const size_t held[LEDGER_CLASSES])
{
    size_t left = l->shared;

    for (int i = 0; i < LEDGER_CLASSES; i++) {
        size_t need = above_floor(&l->accounts[i], held[i]);

        if (held[i] > l->accounts[i].ceiling || need > left)
            return false;
        left -= need;
    }
    return true;
}

size_t account_used(struct account *a)
{
    return atomic_load_explicit(&a->used, memory_order_relaxed);
}

void ledger_init(struct ledger *l, size_t limit)
{
    static const size_t floors[LEDGER_CLASSES] = {
        [LEDGER_BODIES] = LEDGER_BODIES_FLOOR,   [LEDGER_INTAKE] = LEDGER_INTAKE_FLOOR,
        [LEDGER_ANSWERS] = LEDGER_ANSWERS_FLOOR, [LEDGER_READS] = LEDGER_READS_FLOOR,
        [LEDGER_TAILS] = LEDGER_TAILS_FLOOR,     [LEDGER_OPS] = LEDGER_OPS_FLOOR};
    size_t share = limit / LEDGER_SHARES;

    l->shared = limit;
    atomic_init(&l->shared_used, 0);
    for (int i = 0; i < LEDGER_CLASSES; i++)
        l->shared -= floors[i] * share;
    for (int i = 0; i < LEDGER_CLASSES; i++) {
        struct account *a = &l->accounts[i];

        a->ledger = l;
        atomic_init(&a->used, 0);
        a->floor = floors[i] * share;
        a->ceiling = a->floor + l->shared;
    }
    l->accounts[LEDGER_TAILS].ceiling = LEDGER_TAILS_CEILING * share;
}

struct account *ledger_account(struct ledger *l, enum ledger_class which)
{
    return &l->accounts[which];
}

const char *ledger_class_name(enum ledger_class which)
{
    static const char *const names[LEDGER_CLASSES] = {
        [LEDGER_BODIES] = "bodies", [LEDGER_INTAKE] = "intake", [LEDGER_ANSWERS] = "answers",
        [LEDGER_READS] = "reads",   [LEDGER_TAILS] = "tails",   [LEDGER_OPS] = "ops"};

    return names[which];
}

size_t ledger_used(struct ledger *l)
{
    size_t used = 0;

    for (int i = 0; i < LEDGER_CLASSES; i++)
        used += account_used(&l->accounts[i]);
    return used;
}
