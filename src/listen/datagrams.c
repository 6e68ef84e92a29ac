#include "listen/datagrams.h"

#include <errno.h>
#include <fcntl.h>
#include <stdalign.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/container_of.h"
#include "base/xalloc.h"
#include "listen/attempt.h"
#include "listen/pause.h"
#include "net/listen.h"

enum {
    FIRST_BYTES = 4096, /* of a batch; it grows */
    /* Of a batch: what is read at last may be as large as datagrams are. */
    BATCH_BYTES_MAX = DATAGRAMS_BATCH_BYTES + 2 * DATAGRAMS_AT_ONCE * DATAGRAM_BYTES_MAX,
    SMALL_BYTES = 4096,        /* the memory of larger ones is given back */
    LARGE_BYTES_MAX = 1 << 20, /* … when there were so many bytes of them */
    EXPIRE_MS = 6000,          /* after the last part of a message that has several */
};

/* What the kernel writes into; pages that no datagram has needed are no memory. */
struct datagram_room {
    char bytes[DATAGRAMS_AT_ONCE][DATAGRAM_BYTES_MAX];
    struct mmsghdr headers[DATAGRAMS_AT_ONCE];
    struct iovec pieces[DATAGRAMS_AT_ONCE];
    struct sockaddr_storage senders[DATAGRAMS_AT_ONCE];
    size_t large;
};

struct datagrams {
    struct listen_way *way;
    struct datagrams *next;
    int fd;
    uv_poll_t poll;
    bool is_polled;
    bool is_closed;
    unsigned dropped; /* by the kernel, as far as it is counted */
    size_t held;      /* bytes of its batches */
    struct pause pause;
};

struct lot {
    struct attempt attempt;
    struct datagrams *from;
    struct pause pause;
    struct buffer bytes; /* of each datagram its length, in 4 bytes, and itself */
    size_t held;         /* counted in from->held */
    size_t datagrams;
    int64_t arrival_us;
    uint64_t bits[2];
    size_t refused, nul_characters;
};

static struct receiver *receiver_of(const struct datagrams *d)
{
    return d->way->receiver;
}

static void count(const struct datagrams *d, enum metric_socket what, size_t n)
{
    if (n)
        metrics_socket(d->way->way.protocol, what, (int64_t)n);
}

static void count_dropped(struct datagrams *d)
{
    unsigned dropped = listen_dropped(d->fd);

    count(d, METRIC_DROPPED_KERNEL, dropped - d->dropped);
    d->dropped = dropped;
}

static void poll_if_due(struct datagrams *d);

/* ---- Batches ---- */

static void on_done(struct ingest_ticket *ticket, int error);
static void resume_batch(struct pause *p);

static struct lot *batch_new(struct datagrams *d)
{
    struct lot *b = xcalloc(1, sizeof(*b));

    b->attempt.ticket.done = on_done;
    b->attempt.protocol = d->way->way.protocol;
    b->from = d;
    b->pause.resume = resume_batch;
    b->arrival_us = clock_arrival_us();
    if (getentropy(b->bits, sizeof(b->bits)) != 0)
        abort(); /* the kernel has no random numbers: ids would not be unique */
    buffer_init(&b->bytes, BATCH_BYTES_MAX);
    b->bytes.account = receiver_of(d)->bodies;
    return b;
}

static void batch_free(struct lot *b)
{
    b->from->held -= b->held;
    buffer_release(&b->bytes);
    free(b);
}

static int read_batch(struct attempt *a)
{
    alignas(max_align_t) char session[STREAM_SESSION_BYTES] = "";
    struct lot *b = container_of(a, struct lot, attempt);
    const struct listen_way *way = b->from->way;
    struct slice rest = buffer_slice(&b->bytes);

    b->refused = b->nul_characters = 0;
    while (rest.len) {
        char none[1];
        struct buffer reply;
        struct errbuf why = ERRBUF_INIT;
        struct stream_output out = {.reply = &reply, .why = &why};
        struct stream_input in = {.is_over = true,
                                  .has_waited = true,
                                  .arrival_us = b->arrival_us,
                                  .bits = {b->bits[0], b->bits[1]},
                                  .number = a->seen + b->refused};
        uint32_t len;
        int error;

        memcpy(&len, rest.data, sizeof(len));
        in.bytes = slice_of(rest.data + sizeof(len), len);
        buffer_init_over(&reply, none, sizeof(none));
        error = way->way.datagram->read(way->datagram_memory, session, &in, attempt_add, a, &out);
        if (error)
            return error;
        b->refused += out.counts.refused;
        b->nul_characters += out.counts.nul_characters;
        rest = slice_of(rest.data + sizeof(len) + len, rest.len - sizeof(len) - len);
    }
    return 0;
}

