/* TLS as a transport: HTTP over it, with OpenSSL as the client, in pieces of any size. */
#include "net/tls.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <sys/stat.h>

#include "../cmocka_all.h"
#include "../http/harness.h"
#include "../temp_directory.h"
#include "base/container_of.h"
#include "certificates.h"
#include "net/listen.h"
#include "net/tls_transport.h"

enum { ROUNDS_MAX = 100000, PATH_SIZE = 256 };

/* ---- What there is ---- */

static struct harness harness;
static char *directory;
static char cert_file[PATH_SIZE], key_file[PATH_SIZE], ca_file[PATH_SIZE];
static struct identity server_identity, client_ca, client_identity;
static struct tls_options options;
static struct tls *tls;
static struct transport_source source;

static void path_of(char path[PATH_SIZE], const char *name)
{
    snprintf(path, PATH_SIZE, "%s/%s", directory, name);
}

static int set_up(void **state)
{
    harness_init(&harness);
    directory = temp_directory_new();
    path_of(cert_file, "cert.pem");
    path_of(key_file, "key.pem");
    path_of(ca_file, "ca.pem");
    server_identity = identity_make(&(struct identity_options){.common_name = "localhost"});
    client_ca = identity_make(&(struct identity_options){.common_name = "clients"});
    client_identity =
        identity_make(&(struct identity_options){.common_name = "shop", .issuer = &client_ca});
    identity_write(&server_identity, cert_file, key_file);
    identity_write(&client_ca, ca_file, NULL);
    options = (struct tls_options){.cert_file = cert_file, .key_file = key_file};
    return 0;
}

static void start(void)
{
    struct errbuf err = ERRBUF_INIT;

    tls = tls_new(&options, &err);
    if (!tls)
        fail_msg("%s", err.text);
    source = tls_transport(tls);
}

static int tear_down(void **state)
{
    harness_release(&harness);
    tls_free(tls);
    tls = NULL;
    identity_release(&server_identity);
    identity_release(&client_ca);
    identity_release(&client_identity);
    temp_directory_free(directory);
    ERR_clear_error();
    return 0;
}

/* There may be several connections: the harness looks after one. */
static void run_loop(void)
{
    uv_run(&harness.thread->net.uv, UV_RUN_NOWAIT);
    if (!harness.thread->net.sockets)
        harness.connection = NULL;
}

/* ---- A client ---- */

struct client {
    SSL_CTX *context;
    SSL *ssl;
    BIO *in, *out;
    int fd;
    size_t pieces; /* bytes that go and come at once, at most; 0: any */
    uint32_t random;
    bool has_closed; /* the server */
};

static size_t piece_of(struct client *c, size_t len)
{
    c->random ^= c->random << 13;
    c->random ^= c->random >> 17;
    c->random ^= c->random << 5;
    return c->pieces ? 1 + c->random % c->pieces : len;
}

/* Connects; `c->context` may be there already, to resume. */
static void open_client(struct client *c, const struct identity *identity)
{
    int pair[2];

    if (!c->context)
        c->context = SSL_CTX_new(TLS_client_method());
    if (identity) {
        SSL_CTX_use_certificate(c->context, identity->certificate);
        SSL_CTX_use_PrivateKey(c->context, identity->key);
    }
    c->ssl = SSL_new(c->context);
    c->in = BIO_new(BIO_s_mem());
    c->out = BIO_new(BIO_s_mem());
    SSL_set_bio(c->ssl, c->in, c->out);
    SSL_set_connect_state(c->ssl);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    c->fd = pair[1];
    c->has_closed = false;
    harness.shared.net.sockets_open++;
    harness.connection = exchange_new(harness.thread, &source, pair[0], NULL, false);
    assert_non_null(harness.connection);
}

/* The same by a port, so that the loop itself accepts, and looks at the time. */
static void open_client_by_port(struct client *c)
{
    static unsigned port;
    int own;

    if (!harness.thread->net.listeners) {
        struct net_listener listener = {.by = source};
        struct errbuf err = ERRBUF_INIT;

        port = 0;
        assert_int_equal(listen_open("127.0.0.1", &port, &listener.fd, 1, &err), 0);
        assert_int_equal(net_loop_add_listener(&harness.thread->net, &listener, &err), 0);
        assert_int_equal(net_loop_listen(&harness.thread->net, &err), 0);
    }
    open_client(c, NULL);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    own = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(own, (struct sockaddr *)&address, sizeof(address)), 0);
    fcntl(own, F_SETFL, O_NONBLOCK);
    close(c->fd); /* what open_client has connected */
    c->fd = own;
    while (harness.thread->net.sockets_len == 0 ||
           harness.connection ==
               container_of(harness.thread->net.sockets, struct connection, socket))
        run_loop();
    harness.connection = container_of(harness.thread->net.sockets, struct connection, socket);
}

