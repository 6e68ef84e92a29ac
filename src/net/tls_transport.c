/*
 * One socket's state. OpenSSL reads and writes by a BIO of ours, which is the socket and copies
 * nothing. A record that was encrypted and not taken by the socket stays in OpenSSL, which wants to
 * be asked to write the same bytes again: so it is, as what `write` does not take stays at the
 * front of what its caller has to send.
 */
#include "net/tls_transport.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <uv.h>

#include "base/fault.h"
#include "base/xalloc.h"

enum {
    RECORD_BYTES = SSL3_RT_MAX_PLAIN_LENGTH, /* encrypted at once, and sent by one call */
};

struct tls_socket {
    struct tls *tls;
    SSL *ssl;        /* NULL until the client has sent something */
    BIO *bio;        /* its own */
    bool is_starved; /* what OpenSSL holds is no whole record: only the socket can help */
    bool read_wants_write;
    bool write_wants_read;
    bool has_shaken;
    bool has_failed; /* nothing may be asked of it any more */
    bool owes_end; /* that nothing comes any more was found behind bytes, and is still to be told */
    bool has_ended; /* our last byte is sent, and said to be */
    char *peer;     /* NULL: nobody that we know */
};

static struct tls_socket *state_of(const struct transport *t)
{
    return t->own;
}

/* ---- The socket, as OpenSSL sees it ---- */

static int bio_read(BIO *bio, char *data, size_t len, size_t *got)
{
    const struct transport *t = BIO_get_data(bio);
    ssize_t n = recv(t->fd, data, len, 0);

    BIO_clear_retry_flags(bio);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        BIO_set_retry_read(bio);
    if (n == 0)
        BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    *got = n > 0 ? (size_t)n : 0;
    return n > 0;
}

static int bio_write(BIO *bio, const char *data, size_t len, size_t *sent)
{
    const struct transport *t = BIO_get_data(bio);
    ssize_t n = send(t->fd, data, len, MSG_NOSIGNAL);

    BIO_clear_retry_flags(bio);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR || errno == ENOBUFS))
        BIO_set_retry_write(bio);
    *sent = n > 0 ? (size_t)n : 0;
    return n > 0;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
    if (command == BIO_CTRL_EOF)
        return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
    return command == BIO_CTRL_FLUSH || command == BIO_CTRL_DUP;
}

static BIO_METHOD *bio_method;

static void make_bio_method(void)
{
    bio_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK | BIO_TYPE_DESCRIPTOR,
                              "socket of a transport");
    if (!bio_method || !BIO_meth_set_read_ex(bio_method, bio_read) ||
        !BIO_meth_set_write_ex(bio_method, bio_write) ||
        !BIO_meth_set_ctrl(bio_method, bio_control))
        abort(); /* out of memory, at the start */
}

/* ---- Its life ---- */

static int tls_open(struct transport *t, void *ctx)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct tls_socket *s = xcalloc(1, sizeof(*s));

    pthread_once(&once, make_bio_method);
    s->tls = ctx;
    t->own = s;
    return 0;
}

/* Its part of OpenSSL, when there is something to do. False: out of memory. */
static bool begin(struct transport *t, struct tls_socket *s)
{
    SSL_CTX *context;

    if (fault_here(FAULT_LIBRARY))
        return false;
    context = tls_context(s->tls);
    s->ssl = SSL_new(context);
    SSL_CTX_free(context);
    s->bio = s->ssl ? BIO_new(bio_method) : NULL;
    if (!s->bio)
        return false;
    BIO_set_data(s->bio, t);
    BIO_set_init(s->bio, 1);
    SSL_set_bio(s->ssl, s->bio, s->bio);
    SSL_set_accept_state(s->ssl);
    return true;
}

/* Says that our last byte has been sent, as far as the socket takes that. */
static void say_end(struct tls_socket *s)
{
    if (!s->ssl || s->has_failed || s->has_ended || !s->has_shaken)
        return;
    s->has_ended = true;
    ERR_clear_error();
    if (SSL_shutdown(s->ssl) < 0)
        ERR_clear_error(); /* there is no room for it, or no client */
}

static void tls_end(struct transport *t)
{
    say_end(state_of(t));
}

static void tls_close(struct transport *t)
{
    struct tls_socket *s = state_of(t);

    say_end(s);
    SSL_free(s->ssl); /* and `bio` */
    free(s->peer);
    free(s);
    t->own = NULL;
}

/* ---- What OpenSSL says ---- */

/* The client speaks HTTP without TLS: it is told so in its own words. */
static void answer_plainly(const struct transport *t)
{
    static const char text[] =
        "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nConnection: close\r\n"
        "Content-Length: 66\r\n\r\n"
        "{\"detail\":\"this port speaks TLS: the URL has to begin with https\"}";

    (void)!send(t->fd, text, sizeof(text) - 1, MSG_NOSIGNAL);
    shutdown(t->fd, SHUT_WR);
}

/* Why the call that returned `result` did not do what it should: sets errno for -1. */
static ssize_t explain(const struct transport *t, struct tls_socket *s, int result)
{
    switch (SSL_get_error(s->ssl, result)) {
    case SSL_ERROR_ZERO_RETURN: /* the client has said that it was the last */
        return 0;
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        errno = EAGAIN;
        return -1;
    default:
        break;
    }
    s->has_failed = true;
    if (!s->has_shaken) {
        unsigned long error = ERR_peek_error();

        if (ERR_GET_REASON(error) == SSL_R_HTTP_REQUEST)
            answer_plainly(t);
        tls_tell_failure(s->tls, error);
    }
    ERR_clear_error();
    errno = ECONNRESET;
    return -1;
}