static void batch_end(struct lot *b)
{
    struct datagrams *d = b->from;
    struct receiver *r = receiver_of(d);

    r->batches--;
    batch_free(b);
    poll_if_due(d);
}

static void go_on_with(struct lot *b, enum attempt_result result)
{
    struct receiver *r = receiver_of(b->from);

    while (result == ATTEMPT_AGAIN)
        result = attempt_begin(&b->attempt, r->ingest, read_batch);
    if (result == ATTEMPT_DONE) {
        metrics_receive(b->attempt.protocol, METRIC_LEFT_OUT, b->refused);
        if (b->nul_characters)
            metrics_add(METRIC_NUL_REPLACED, b->nul_characters);
        batch_end(b);
    } else if (result == ATTEMPT_LATER && receiver_gives_up(r)) {
        count(b->from, METRIC_DROPPED_HERE, b->datagrams);
        batch_end(b);
    } else if (result == ATTEMPT_LATER) {
        pause_longer(&r->pauses, &b->pause);
    }
}

static void on_done(struct ingest_ticket *ticket, int error)
{
    struct lot *b = container_of(ticket, struct lot, attempt.ticket);

    go_on_with(b, attempt_told(&b->attempt, error));
}

static void resume_batch(struct pause *p)
{
    struct lot *b = container_of(p, struct lot, pause);

    go_on_with(b, receiver_gives_up(receiver_of(b->from)) ? ATTEMPT_LATER : ATTEMPT_AGAIN);
}

/* ---- Reading ---- */

static void append(struct lot *b, struct slice message)
{
    uint32_t len = (uint32_t)message.len;
    size_t before = b->bytes.len;

    if (len == 0)
        return;
    buffer_append(&b->bytes, &len, sizeof(len));
    buffer_append_slice(&b->bytes, message);
    if (!buffer_error(&b->bytes)) {
        b->datagrams++;
        return;
    }
    buffer_truncate(&b->bytes, before);
    count(b->from, METRIC_DROPPED_HERE, 1);
}

static void take(struct lot *b, struct slice sender, struct slice datagram)
{
    struct datagrams *d = b->from;
    const struct stream_joiner *joiner = d->way->way.datagram->joiner;
    struct receiver *r = receiver_of(d);
    struct slice whole = datagram;
    size_t lost = 0;
    enum stream_join join =
        joiner ? joiner->join(d->way->joiner, sender, datagram, uv_now(&r->net.uv), &whole, &lost)
               : STREAM_JOIN_WHOLE;

    count(d, METRIC_INCOMPLETE, lost);
    if (join == STREAM_JOIN_WHOLE)
        append(b, whole);
    else if (join == STREAM_JOIN_PART)
        pause_begin(&r->pauses, &d->way->expiry, EXPIRE_MS);
    else
        metrics_receive(d->way->way.protocol, METRIC_LEFT_OUT, 1);
}

/* Memory that only large datagrams needed goes back. */
static void give_back(struct datagram_room *room)
{
    if (room->large < LARGE_BYTES_MAX)
        return;
    madvise(room->bytes, sizeof(room->bytes), MADV_DONTNEED);
    room->large = 0;
}

/* Reads once into `b`. Returns how many datagrams came. */
static int read_some(struct datagrams *d, struct lot *b)
{
    struct datagram_room *room = receiver_of(d)->room;
    int n;

    for (unsigned i = 0; i < DATAGRAMS_AT_ONCE; i++) {
        room->pieces[i] = (struct iovec){room->bytes[i], DATAGRAM_BYTES_MAX};
        room->headers[i].msg_hdr = (struct msghdr){.msg_name = &room->senders[i],
                                                   .msg_namelen = sizeof(room->senders[i]),
                                                   .msg_iov = &room->pieces[i],
                                                   .msg_iovlen = 1};
    }
    do
        n = recvmmsg(d->fd, room->headers, DATAGRAMS_AT_ONCE, MSG_DONTWAIT, NULL);
    while (n < 0 && errno == EINTR);
    for (int i = 0; i < n; i++) {
        struct slice sender = {(const char *)&room->senders[i],
                               room->headers[i].msg_hdr.msg_namelen};
        struct slice datagram = {room->bytes[i], room->headers[i].msg_len};

        if (datagram.len > SMALL_BYTES)
            room->large += datagram.len;
        take(b, sender, datagram);
    }
    count(d, METRIC_DATAGRAMS, n > 0 ? (size_t)n : 0);
    return n > 0 ? n : 0;
}

static size_t held_max(const struct datagrams *d)
{
    size_t fair = receiver_of(d)->bodies->ceiling / 4;

    return fair < DATAGRAMS_HELD_MAX ? fair : DATAGRAMS_HELD_MAX;
}