static void close_client(struct client *c)
{
    SSL_free(c->ssl);
    c->ssl = NULL;
    close(c->fd);
    for (int i = 0; i < 10; i++)
        run_loop();
}

static void forget_client(struct client *c)
{
    SSL_CTX_free(c->context);
    c->context = NULL;
}

/* Moves bytes in both directions, once, and lets the loop run. */
static void move_bytes(struct client *c)
{
    char data[20000];
    char *waiting_bytes;
    size_t left = (size_t)BIO_get_mem_data(c->out, &waiting_bytes), n = piece_of(c, left);
    ssize_t got;

    got = left ? send(c->fd, waiting_bytes, n < left ? n : left, MSG_NOSIGNAL) : 0;
    if (got > 0)
        BIO_read(c->out, data, (int)(got < 20000 ? got : 20000));
    run_loop();
    n = piece_of(c, sizeof(data));
    got = recv(c->fd, data, n < sizeof(data) ? n : sizeof(data), 0);
    if (got > 0)
        BIO_write(c->in, data, (int)got);
    c->has_closed |= got == 0 || (got < 0 && errno != EAGAIN);
}

/* Until both have shaken hands, or the server has closed. */
static bool shake(struct client *c)
{
    for (int i = 0; i < ROUNDS_MAX && !c->has_closed; i++) {
        int done = SSL_do_handshake(c->ssl);

        move_bytes(c);
        if (done == 1 && BIO_pending(c->out) == 0)
            return true;
    }
    return false;
}

/* Sends `text` and collects what comes, until the server says that it was the last. */
static void talk(struct client *c, struct slice text, struct buffer *answers)
{
    size_t at = 0;
    bool is_open = true;

    for (int i = 0; i < ROUNDS_MAX && is_open; i++) {
        char data[20000];
        size_t len = text.len - at < 3000 ? text.len - at : 3000;
        int n = len ? SSL_write(c->ssl, text.data + at, (int)len) : 0;

        if (n > 0)
            at += (size_t)n;
        move_bytes(c);
        n = SSL_read(c->ssl, data, sizeof(data));
        if (n > 0)
            buffer_append(answers, data, (size_t)n);
        else
            is_open = SSL_get_error(c->ssl, n) == SSL_ERROR_WANT_READ &&
                      !(c->has_closed && BIO_pending(c->in) == 0);
    }
    assert_false(is_open);
}

static void ask(struct client *c, const char *text, struct buffer *answers)
{
    buffer_clear(answers);
    talk(c, slice_of_string(text), answers);
}

static bool has(const struct buffer *b, const char *text)
{
    return b->len && memmem(b->data, b->len, text, strlen(text));
}

static void assert_nothing_is_left(void)
{
    for (int i = 0; i < 10; i++)
        run_loop();
    assert_int_equal(harness.thread->requests_under_way, 0);
    assert_int_equal(harness.thread->net.sockets_len, 0);
    assert_int_equal(harness.shared.net.sockets_open, 0);
    assert_int_equal(ledger_used(&harness.ledger), 0);
}

#define GET_AND_CLOSE "GET /static HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

/* ---- Bytes ---- */

