/*
 * A thread that sends parcels (dispatch.h), one at a time, while whoever fills them goes on. All
 * calls are made by one other thread.
 */
#ifndef LOGMILL_CLI_COURIER_H
#define LOGMILL_CLI_COURIER_H

#include "cli/dispatch.h"

struct courier;

/* `d`, the caller's, is the thread's while a parcel is on its way. Signals do not come to the
 * thread. Returns NULL with `err` set. */
struct courier *courier_new(struct dispatch *d, struct errbuf *err);

/* Waits for the end of what is on its way: the thread tries for ever, unless stop_is_asked. */
void courier_free(struct courier *c);

/* An eventfd, readable once a parcel has been dealt with; others may make it readable, too. */
int courier_fd(const struct courier *c);

/* True from courier_send to courier_take. */
bool courier_is_out(const struct courier *c);

/* Sends `p`, not empty, which is the thread's until it is taken back. */
void courier_send(struct courier *c, struct parcel *p);

/*
 * The parcel, empty again, once it has been dealt with; NULL: it is on its way still, or none is.
 * *error: what dispatch_send returned. courier_fd is not readable any more.
 */
struct parcel *courier_take(struct courier *c, int *error);

#endif
