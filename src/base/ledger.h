/*
 * The ledger of memory: how many bytes the process holds for its clients (MAX_INFLIGHT_BYTES), and
 * for what. Each class has an account:
 *
 *   bodies   requests that have not come whole yet; TLS handshakes that go on
 *   intake   logs that wait for the queue
 *   answers  answers that their clients have not taken yet, and requests that wait behind them
 *   reads    answers while they are being built
 *   tails    live tails: what waits for their clients
 *   ops      answers to whoever watches the service (HTTP_ROUTE_RESERVED)
 *
 * Each account has a floor: bytes that are always its own, whatever the others hold; and a ceiling.
 * What the floors leave over is shared by all, first come, first served. So no class can starve
 * another: logs are taken as long as those that wait are within intake's floor, however many bodies
 * are half sent and answers not taken; and that the process is full is told while it is. Past
 * intake's floor a request that has come whole may exchange what it holds for what its logs need.
 *
 * Always true: an account's bytes below its floor are its own; those above are counted in `shared`,
 * too, which never passes its limit. So all accounts together never hold more than the ledger's
 * limit. Thread-safe, lock-free.
 */
#ifndef LOGMILL_BASE_LEDGER_H
#define LOGMILL_BASE_LEDGER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

enum ledger_class {
    LEDGER_BODIES,
    LEDGER_INTAKE,
    LEDGER_ANSWERS,
    LEDGER_READS,
    LEDGER_TAILS,
    LEDGER_OPS,
    LEDGER_CLASSES
};

/* Of the ledger's limit, in 32nds. */
enum {
    LEDGER_SHARES = 32,
    LEDGER_BODIES_FLOOR = 4,
    LEDGER_INTAKE_FLOOR = 6,
    LEDGER_ANSWERS_FLOOR = 3,
    LEDGER_READS_FLOOR = 4,
    LEDGER_TAILS_FLOOR = 2,
    LEDGER_OPS_FLOOR = 1,
    /* Twelve are left to be shared. The other ceilings are their floors and all that is shared. */
    LEDGER_TAILS_CEILING = 8,
};

struct ledger;

struct account {
    struct ledger *ledger;
    _Atomic size_t used;
    size_t floor;
    size_t ceiling;
};

struct ledger {
    struct account accounts[LEDGER_CLASSES];
    _Atomic size_t shared_used;
    size_t shared; /* what the floors leave over */
};

/* An account of `l`, whose address must stay, for each class, with the floors and ceilings above.
 */
void ledger_init(struct ledger *l, size_t limit);

struct account *ledger_account(struct ledger *l, enum ledger_class which);

/* "intake", for metrics. */
const char *ledger_class_name(enum ledger_class which);

/* Bytes taken from all accounts now. */
size_t ledger_used(struct ledger *l);

/* True if `held` bytes of each class could be taken together if nothing else were. */
bool ledger_could_hold(const struct ledger *l, const size_t held[LEDGER_CLASSES]);

/* Takes `bytes` and returns true, or takes nothing and returns false if there is no room. */
bool account_take(struct account *a, size_t bytes);

/* Gives back `bytes` that were taken. */
void account_give(struct account *a, size_t bytes);

/*
 * Gives back `given` bytes of `a`, taken before, and takes `bytes` of `b`, of the same ledger:
 * nobody gets in between what `a` held of the shared. Returns false if there is no room even so;
 * then `given` are given back, and nothing is taken.
 */
bool account_exchange(struct account *a, size_t given, struct account *b, size_t bytes);

/* Bytes taken now. */
size_t account_used(struct account *a);

#endif