static void make_requests(struct buffer *requests)
{
    char body[900];

    for (unsigned i = 0; i < 20; i++) {
        size_t len = i * 47;

        memset(body, 'a' + (int)i, sizeof(body));
        buffer_appendf(requests, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n",
                       len);
        buffer_append(requests, body, len);
        if (i % 5 == 0)
            buffer_append_string(requests, "GET /items/5 HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    buffer_append_string(requests, GET_AND_CLOSE);
}

/* What the bodies of the answers hold of each letter. */
static void count_letters(const struct buffer *b, size_t counts[26])
{
    memset(counts, 0, 26 * sizeof(*counts));
    for (size_t i = 4; i < b->len; i++) {
        char c = b->data[i];

        if (c >= 'a' && c <= 't' && b->data[i - 1] == c && b->data[i - 2] == c)
            counts[c - 'a']++;
    }
}

static void the_answers_are_whole_whatever_the_pieces(void **state)
{
    struct buffer requests, answers;

    start();
    buffer_init(&requests, 1 << 20);
    buffer_init(&answers, 1 << 20);
    make_requests(&requests);
    for (uint32_t seed = 1; seed <= 30; seed++) {
        struct client c = {.random = seed, .pieces = seed % 3 ? seed * 13 : 0};
        size_t counts[26];

        open_client(&c, NULL);
        assert_true(shake(&c));
        buffer_clear(&answers);
        talk(&c, buffer_slice(&requests), &answers);
        count_letters(&answers, counts);
        for (size_t i = 1; i < 20; i++)
            assert_int_equal(counts[i], i * 47 - 2);
        assert_true(has(&answers, "static"));
        assert_int_equal(SSL_get_shutdown(c.ssl) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
        close_client(&c);
        forget_client(&c);
        assert_nothing_is_left();
    }
    buffer_release(&requests);
    buffer_release(&answers);
}

/* The client lets its answer wait in full buffers, and takes it later. */
static void an_answer_waits_for_its_client(void **state)
{
    struct client c = {.random = 1};
    struct buffer answers;
    char *body = malloc(90000);

    memset(body, 'x', 90000);
    start();
    buffer_init(&answers, 1 << 21);
    open_client(&c, NULL);
    setsockopt(harness.connection->socket.transport.fd, SOL_SOCKET, SO_SNDBUF, &(int){4096},
               sizeof(int));
    assert_true(shake(&c));
    const char request[] = "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_int_equal(SSL_write(c.ssl, request, sizeof(request) - 1), sizeof(request) - 1);
    for (int i = 0; i < 10 && !stream; i++)
        move_bytes(&c);
    assert_non_null(stream);
    for (int i = 0; i < 9; i++) {
        char *piece = body + i * 10000;
        (void)!http_stream_write(stream, slice_of(piece, 10000)); /* room or not */
        for (int k = 0; k < 5; k++)
            run_loop(); /* the client reads nothing */
    }
    http_stream_end(stream);
    talk(&c, slice_of_string("GET /static HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
         &answers);
    size_t x = 0;
    for (size_t i = 0; i < answers.len; i++)
        x += answers.data[i] == 'x';
    assert_true(x >= 90000);
    assert_true(has(&answers, "static"));
    close_client(&c);
    forget_client(&c);
    assert_nothing_is_left();
    buffer_release(&answers);
    free(body);
}

static void a_connection_that_is_cut_was_not_ended(void **state)
{
    struct client c = {.random = 1};
    const char half[] = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf";

    start();
    open_client(&c, NULL);
    assert_true(shake(&c));
    assert_int_equal(SSL_write(c.ssl, half, sizeof(half) - 1), sizeof(half) - 1);
    for (int i = 0; i < 5; i++)
        move_bytes(&c);
    assert_non_null(harness.connection->message);
    shutdown(c.fd, SHUT_WR); /* without TLS's own word for it */
    for (int i = 0; i < 5; i++)
        move_bytes(&c);
    assert_true(c.has_closed);
    assert_true(SSL_read(c.ssl, (char[1]){0}, 1) <= 0); /* no answer */
    close_client(&c);
    forget_client(&c);
    assert_nothing_is_left();
}

/* It is in OpenSSL's hands then, and the socket does not tell of it. */
static void a_request_that_comes_with_the_end_of_the_handshake_is_read(void **state)
{
    struct client c = {.random = 1};
    struct buffer answers;

    start();
    buffer_init(&answers, 1 << 20);
    open_client(&c, NULL);
    for (int i = 0; SSL_do_handshake(c.ssl) != 1; i++) {
        assert_true(i < ROUNDS_MAX);
        move_bytes(&c);
    }
    assert_true(BIO_pending(c.out) > 0); /* the end of it is still to be sent */
    ask(&c, GET_AND_CLOSE, &answers);
    assert_true(has(&answers, "static"));
    close_client(&c);
    forget_client(&c);
    buffer_release(&answers);
    assert_nothing_is_left();
}

/* ---- Handshakes ---- */

/* OpenSSL itself would refuse nothing any more: so it is the product that does. */
static void make_openssl_lenient(void)
{
    SSL_CTX *context = tls_context(tls);

    SSL_CTX_set_security_level(context, 0);
    SSL_CTX_free(context);
}

static void versions_before_1_2_are_refused(void **state)
{
    static const int versions[] = {TLS1_VERSION, TLS1_1_VERSION, TLS1_2_VERSION, TLS1_3_VERSION};

    start();
    make_openssl_lenient();
    SSL_CTX *context = tls_context(tls);
    assert_int_equal(SSL_CTX_set_cipher_list(context, "ALL"), 1); /* those of old versions, too */
    SSL_CTX_free(context);
    for (size_t i = 0; i < 4; i++) {
        struct client c = {.random = 1, .context = SSL_CTX_new(TLS_client_method())};

        SSL_CTX_set_security_level(c.context, 0);
        SSL_CTX_set_min_proto_version(c.context, versions[i]);
        SSL_CTX_set_max_proto_version(c.context, versions[i]);
        open_client(&c, NULL);
        assert_int_equal(shake(&c), versions[i] >= TLS1_2_VERSION);
        close_client(&c);
        forget_client(&c);
        assert_nothing_is_left();
    }
    assert_int_equal(harness.thread->net.counters.shaken, 2);
    assert_int_equal(harness.thread->net.counters.unshaken, 2);
}

/* Of TLS 1.2, one by one: forward secret ones that authenticate what they encrypt. */
static void weak_ciphers_are_refused(void **state)
{
    SSL_CTX *any = SSL_CTX_new(TLS_client_method());
    unsigned accepted = 0, refused = 0;

    SSL_CTX_set_security_level(any, 0);
    assert_int_equal(SSL_CTX_set_cipher_list(any, "ALL:COMPLEMENTOFALL"), 1);
    start();
    make_openssl_lenient();
    const STACK_OF(SSL_CIPHER) *ciphers = SSL_CTX_get_ciphers(any);
    for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); i++) {
        const SSL_CIPHER *cipher = sk_SSL_CIPHER_value(ciphers, i);
        struct client c = {.random = 1, .context = SSL_CTX_new(TLS_client_method())};

        if (!strcmp(SSL_CIPHER_get_version(cipher), "TLSv1.3")) { /* all of them are good */
            forget_client(&c);
            continue;
        }
        SSL_CTX_set_security_level(c.context, 0);
        SSL_CTX_set_max_proto_version(c.context, TLS1_2_VERSION);
        assert_int_equal(SSL_CTX_set_cipher_list(c.context, SSL_CIPHER_get_name(cipher)), 1);
        open_client(&c, NULL);
        bool is_good = SSL_CIPHER_is_aead(cipher) && SSL_CIPHER_get_kx_nid(cipher) == NID_kx_ecdhe;
        if (shake(&c)) {
            assert_true(is_good);
            accepted++;
        } else {
            refused++;
        }
        close_client(&c);
        forget_client(&c);
    }
    SSL_CTX_free(any);
    assert_in_range(accepted, 1, 3); /* with the key that the server has */
    assert_in_range(refused, 50, 500);
    assert_nothing_is_left();
}

/* A client of TLS 1.2 asks for a second handshake: it gets none, and costs nobody else anything. */
static void a_second_handshake_is_refused(void **state)
{
    struct client c = {.random = 1, .context = SSL_CTX_new(TLS_client_method())};
    struct client other = {.random = 2};
    struct buffer answers;

    start();
    buffer_init(&answers, 1 << 20);
    SSL_CTX_set_max_proto_version(c.context, TLS1_2_VERSION);
    open_client(&c, NULL);
    assert_true(shake(&c));
    assert_null(SSL_get_current_compression(c.ssl));
    assert_int_equal(SSL_renegotiate(c.ssl), 1);
    for (int i = 0; i < 20; i++) {
        (void)SSL_do_handshake(c.ssl);
        move_bytes(&c);
    }
    assert_int_equal(harness.thread->net.counters.shaken, 1);
    assert_true(SSL_renegotiate_pending(c.ssl) || !SSL_is_init_finished(c.ssl) || c.has_closed);
    open_client(&other, NULL);
    assert_true(shake(&other));
    ask(&other, GET_AND_CLOSE, &answers);
    assert_true(has(&answers, "static"));
    close_client(&other);
    forget_client(&other);
    close_client(&c);
    forget_client(&c);
    buffer_release(&answers);
    assert_nothing_is_left();
}

static void http_1_1_is_chosen_and_other_protocols_are_refused(void **state)
{
    static const struct {
        const char *offered;
        const char *chosen; /* NULL: refused */
    } rows[] = {{"\x02h2\x08http/1.1", "http/1.1"}, {"\x08http/1.1", "http/1.1"}, {"\x02h2", NULL}};

    start();
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct client c = {.random = 1, .context = SSL_CTX_new(TLS_client_method())};
        const unsigned char *chosen = NULL;
        unsigned len = 0;

        SSL_CTX_set_alpn_protos(c.context, (const unsigned char *)rows[i].offered,
                                (unsigned)strlen(rows[i].offered));
        open_client(&c, NULL);
        assert_int_equal(shake(&c), !!rows[i].chosen);
        SSL_get0_alpn_selected(c.ssl, &chosen, &len);
        if (rows[i].chosen)
            assert_memory_equal(chosen, rows[i].chosen, len);
        close_client(&c);
        forget_client(&c);
    }
    assert_nothing_is_left();
}

static int kept(SSL *ssl, SSL_SESSION *session)
{
    SSL_SESSION **to = SSL_get_app_data(ssl);

    SSL_SESSION_free(*to);
    *to = session;
    return 1;
}

/* Connects with `session`, and keeps the next one in it. True: it was resumed. */
static bool resumes(SSL_SESSION **session, int version)
{
    struct client c = {.random = 1, .context = SSL_CTX_new(TLS_client_method())};
    struct buffer answers;

    buffer_init(&answers, 1 << 20);
    SSL_CTX_set_min_proto_version(c.context, version);
    SSL_CTX_set_max_proto_version(c.context, version);
    SSL_CTX_set_session_cache_mode(c.context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(c.context, kept);
    open_client(&c, NULL);
    if (*session)
        SSL_set_session(c.ssl, *session);
    SSL_set_app_data(c.ssl, session);
    assert_true(shake(&c));
    ask(&c, GET_AND_CLOSE, &answers);
    assert_true(has(&answers, "static"));
    bool was = SSL_session_reused(c.ssl);
    SSL_set_shutdown(c.ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN); /* or it is forgotten */
    close_client(&c);
    forget_client(&c);
    buffer_release(&answers);
    return was;
}

/* New files, with other times than those there were. */
static void renew(const struct identity *identity, const char *to_cert, const char *to_key)
{
    identity_write(identity, to_cert, to_key);
    if (to_cert)
        assert_int_equal(utimensat(AT_FDCWD, to_cert, (struct timespec[2]){{1, 0}, {1, 0}}, 0), 0);
}

static void sessions_are_resumed_after_a_renewal_too(void **state)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    struct identity next = identity_make(&(struct identity_options){.common_name = "next"});

    start();
    for (size_t i = 0; i < 2; i++) {
        SSL_SESSION *session = NULL;

        assert_false(resumes(&session, versions[i]));
        assert_true(resumes(&session, versions[i]));
        renew(i ? &server_identity : &next, cert_file, key_file);
        assert_true(tls_look(tls));
        assert_true(resumes(&session, versions[i]));
        SSL_SESSION_free(session);
    }
    identity_release(&next);
    assert_nothing_is_left();
}

static void a_handshake_is_charged_while_it_goes_on(void **state)
{
    struct client c = {.random = 1};

    start();
    open_client(&c, NULL);
    run_loop();
    assert_int_equal(ledger_used(&harness.ledger), 0); /* it has sent nothing */
    assert_int_equal(SSL_do_handshake(c.ssl), -1);
    move_bytes(&c);
    assert_int_equal(ledger_used(&harness.ledger), TLS_SHAKE_BYTES);
    assert_true(shake(&c));
    for (int i = 0; i < 3; i++)
        move_bytes(&c);
    assert_int_equal(ledger_used(&harness.ledger), 0);
    close_client(&c);
    forget_client(&c);
    assert_nothing_is_left();
}

static void without_memory_for_it_a_handshake_waits(void **state)
{
    struct account *bodies = ledger_account(&harness.ledger, LEDGER_BODIES);
    struct client c = {.random = 1};
    size_t taken = 0;

    start();
    while (account_take(bodies, 1024))
        taken += 1024;
    open_client_by_port(&c);
    assert_int_equal(SSL_do_handshake(c.ssl), -1);
    while (!harness.connection->socket.is_put_off)
        move_bytes(&c);
    assert_int_equal(harness.connection->socket.polled, 0); /* or the loop would spin */
    account_give(bodies, taken);
    while (harness.connection->socket.is_put_off) /* until the loop's tick */
        run_loop();
    assert_true(shake(&c));
    close_client(&c);
    forget_client(&c);
    assert_nothing_is_left();
}

static void a_handshake_that_does_not_come_is_timed_out_and_others_go_on(void **state)
{
    struct client slow = {.random = 1}, c = {.random = 1};
    struct buffer answers;

    start();
    buffer_init(&answers, 1 << 20);
    open_client_by_port(&slow);
    SSL_do_handshake(slow.ssl);
    move_bytes(&slow); /* and no further */
    harness.thread->net.timeouts.after_ms[TIMEOUT_SHAKE] = 60000;
    open_client(&c, NULL);
    assert_true(shake(&c));
    ask(&c, GET_AND_CLOSE, &answers);
    assert_true(has(&answers, "static"));
    close_client(&c);
    forget_client(&c);
    assert_int_equal(harness.thread->net.counters.late, 0);
    /* Its deadline passes. */
    struct deadline *d = timeouts_first(&harness.thread->net.timeouts, TIMEOUT_SHAKE);
    assert_non_null(d);
    d->at_ms = 0;
    while (!slow.has_closed) {
        char rest[4096];
        ssize_t n;

        run_loop();
        while ((n = recv(slow.fd, rest, sizeof(rest), 0)) > 0)
            ;
        slow.has_closed = n == 0;
    }
    assert_true(slow.has_closed);
    assert_int_equal(harness.thread->net.counters.late, 1);
    close_client(&slow);
    forget_client(&slow);
    assert_nothing_is_left();
    buffer_release(&answers);
}

static void who_speaks_http_without_tls_is_told(void **state)
{
    struct client c = {.random = 1};
    char text[1000] = "";

    start();
    open_client(&c, NULL);
    assert_int_equal(send(c.fd, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 27, 0), 27);
    for (int i = 0; i < 5; i++)
        run_loop();
    assert_true(recv(c.fd, text, sizeof(text) - 1, 0) > 0);
    assert_non_null(strstr(text, "HTTP/1.1 400 "));
    assert_non_null(strstr(text, "\r\n\r\n{\"detail\":\"this port speaks TLS: the URL has to begin "
                                 "with https\"}"));
    close_client(&c);
    forget_client(&c);
    assert_nothing_is_left();
}

static void what_is_no_handshake_ends_the_connection(void **state)
{
    start();
    for (uint32_t seed = 1; seed <= 200; seed++) {
        struct client c = {.random = seed};
        char noise[300];

        open_client(&c, NULL);
        noise[0] = 0x16; /* a record of a handshake, and then anything */
        noise[1] = 0x03;
        for (size_t i = 2; i < sizeof(noise); i++)
            noise[i] = (char)piece_of(
                &(struct client){.pieces = 256, .random = seed * 977 + (uint32_t)i}, 0);
        assert_int_equal(send(c.fd, noise, sizeof(noise), 0), sizeof(noise));
        for (int i = 0; i < 5; i++)
            run_loop();
        close_client(&c);
        forget_client(&c);
        assert_nothing_is_left();
    }
}

/* ---- Clients' certificates ---- */

/* The name that the server knows the client by; NULL: none; "refused". */
static const char *name_with(const struct identity *identity)
{
    static char name[300];
    struct client c = {.random = 1};
    struct buffer answers;
    const char *found = "refused";

    buffer_init(&answers, 1 << 20);
    open_client(&c, identity);
    if (shake(&c)) {
        for (int i = 0; i < 5 && harness.connection && harness.connection->socket.is_shaking; i++)
            move_bytes(&c);
        if (harness.connection && !c.has_closed) {
            found = net_socket_peer(&harness.connection->socket);
            snprintf(name, sizeof(name), "%s", found ? found : "");
            found = found ? name : NULL;
        }
    }
    close_client(&c);
    forget_client(&c);
    buffer_release(&answers);
    assert_nothing_is_left();
    return found;
}

static void a_client_is_known_by_its_certificate(void **state)
{
    struct identity stranger_ca =
        identity_make(&(struct identity_options){.common_name = "clients"});
    const struct {
        struct identity_options options;
        const char *name;
    } rows[] = {
        {{.common_name = "shop", .issuer = &client_ca}, "shop"},
        {{.common_name = "b\xc3\xa4r", .other_names = "DNS:a", .issuer = &client_ca}, "b\xc3\xa4r"},
        {{.other_names = "DNS:host.example", .issuer = &client_ca}, "host.example"},
        {{.other_names = "IP:127.0.0.1,URI:spiffe://a/b", .issuer = &client_ca}, "spiffe://a/b"},
        {{.issuer = &client_ca, .other_names = "IP:127.0.0.1"}, NULL},
        {{.common_name = "two\nlines", .issuer = &client_ca}, NULL},
        {{.common_name = "shop", .issuer = &stranger_ca}, "refused"},
        {{.common_name = "shop"}, "refused"},
        {{.common_name = "shop", .issuer = &client_ca, .from_s = -200, .until_s = -100}, "refused"},
    };

    options.client_ca_file = ca_file;
    start();
    assert_string_equal(name_with(NULL), "refused");
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct identity identity = identity_make(&rows[i].options);
        const char *name = name_with(&identity);

        if (rows[i].name)
            assert_string_equal(name, rows[i].name);
        else
            assert_null(name);
        identity_release(&identity);
    }
    identity_release(&stranger_ca);
}

