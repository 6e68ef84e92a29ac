/*
 * The server's side of a TLS connection, and HTTP above it. The first byte of the input says how:
 * the rest are all bytes of a client that there are; or what comes behind a client's true
 * handshake; or what is changed in the bytes of a true client, by (distance, change) pairs. The
 * second byte says how large the pieces are. What must hold: no fault, no leak, nothing left.
 */
#include <stddef.h>
#include <stdint.h>

#include <openssl/err.h>

#include "../unit/http/harness.h"
#include "../unit/net/certificates.h"
#include "net/tls.h"
#include "net/tls_transport.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum how { RAW, BEHIND_HANDSHAKE, CHANGED, HOWS };

enum { STEPS_MAX = 200, SCRATCH_BYTES = 32768 };

static struct harness harness;
static struct transport_source source;
static SSL_CTX *client_context;

static void begin(void)
{
    char cert[] = "/tmp/fuzz-tls-cert-XXXXXX", key[] = "/tmp/fuzz-tls-key-XXXXXX";
    struct identity identity = identity_make(&(struct identity_options){.common_name = "fuzz"});
    struct errbuf err = ERRBUF_INIT;

    harness_init(&harness);
    close(mkstemp(cert));
    close(mkstemp(key));
    identity_write(&identity, cert, key);
    struct tls *tls = tls_new(&(struct tls_options){.cert_file = cert,
                                                    .key_file = key,
                                                    .client_ca_file = cert,
                                                    .clients_may_be_unknown = true},
                              &err);
    unlink(cert);
    unlink(key);
    identity_release(&identity);
    client_context = SSL_CTX_new(TLS_client_method());
    if (!tls || !client_context)
        abort();
    source = tls_transport(tls);
}

static void rounds(unsigned n)
{
    while (n-- > 0)
        uv_run(&harness.thread->net.uv, UV_RUN_NOWAIT);
}

/* Sends `data` in pieces. */
static void put(int fd, const uint8_t *data, size_t len, size_t piece)
{
    while (len > 0) {
        size_t n = piece && piece < len ? piece : len;
        ssize_t sent_now = send(fd, data, n, MSG_NOSIGNAL);

        rounds(1);
        if (sent_now <= 0)
            return;
        data += sent_now;
        len -= (size_t)sent_now;
    }
}

/* What the next byte of a client is changed by. */
struct changes {
    const uint8_t *data;
    size_t len;
    size_t left; /* bytes to the next one */
};

static void change(struct changes *c, uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len && c->len >= 2; i++) {
        if (c->left-- > 0)
            continue;
        bytes[i] ^= c->data[1];
        c->data += 2;
        c->len -= 2;
        c->left = c->len >= 2 ? c->data[0] : 0;
    }
}

/* A true client shakes hands and asks; its bytes are changed on their way. */
static void talk(int fd, struct changes *changes, size_t piece, bool asks)
{
    static const char request[] = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
    static uint8_t scratch[SCRATCH_BYTES];
    SSL *ssl = SSL_new(client_context);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    bool has_asked = !asks;

    SSL_set_bio(ssl, in, out);
    SSL_set_connect_state(ssl);
    for (int i = 0, idle = 0; i < STEPS_MAX && idle < 3; i++) {
        int done = SSL_do_handshake(ssl), n;

        if (done == 1 && !has_asked)
            has_asked = SSL_write(ssl, request, sizeof(request) - 1) > 0;
        if (done == 1 && has_asked && BIO_pending(out) == 0)
            idle++;
        n = BIO_read(out, scratch, sizeof(scratch));
        if (n > 0) {
            change(changes, scratch, (size_t)n);
            put(fd, scratch, (size_t)n, piece);
        }
        rounds(2);
        ssize_t got = recv(fd, scratch, sizeof(scratch), 0);
        if (got > 0)
            BIO_write(in, scratch, (int)got);
        else if (got == 0 || n <= 0)
            idle++;
        if (done == 1)
            (void)SSL_read(ssl, scratch, sizeof(scratch));
        ERR_clear_error();
    }
    SSL_free(ssl);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int pair[2];

    if (!client_context)
        begin();
    if (size < 2)
        return 0;
    enum how how = data[0] % HOWS;
    size_t piece = data[1];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
        abort();
    data += 2;
    size -= 2;
    harness.shared.net.sockets_open++;
    if (!exchange_new(harness.thread, &source, pair[0], NULL, false))
        abort();
    struct changes changes = {.data = data, .len = how == CHANGED ? size : 0};
    if (how == CHANGED && size >= 2)
        changes.left = data[0];
    if (how != RAW)
        talk(pair[1], &changes, piece, how == CHANGED);
    if (how != CHANGED)
        put(pair[1], data, size, piece);
    close(pair[1]);
    rounds(5);
    if (ledger_used(&harness.ledger) != 0 || harness.thread->requests_under_way != 0 ||
        harness.thread->net.sockets_len != 0 || harness.shared.net.sockets_open != 0)
        abort();
    ERR_clear_error();
    return 0;
}
