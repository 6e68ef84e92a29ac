/*
 * Which addresses try keys that are none. One that has sent GUESSES_MAX of them, each another,
 * within GUESSES_WINDOW_S is stopped for as long: it is told so, instead of that its key is none.
 * One that is a key is let in all the same, so that nobody stops others with whom they share an
 * address. An agent that goes on with one key which no longer holds is none of those. No key can be
 * found by guessing (access/key.h): this is for whoever reads the diagnostics, and so that one who
 * tries waits.
 *
 * An address is a number (http/client.h): an IPv4 address, or the network of an IPv6 address.
 */
#ifndef LOGMILL_ACCESS_GUESSES_H
#define LOGMILL_ACCESS_GUESSES_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

enum {
    GUESSES_MAX = 10,            /* wrong keys of an address, … */
    GUESSES_WINDOW_S = 60,       /* … in so many seconds */
    GUESSES_ADDRESSES_MAX = 1024 /* that are kept in mind, in places of GUESSES_WAYS */
};

struct guesses;

struct guesses *guesses_new(void);
void guesses_free(struct guesses *g); /* NULL does nothing */

/* Whether `client` is stopped. Any thread; it costs next to nothing while nobody is. `now_us` is a
 * clock that does not go back. */
bool guesses_stop(struct guesses *g, uint64_t client, int64_t now_us);

/* `client` has sent `key`, which is none. True: with it, it is stopped. */
bool guesses_add(struct guesses *g, uint64_t client, struct slice key, int64_t now_us);

#endif