static void a_certificate_may_be_left_to_the_client(void **state)
{
    struct identity stranger = identity_make(&(struct identity_options){.common_name = "shop"});

    options.client_ca_file = ca_file;
    options.clients_may_be_unknown = true;
    start();
    assert_null(name_with(NULL));
    assert_string_equal(name_with(&client_identity), "shop");
    assert_string_equal(name_with(&stranger), "refused");
    identity_release(&stranger);
}

static char judged_name[300];
static bool judged_https;

static void judge(const struct http_head *head, struct http_admission *admission, void *ctx)
{
    snprintf(judged_name, sizeof(judged_name), "%s", head->certificate ? head->certificate : "-");
    judged_https = head->is_https;
}

static void who_judges_a_request_is_told_the_clients_name(void **state)
{
    const struct {
        const struct identity *identity;
        const char *request;
        const char *name;
        bool is_https;
    } rows[] = {
        {&client_identity, "Connection: close", "shop", true},
        {NULL, "Connection: close", "-", true},
        /* Nobody has said that this client may speak for others. */
        {NULL, "Connection: close\r\nX-Forwarded-Proto: http", "-", true},
    };
    struct buffer answers;

    buffer_init(&answers, 1 << 20);
    options.client_ca_file = ca_file;
    options.clients_may_be_unknown = true;
    harness.shared.options.hooks.admit = judge;
    start();
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct client c = {.random = 1};
        char request[300];

        snprintf(request, sizeof(request), "GET /slash HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n",
                 rows[i].request);
        open_client(&c, rows[i].identity);
        assert_true(shake(&c));
        ask(&c, request, &answers);
        assert_string_equal(judged_name, rows[i].name);
        assert_int_equal(judged_https, rows[i].is_https);
        assert_true(has(&answers, "Location: https://a/slash/\r\n"));
        close_client(&c);
        forget_client(&c);
    }
    buffer_release(&answers);
    assert_nothing_is_left();
}

