/* What is gone on with after a while: any number of pauses, one timer. Of one loop's thread. */
#ifndef LOGMILL_LISTEN_PAUSE_H
#define LOGMILL_LISTEN_PAUSE_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

enum {
    PAUSE_MIN_MS = 100, /* and how often pauses are looked at */
    PAUSE_MAX_MS = 2000,
};

/* All zero but for `resume` at first. */
struct pause {
    void (*resume)(struct pause *p); /* it may begin another, and be freed by it */
    uint64_t due_ms;
    unsigned ms; /* of the last one; 0: the next is the first */
    bool is_listed;
    struct pause *next;
};

struct pauses {
    uv_timer_t timer;                    /* runs while there are some */
    bool (*hurries)(struct pauses *all); /* all are due now */
    void (*resumed)(struct pauses *all); /* those that were due have been gone on with */
    struct pause *listed, *due;
};

void pauses_init(struct pauses *all, uv_loop_t *loop);
void pauses_close(struct pauses *all);

/* Begins one of `ms`; where one is under way, it is made anew. */
void pause_begin(struct pauses *all, struct pause *p, unsigned ms);

/* … one twice as long as the last one, up to PAUSE_MAX_MS. */
void pause_longer(struct pauses *all, struct pause *p);

/* Ends it; nothing is resumed. */
void pause_cancel(struct pauses *all, struct pause *p);

#endif