static int tls_shake(struct transport *t)
{
    struct tls_socket *s = state_of(t);
    char first;
    int result;

    if (!s->ssl && recv(t->fd, &first, 1, MSG_PEEK) == 0) { /* who only asks whether we are here */
        errno = ECONNRESET;
        return -1;
    }
    if (!s->ssl && !begin(t, s)) {
        s->has_failed = true;
        errno = ENOMEM;
        return -1;
    }
    ERR_clear_error();
    result = SSL_accept(s->ssl);
    if (result == 1) {
        s->read_wants_write = false;
        s->has_shaken = true;
        s->peer = tls_client_name(s->ssl);
        return 0;
    }
    s->read_wants_write = SSL_want_write(s->ssl);
    if (explain(t, s, result) == 0)
        errno = ECONNRESET;
    return -1;
}

static ssize_t tls_read(struct transport *t, void *data, size_t len)
{
    struct tls_socket *s = state_of(t);
    char *to = data;
    size_t total = 0, n = 0;
    int result;

    s->owes_end = false;
    if (s->has_failed) {
        errno = ECONNRESET;
        return -1;
    }
    ERR_clear_error();
    do { /* the further ones of records that came together */
        result = SSL_read_ex(s->ssl, to + total, len - total, &n);
        total += result == 1 ? n : 0;
    } while (result == 1 && total < len && SSL_has_pending(s->ssl));
    s->read_wants_write = result != 1 && SSL_want_write(s->ssl);
    s->is_starved = result != 1;
    if (result == 1)
        return (ssize_t)total;
    ssize_t why = explain(t, s, result);
    s->owes_end = total > 0 && (why == 0 || errno != EAGAIN);
    return total > 0 ? (ssize_t)total : why;
}

/* What OpenSSL is to encrypt next: `*data` with a length of up to RECORD_BYTES. */
static size_t gather(const struct iovec **pieces, const struct iovec *end, size_t *skip,
                     char scratch[RECORD_BYTES], const char **data)
{
    size_t len = 0;

    while (*pieces < end && (*pieces)->iov_len == *skip) {
        ++*pieces;
        *skip = 0;
    }
    if (*pieces == end)
        return 0;

    const char *first = (const char *)(*pieces)->iov_base + *skip;
    size_t first_len = (*pieces)->iov_len - *skip;

    if (first_len >= RECORD_BYTES || *pieces + 1 == end) {
        *data = first;
        return first_len < RECORD_BYTES ? first_len : RECORD_BYTES;
    }
    *data = scratch;
    for (const struct iovec *p = *pieces; p < end && len < RECORD_BYTES; p++) {
        const char *from = p == *pieces ? first : p->iov_base;
        size_t part = p == *pieces ? first_len : p->iov_len;

        if (part > RECORD_BYTES - len)
            part = RECORD_BYTES - len;
        if (part > 0)
            memcpy(scratch + len, from, part);
        len += part;
    }
    return len;
}

static void skip_over(const struct iovec **pieces, size_t *skip, size_t n)
{
    while (n > 0) {
        size_t part = (*pieces)->iov_len - *skip;

        if (n < part) {
            *skip += n;
            return;
        }
        n -= part;
        *skip = 0;
        ++*pieces;
    }
}

static ssize_t tls_write(struct transport *t, const struct iovec *pieces, int pieces_len)
{
    static _Thread_local char scratch[RECORD_BYTES];
    struct tls_socket *s = state_of(t);
    const struct iovec *end = pieces + pieces_len;
    const char *data = NULL;
    size_t total = 0, skip = 0, len, n = 0;
    int result = 1;

    if (s->has_failed || s->has_ended) {
        errno = EPIPE;
        return -1;
    }
    ERR_clear_error();
    while (result == 1 && (len = gather(&pieces, end, &skip, scratch, &data)) > 0) {
        result = SSL_write_ex(s->ssl, data, len, &n);
        if (result == 1) {
            total += n;
            skip_over(&pieces, &skip, n);
        }
    }
    s->write_wants_read = result != 1 && SSL_want_read(s->ssl);
    if (result == 1)
        return (ssize_t)total;
    ssize_t why = explain(t, s, result);
    if (why == 0) { /* the client has closed, and reads nothing */
        errno = EPIPE;
        why = -1;
    }
    return total > 0 ? (ssize_t)total : why;
}

static size_t tls_pending(const struct transport *t)
{
    const struct tls_socket *s = state_of(t);
    int ready;

    if (!s->ssl || s->has_failed || s->owes_end)
        return s->owes_end;
    ready = SSL_pending(s->ssl);
    if (ready > 0)
        return (size_t)ready;
    return !s->is_starved && SSL_has_pending(s->ssl) ? RECORD_BYTES : 0;
}

static int tls_wants(const struct transport *t, int events)
{
    const struct tls_socket *s = state_of(t);
    int wanted = events & ~(UV_READABLE | UV_WRITABLE);

    if (events & UV_READABLE)
        wanted |= s->read_wants_write ? UV_WRITABLE : UV_READABLE;
    if (events & UV_WRITABLE)
        wanted |= s->write_wants_read ? UV_READABLE : UV_WRITABLE;
    return wanted;
}

static const char *tls_peer(const struct transport *t)
{
    return state_of(t)->peer;
}

static const struct transport_ops tls_ops = {
    .read = tls_read,
    .write = tls_write,
    .pending = tls_pending,
    .wants = tls_wants,
    .open = tls_open,
    .shake = tls_shake,
    .end = tls_end,
    .close = tls_close,
    .peer = tls_peer,
    .shake_bytes = TLS_SHAKE_BYTES,
};

struct transport_source tls_transport(struct tls *tls)
{
    return (struct transport_source){.ops = &tls_ops, .ctx = tls};
}