/* ---- Files ---- */

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void assert_refused(const char *setting, const char *path, const char *what)
{
    struct errbuf err = ERRBUF_INIT;
    char expected[1024];

    assert_null(tls_new(&options, &err));
    snprintf(expected, sizeof(expected), "%s: %s: %s", setting, path, what);
    assert_string_equal(err.text, expected);
}

static void a_file_that_is_of_no_use_is_named_with_what_is_wrong(void **state)
{
    struct identity other = identity_make(&(struct identity_options){.common_name = "other"});
    char missing[PATH_SIZE], encrypted[PATH_SIZE], fifo[PATH_SIZE], mismatch[700];
    FILE *file;

    path_of(missing, "missing.pem");
    path_of(encrypted, "encrypted.pem");
    options.cert_file = missing;
    assert_refused("TLS_CERT_FILE", missing, "No such file or directory");
    options.cert_file = directory;
    assert_refused("TLS_CERT_FILE", directory, "is no ordinary file");
    path_of(fifo, "pipe.pem"); /* which nobody writes to */
    assert_int_equal(mkfifo(fifo, 0600), 0);
    options.cert_file = fifo;
    assert_refused("TLS_CERT_FILE", fifo, "is no ordinary file");
    options.cert_file = key_file;
    assert_refused("TLS_CERT_FILE", key_file,
                   "has no certificate in PEM (-----BEGIN CERTIFICATE-----) in it");
    options.cert_file = cert_file;
    options.key_file = cert_file;
    assert_refused("TLS_KEY_FILE", cert_file,
                   "has no private key in PEM (-----BEGIN PRIVATE KEY-----) in it");
    write_text(encrypted, "");
    options.key_file = encrypted;
    assert_refused("TLS_KEY_FILE", encrypted,
                   "has no private key in PEM (-----BEGIN PRIVATE KEY-----) in it");
    file = fopen(encrypted, "we");
    PEM_write_PKCS8PrivateKey(file, server_identity.key, EVP_aes_128_cbc(), "secret", 6, NULL,
                              NULL);
    fclose(file);
    assert_refused("TLS_KEY_FILE", encrypted, "its key has a passphrase; allowed: one without");
    options.key_file = key_file;
    identity_write(&other, NULL, key_file);
    snprintf(mismatch, sizeof(mismatch), "is not the key of the certificate in TLS_CERT_FILE, %s",
             cert_file);
    assert_refused("TLS_KEY_FILE", key_file, mismatch);
    identity_write(&server_identity, NULL, key_file);
    options.client_ca_file = key_file;
    assert_refused("TLS_CLIENT_CA_FILE", key_file,
                   "has no certificate in PEM (-----BEGIN CERTIFICATE-----) in it");
    identity_release(&other);
}

