/*
 * What store.h promises, case by case. Every adapter's test runs it, and then adds the faults that
 * only that adapter can have.
 */
#ifndef LOGMILL_TESTS_STORE_CONFORMANCE_H
#define LOGMILL_TESTS_STORE_CONFORMANCE_H

#include "store/store.h"

/* What an adapter brings. */
struct store_conformance {
    const char *name;
    /* Makes an empty place for a store, for one case, and takes it away again. */
    void *(*create)(void);
    void (*destroy)(void *place);
    /* Opens the store at `place`, as a process does that starts; again after store_free, too. */
    struct store *(*open)(void *place);
    bool has_keeper;     /* after each append its keeper does all that there is to do */
    bool keeps_spelling; /* attributes come back byte for byte, however they were spelled */
};

/* Runs all cases; returns the number of those that failed. */
int store_conformance_run(const struct store_conformance *adapter);

#endif
