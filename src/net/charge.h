/*
 * What one holder (a message, a response, a connection) has taken from an account of the ledger,
 * so that all of it is given back in one call.
 *
 * Always true (charge_check): `taken` bytes of `account` are ours. A NULL account never refuses,
 * and nothing is taken from it.
 */
#ifndef LOGMILL_NET_CHARGE_H
#define LOGMILL_NET_CHARGE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/check.h"
#include "base/ledger.h"

struct charge {
    size_t taken; /* bytes */
};

/* CHECKs what is always true of `c`, whose bytes are of `account`. */
static inline void charge_check(const struct charge *c, struct account *account)
{
    CHECK(c->taken == 0 || (account && account_used(account) >= c->taken));
}

/* Takes `bytes` more and returns true, or changes nothing and returns false. */
static inline bool charge_take(struct charge *c, struct account *account, size_t bytes)
{
    CHECKED(charge_check(c, account));
    if (!account || bytes == 0)
        return true;
    if (!account_take(account, bytes))
        return false;
    c->taken += bytes;
    return true;
}

/* Gives back all but `bytes` of what was taken. */
static inline void charge_keep(struct charge *c, struct account *account, size_t bytes)
{
    CHECKED(charge_check(c, account));
    if (c->taken <= bytes)
        return;
    account_give(account, c->taken - bytes);
    c->taken = bytes;
}

static inline void charge_release(struct charge *c, struct account *account)
{
    CHECKED(charge_check(c, account));
    if (c->taken > 0)
        account_give(account, c->taken);
    c->taken = 0;
}

/*
 * Gives back all that was taken of `account`, and takes `bytes` of `to` for somebody else; false if
 * there is no room in `to` even so (account_exchange).
 */
static inline bool charge_exchange(struct charge *c, struct account *account, struct account *to,
                                   size_t bytes)
{
    size_t taken = c->taken;

    CHECKED(charge_check(c, account));
    c->taken = 0;
    return taken > 0 ? account_exchange(account, taken, to, bytes) : account_take(to, bytes);
}

#endif
