#include "listen/attempt.h"

/* The next log that is not durable can never be: it counts as done. */
static void leave_out(struct attempt *a)
{
    a->done++;
    a->limit = 0;
    ingest_leave_out(a->ticket.in, a->protocol);
}

/* What the queue does not take together, or not for what is in it, is sent in parts. */
static void take_fewer(struct attempt *a, size_t logs)
{
    if (logs == 0)
        leave_out(a);
    else
        a->limit = logs;
}

int attempt_add(const struct record *record, void *attempt)
{
    struct attempt *a = attempt;
    int error;

    if (a->seen++ < a->done)
        return 0;
    a->is_stopped =
        (a->limit && a->ticket.logs == a->limit) || a->ticket.bytes >= ATTEMPT_BYTES_MAX;
    if (a->is_stopped)
        return LM_ESTOPPED;
    error = ingest_add(&a->ticket, record);
    a->is_too_big = error == LM_ETOOBIG;
    return error;
}

enum attempt_result attempt_begin(struct attempt *a, struct ingest *in,
                                  int (*read)(struct attempt *a))
{
    int error;

    for (;;) {
        a->seen = 0;
        a->is_stopped = a->is_too_big = false;
        ingest_open(in, &a->ticket);
        error = read(a);
        if (a->is_too_big) {
            ingest_cancel(&a->ticket);
            take_fewer(a, a->ticket.logs);
            continue;
        }
        if (a->is_stopped)
            error = 0;
        if (!error && a->ticket.logs == 0) {
            ingest_cancel(&a->ticket);
            return ATTEMPT_DONE;
        }
        if (error) {
            ingest_cancel(&a->ticket);
            return ATTEMPT_LATER;
        }
        a->ticket.has_room = true; /* the reply has been written */
        error = ingest_commit(&a->ticket);
        if (!error)
            return ATTEMPT_WAITS;
        ingest_cancel(&a->ticket);
        if (error != LM_ETOOBIG)
            return ATTEMPT_LATER;
        take_fewer(a, a->ticket.logs / 2); /* the account could never hold them together */
    }
}

enum attempt_result attempt_told(struct attempt *a, int error)
{
    size_t logs = a->ticket.logs;

    if (!error) {
        metrics_receive(a->protocol, METRIC_TAKEN, logs);
        a->done += logs;
        a->limit *= 2;
        return a->is_stopped ? ATTEMPT_AGAIN : ATTEMPT_DONE;
    }
    if (error != LM_EDATA && error != LM_ETOOBIG)
        return ATTEMPT_LATER;
    take_fewer(a, logs / 2);
    return ATTEMPT_AGAIN;
}