/* False: there was nothing more to read, or no room for it. */
static bool read_batch_from(struct datagrams *d)
{
    struct receiver *r = receiver_of(d);
    struct lot *b = batch_new(d);
    int n = 0, rounds = 0;

    if (!buffer_reserve(&b->bytes, FIRST_BYTES)) {
        batch_free(b);
        pause_begin(&r->pauses, &d->pause, PAUSE_MIN_MS);
        return false;
    }
    do
        n = read_some(d, b);
    while (n == DATAGRAMS_AT_ONCE && b->bytes.len < DATAGRAMS_BATCH_BYTES &&
           ++rounds < DATAGRAMS_ROUNDS_MAX);
    count_dropped(d);
    give_back(r->room);
    if (b->bytes.len == 0) {
        batch_free(b);
        return n == DATAGRAMS_AT_ONCE;
    }
    b->held = b->bytes.capacity;
    d->held += b->held;
    r->batches++;
    go_on_with(b, ATTEMPT_AGAIN);
    return n == DATAGRAMS_AT_ONCE;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct datagrams *d = poll->data;

    if (status < 0)
        d->is_polled = false; /* libuv has stopped it; the error itself is taken by reading */
    read_batch_from(d);
    poll_if_due(d);
}

/* Reads while there is room for more. */
static void poll_if_due(struct datagrams *d)
{
    bool is_due = !d->is_closed && d->held < held_max(d) && !d->pause.is_listed;

    if (is_due == d->is_polled)
        return;
    d->is_polled = is_due;
    if (is_due)
        uv_poll_start(&d->poll, UV_READABLE, on_readable);
    else
        uv_poll_stop(&d->poll);
}

static void resume(struct pause *p)
{
    poll_if_due(container_of(p, struct datagrams, pause));
}

/* ---- Life ---- */

static void expire(struct pause *p)
{
    struct listen_way *way = container_of(p, struct listen_way, expiry);
    size_t lost = way->way.datagram->joiner->expire(way->joiner, uv_now(&way->receiver->net.uv));

    metrics_socket(way->way.protocol, METRIC_INCOMPLETE, (int64_t)lost);
}

static struct datagram_room *room_new(void)
{
    void *room = mmap(NULL, sizeof(struct datagram_room), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return room == MAP_FAILED ? NULL : room;
}

struct datagrams *datagrams_new(struct listen_way *way, int fd, struct errbuf *err)
{
    struct receiver *r = way->receiver;
    struct datagrams *d = xcalloc(1, sizeof(*d));

    if (!r->room)
        r->room = room_new();
    if (!r->room || uv_poll_init(&r->net.uv, &d->poll, fd) < 0) {
        errbuf_fail(err, LM_EUNAVAILABLE, "cannot read datagrams: no memory, or no poll");
        close(fd);
        free(d);
        return NULL;
    }
    d->way = way;
    d->fd = fd;
    d->poll.data = d;
    d->pause.resume = resume;
    d->dropped = listen_dropped(fd);
    way->expiry.resume = expire;
    d->next = r->datagrams;
    r->datagrams = d;
    r->datagrams_open++;
    return d;
}

void datagrams_start(struct datagrams *d)
{
    poll_if_due(d);
}

static void close_socket(struct datagrams *d)
{
    count_dropped(d);
    pause_cancel(&receiver_of(d)->pauses, &d->pause);
    d->is_closed = true;
    d->is_polled = false;
    uv_close((uv_handle_t *)&d->poll, NULL);
    close(d->fd);
    receiver_of(d)->datagrams_open--;
}

void datagrams_leave_all(struct receiver *r)
{
    for (struct datagrams *d = r->datagrams; d; d = d->next) {
        int fd = d->is_closed ? -1 : fcntl(d->fd, F_DUPFD_CLOEXEC, 0);

        if (fd < 0)
            continue;
        given_add(r->leaving, fd, metrics_protocol_label(d->way->way.protocol),
                  d->way->udp_is_held);
        close_socket(d);
    }
}

void datagrams_drain_all(struct receiver *r)
{
    for (struct datagrams *d = r->datagrams; d; d = d->next) {
        if (d->is_closed)
            continue;
        /* Later, if its batches have to come back, there is no room, or more to read. */
        if (!receiver_gives_up(r) && (d->held >= held_max(d) || d->pause.is_listed ||
                                      read_batch_from(d) || d->pause.is_listed))
            continue;
        close_socket(d);
    }
}

void datagrams_close_all(struct receiver *r)
{
    for (struct datagrams *d = r->datagrams; d; d = d->next)
        if (!d->is_closed)
            close_socket(d);
}

void datagrams_free_all(struct receiver *r)
{
    while (r->datagrams) {
        struct datagrams *d = r->datagrams;

        r->datagrams = d->next;
        free(d);
    }
    if (r->room)
        munmap(r->room, sizeof(*r->room));
}
