/*
 * GET /logs/tail: logs as they are stored, as Server-Sent Events
 * (https://html.spec.whatwg.org/multipage/server-sent-events.html).
 *
 *   filter.h    what tails ask for
 *   batch.h     logs that were stored, ready to be sent, and which filters they match
 *   judge.h     matches a batch against all filters
 *   feed.h      one thread of the process: follows the store, hands batches to the hubs
 *   recent.h    the last batches of a hub
 *   hub.h       what the tails of one HTTP thread share
 *   session.h   one tail, its states, lists and lines
 *   events.h    what it writes
 *   live.h      how it takes what comes
 *   job.h       what it asks of the readers
 *   catch_up.h  how it comes to where its hub is
 *   tail.h      how tails begin, and batches come to them
 *
 * Each knows those above it alone.
 *
 * A tail has a place in the order in which logs were stored (store_follow), and the id of each
 * event is that place, so that Last-Event-ID goes on without a gap or a repeat. A live tail takes
 * what comes to its hub. One that comes back, or whose client did not take what was sent, goes on
 * at its own pace, from the batches that its hub still has or else the store, until it has caught
 * up; if it is behind by more than TAIL_BEHIND_MAX logs for TAIL_BEHIND_MS, it is told how many it
 * missed and goes on from now. So a client that is slow costs no memory, and nobody else's time.
 *
 * No log is matched on an event loop. The feed's thread matches each batch against each distinct
 * filter, within an amount of work; if that does not suffice for a filter, its tails catch up by
 * jobs that match for themselves.
 */
#ifndef LOGMILL_TAIL_TAIL_H
#define LOGMILL_TAIL_TAIL_H

#include "http/http.h"
#include "net/mailbox.h"
#include "read/scheduler.h"
#include "tail/feed.h"
#include "tail/hub.h"

enum { TAIL_HEARTBEAT_MS = 15000 /* between two comments that keep the connection open */ };

/*
 * A hub, until tail_hub_close. On the loop's thread; `hub` is all zero; `readers` and `feed` must
 * outlive it. Returns 0 or an error.
 */
int tail_open(struct tail_hub *hub, struct tail_feed *feed, struct read_scheduler *readers,
              struct mailbox *box, uv_loop_t *loop, struct errbuf *err) LM_MUST_CHECK;

struct access;

/* Answers GET /logs/tail: takes over `req`, if its key may have another tail. */
void tail_start(struct tail_hub *hub, struct access *access, struct http_request *req);

#endif