/* The common name of the certificate that clients are shown; "": none. */
static const char *shown(void)
{
    static char name[100];
    struct client c = {.random = 1};
    X509 *certificate;

    name[0] = '\0';
    open_client(&c, NULL);
    if (shake(&c) && (certificate = SSL_get1_peer_certificate(c.ssl))) {
        X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name,
                                  sizeof(name));
        X509_free(certificate);
    }
    close_client(&c);
    forget_client(&c);
    return name;
}

static void a_renewed_pair_is_used_and_a_bad_one_is_not(void **state)
{
    struct identity next = identity_make(&(struct identity_options){.common_name = "next"});
    struct client c = {.random = 1};
    struct buffer answers;

    buffer_init(&answers, 1 << 20);
    start();
    open_client(&c, NULL);
    assert_true(shake(&c));
    struct connection *first = harness.connection;
    assert_false(tls_look(tls));
    renew(&next, cert_file, NULL); /* its key is still to come */
    assert_false(tls_look(tls));
    assert_string_equal(shown(), "localhost");
    identity_write(&next, NULL, key_file);
    assert_true(tls_look(tls));
    assert_false(tls_look(tls));
    assert_string_equal(shown(), "next");
    write_text(cert_file, "half a fi");
    assert_false(tls_look(tls));
    assert_false(tls_look(tls));
    assert_int_equal(unlink(key_file), 0);
    assert_false(tls_look(tls));
    assert_false(tls_look(tls));
    assert_string_equal(shown(), "next");
    harness.connection = first;
    ask(&c, GET_AND_CLOSE, &answers); /* opened before all of it */
    assert_true(has(&answers, "static"));
    identity_write(&server_identity, cert_file, key_file);
    assert_true(tls_look(tls));
    assert_string_equal(shown(), "localhost");
    close_client(&c);
    forget_client(&c);
    identity_release(&next);
    buffer_release(&answers);
    assert_nothing_is_left();
}

