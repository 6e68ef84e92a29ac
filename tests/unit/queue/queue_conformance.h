/*
 * What queue.h promises, case by case. Every adapter's test runs it, and then adds the faults that
 * only that adapter can have.
 */
#ifndef LOGMILL_TESTS_QUEUE_CONFORMANCE_H
#define LOGMILL_TESTS_QUEUE_CONFORMANCE_H

#include "queue/queue.h"

/* What an adapter brings. */
struct queue_conformance {
    const char *name;
    /* Makes an empty queue, for one case, and takes it away again. */
    void *(*create)(void);
    void (*destroy)(void *place);
    /* Opens the queue at `place`, as a process does that starts; again after queue_free, too. */
    struct queue *(*open)(void *place);
    /* Rejected messages go to a list of dead letters of the queue's own … */
    bool keeps_dead_letters;
    bool rejects_in_time; /* … not at once, but when they were rejected several times */
    bool unordered;       /* messages come in any order */
    bool tells_no_age;    /* stats.oldest_age_us is always negative */
    int many;             /* messages that it takes in seconds; 0: 3000 */
};

/* Runs all cases; returns the number of those that failed. */
int queue_conformance_run(const struct queue_conformance *adapter);

#endif