static void an_expired_certificate_is_used_all_the_same(void **state)
{
    struct identity old = identity_make(
        &(struct identity_options){.common_name = "old", .from_s = -200, .until_s = -100});

    identity_write(&old, cert_file, key_file);
    start();
    assert_string_equal(shown(), "old");
    identity_release(&old);
}

int main(void)
{
    setenv("OPENSSL_CONF", "/dev/null", 1); /* what the system refuses is not the question */
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(the_answers_are_whole_whatever_the_pieces),
        TEST(an_answer_waits_for_its_client),
        TEST(a_connection_that_is_cut_was_not_ended),
        TEST(a_request_that_comes_with_the_end_of_the_handshake_is_read),
        TEST(versions_before_1_2_are_refused),
        TEST(weak_ciphers_are_refused),
        TEST(a_second_handshake_is_refused),
        TEST(http_1_1_is_chosen_and_other_protocols_are_refused),
        TEST(sessions_are_resumed_after_a_renewal_too),
        TEST(a_handshake_is_charged_while_it_goes_on),
        TEST(without_memory_for_it_a_handshake_waits),
        TEST(a_handshake_that_does_not_come_is_timed_out_and_others_go_on),
        TEST(who_speaks_http_without_tls_is_told),
        TEST(what_is_no_handshake_ends_the_connection),
        TEST(a_client_is_known_by_its_certificate),
        TEST(a_certificate_may_be_left_to_the_client),
        TEST(who_judges_a_request_is_told_the_clients_name),
        TEST(a_file_that_is_of_no_use_is_named_with_what_is_wrong),
        TEST(a_renewed_pair_is_used_and_a_bad_one_is_not),
        TEST(an_expired_certificate_is_used_all_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
