#include "cache/redis/connection.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/state.h"

enum {
    READ_SIZE = 64 * 1024,
    READER_KEEP = 1 << 20, /* a reader's memory up to this is kept for the next reply */
    LOGIN_BYTES_MAX = 4096,
};

/* ---- The server ---- */

static int tls_fail(struct errbuf *err, const char *what)
{
    char text[256] = "no reason given";
    unsigned long code = ERR_peek_last_error();

    if (code)
        ERR_error_string_n(code, text, sizeof(text));
    ERR_clear_error();
    errbuf_set(err, "%s: %s", what, text);
    return LM_EINVAL;
}

static int set_up_tls(struct redis_server *s, const char *ca_file, struct errbuf *err)
{
    s->tls = SSL_CTX_new(TLS_client_method());
    if (!s->tls)
        return tls_fail(err, "cannot set up TLS");
    SSL_CTX_set_min_proto_version(s->tls, TLS1_2_VERSION);
    SSL_CTX_set_verify(s->tls, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(s->tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    int ok = ca_file ? SSL_CTX_load_verify_locations(s->tls, ca_file, NULL)
                     : SSL_CTX_set_default_verify_paths(s->tls);
    if (ok != 1)
        return tls_fail(err, "cannot read the certificates that are to vouch for Redis");
    return 0;
}

int redis_server_init(struct redis_server *s, const char *url, const char *ca_file,
                      struct errbuf *err)
{
    *s = (struct redis_server){0};
    int error = redis_url_parse(url, &s->url, err);
    if (error)
        return error;
    if (s->url.tls)
        error = set_up_tls(s, ca_file, err);
    if (error) {
        redis_server_release(s);
        return error;
    }
    if (s->url.host)
        s->resolve = redis_resolve_new(s->url.host, s->url.port);
    return 0;
}

void redis_server_release(struct redis_server *s)
{
    SSL_CTX_free(s->tls);
    redis_resolve_free(s->resolve);
    redis_url_release(&s->url);
    *s = (struct redis_server){0};
}

/* ---- Life ---- */

static const state_moves moves[REDIS_CONNECTION_STATES] = {
    [REDIS_CLOSED] = STATE(REDIS_CONNECTING),
    [REDIS_CONNECTING] = STATE(REDIS_LOGGING_IN) | STATE(REDIS_CLOSED),
    [REDIS_LOGGING_IN] = STATE(REDIS_READY) | STATE(REDIS_CLOSED),
    [REDIS_READY] = STATE(REDIS_LISTENING) | STATE(REDIS_CLOSED),
    [REDIS_LISTENING] = STATE(REDIS_CLOSED),
};

static void move(struct redis_connection *c, enum redis_connection_state to)
{
    CHECK(state_may_move(moves, c->state, to));
    c->state = to;
    CHECKED(redis_connection_check(c));
}

void redis_connection_check(const struct redis_connection *c)
{
    const state_moves logged_in = STATE(REDIS_LOGGING_IN) | STATE(REDIS_READY);
    const state_moves talking = logged_in | STATE(REDIS_LISTENING);

    CHECK((c->fd >= 0) == (c->state != REDIS_CLOSED));
    CHECK(!c->reader == !state_in(c->state, talking));
    CHECK(!c->ssl || (c->server->tls && c->state != REDIS_CLOSED));
    CHECK(!state_in(c->state, talking) || !c->ssl == !c->server->tls);
    CHECK(c->owed == 0 || state_in(c->state, logged_in));
    CHECK(!c->run_id[0] || state_in(c->state, talking));
}

void redis_connection_init(struct redis_connection *c, const struct redis_server *server)
{
    *c = (struct redis_connection){.server = server, .fd = -1};
}

void redis_connection_close(struct redis_connection *c)
{
    CHECKED(redis_connection_check(c));
    if (c->state == REDIS_CLOSED)
        return;
    SSL_free(c->ssl);
    c->ssl = NULL;
    close(c->fd);
    c->fd = -1;
    redisReaderFree(c->reader); /* NULL: nothing */
    c->reader = NULL;
    c->owed = 0;
    c->run_id[0] = '\0';
    move(c, REDIS_CLOSED);
}

void redis_connection_release(struct redis_connection *c)
{
    redis_connection_close(c);
}

/* Closes, and returns `error` with the server's name before the reason. */
static int fail(struct redis_connection *c, int error, struct errbuf *err, const char *reason)
{
    redis_connection_close(c);
    errbuf_set(err, "Redis at %s: %s", c->server->url.name, reason);
    return error;
}

/* Waits until `events` can go on; 0, LM_ETIMEOUT or LM_EIO. */
static int wait_for(int fd, short events, uint64_t deadline_us)
{
    for (;;) {
        struct pollfd p = {.fd = fd, .events = events};
        uint64_t now = clock_monotonic_us();
        int n;

        if (now >= deadline_us)
            return LM_ETIMEOUT;
        n = poll(&p, 1, (int)((deadline_us - now) / 1000 + 1));
        if (n > 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return LM_EIO;
    }
}

/* ---- Connecting ---- */

static int connect_address(struct redis_connection *c, const struct sockaddr *address,
                           socklen_t len, uint64_t deadline_us, struct errbuf *err)
{
    int reason = 0, one = 1;
    socklen_t reason_len = sizeof(reason);

    c->fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (c->fd < 0)
        return fail(c, LM_EUNAVAILABLE, err, "no socket could be had");
    move(c, REDIS_CONNECTING);
    if (address->sa_family != AF_UNIX)
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (connect(c->fd, address, len) == 0)
        return 0;
    if (errno != EINPROGRESS)
        return fail(c, LM_EUNAVAILABLE, err, strerror(errno));
    int error = wait_for(c->fd, POLLOUT, deadline_us);
    if (error == LM_ETIMEOUT)
        return fail(c, error, err, "no connection in time");
    if (error || getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &reason, &reason_len) || reason)
        return fail(c, LM_EUNAVAILABLE, err, strerror(reason ? reason : EIO));
    return 0;
}

static int connect_path(struct redis_connection *c, uint64_t deadline_us, struct errbuf *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(c->server->url.path);

    if (len >= sizeof(address.sun_path))
        return fail(c, LM_EUNAVAILABLE, err, "the path is too long for a socket");
    memcpy(address.sun_path, c->server->url.path, len);
    return connect_address(c, (struct sockaddr *)&address, sizeof(address), deadline_us, err);
}

static int connect_host(struct redis_connection *c, uint64_t deadline_us, struct errbuf *err)
{
    struct redis_resolve_address addresses[REDIS_RESOLVE_ADDRESSES_MAX];
    size_t n;
    int error = redis_resolve_lookup(c->server->resolve, deadline_us, addresses, &n, err);

    if (error)
        return error;
    for (size_t i = 0; i < n; i++) {
        error = connect_address(c, (struct sockaddr *)&addresses[i].address, addresses[i].len,
                                deadline_us, err);
        if (!error)
            break;
    }
    return error;
}

/* What `rc` of an SSL_… call asks for: 0 once it may be called again, else as wait_for. */
static int wait_for_tls(struct redis_connection *c, int rc, uint64_t deadline_us)
{
    switch (SSL_get_error(c->ssl, rc)) {
    case SSL_ERROR_WANT_READ:
        return wait_for(c->fd, POLLIN, deadline_us);
    case SSL_ERROR_WANT_WRITE:
        return wait_for(c->fd, POLLOUT, deadline_us);
    default:
        return LM_EIO;
    }
}

/* Says whom the certificate must name. */
static void expect_name(SSL *ssl, const char *host)
{
    struct in6_addr v6;
    struct in_addr v4;

    if (inet_pton(AF_INET, host, &v4) == 1 || inet_pton(AF_INET6, host, &v6) == 1) {
        X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host);
        return;
    }
    SSL_set_tlsext_host_name(ssl, host);
    SSL_set1_host(ssl, host);
}

static int fail_handshake(struct redis_connection *c, int error, struct errbuf *err)
{
    long verified = SSL_get_verify_result(c->ssl);
    struct errbuf reason = ERRBUF_INIT;
    char text[300];

    if (error == LM_ETIMEOUT)
        return fail(c, error, err, "no TLS handshake in time");
    if (verified != X509_V_OK) {
        snprintf(text, sizeof(text), "its certificate is not accepted: %s",
                 X509_verify_cert_error_string(verified));
        ERR_clear_error();
        return fail(c, LM_EUNAVAILABLE, err, text);
    }
    tls_fail(&reason, "the TLS handshake failed");
    return fail(c, LM_EUNAVAILABLE, err, reason.text);
}

static int shake_hands(struct redis_connection *c, uint64_t deadline_us, struct errbuf *err)
{
    int rc;

    c->ssl = SSL_new(c->server->tls);
    if (!c->ssl)
        return fail(c, LM_EUNAVAILABLE, err, "no memory for TLS");
    SSL_set_fd(c->ssl, c->fd);
    expect_name(c->ssl, c->server->url.host);
    while ((rc = SSL_connect(c->ssl)) != 1) {
        int error = wait_for_tls(c, rc, deadline_us);

        if (error)
            return fail_handshake(c, error, err);
    }
    return 0;
}

/* ---- Logging in ---- */

/* AUTH if there is a password, SELECT if there is a database, and INFO. */
static size_t append_login(struct buffer *b, const struct redis_url *u)
{
    size_t commands = 1;

    if (u->password) {
        redis_command_begin(b, u->user ? 3 : 2);
        redis_command_add(b, SLICE_LITERAL("AUTH"));
        if (u->user)
            redis_command_add(b, slice_of_string(u->user));
        redis_command_add(b, slice_of_string(u->password));
        commands++;
    }
    if (u->db) {
        redis_command_begin(b, 2);
        redis_command_add(b, SLICE_LITERAL("SELECT"));
        redis_command_add_u64(b, u->db);
        commands++;
    }
    redis_command_begin(b, 2);
    redis_command_add(b, SLICE_LITERAL("INFO"));
    redis_command_add(b, SLICE_LITERAL("server"));
    return commands;
}

/* Keeps the run_id that stands in an INFO reply, if any does. */
static void keep_run_id(struct redis_connection *c, const redisReply *reply)
{
    static const char name[] = "run_id:";
    const char *at = reply->type == REDIS_REPLY_STRING ? strstr(reply->str, name) : NULL;
    size_t len = 0;

    if (!at)
        return;
    at += sizeof(name) - 1;
    while (len < REDIS_RUN_ID_MAX && at[len] > ' ')
        len++;
    memcpy(c->run_id, at, len);
    c->run_id[len] = '\0';
}

/*
 * Takes the replies to append_login. A server that does not let us see INFO has no run_id for us;
 * any other refusal is an error, in the server's words, which never hold a password.
 */
static int take_login(struct redis_connection *c, size_t commands, uint64_t deadline_us,
                      struct errbuf *err)
{
    while (commands-- > 0) {
        redisReply *reply;
        int error = redis_connection_receive(c, &reply, deadline_us, err);

        if (error)
            return error;
        if (reply->type == REDIS_REPLY_ERROR &&
            (commands > 0 || strncmp(reply->str, "NOPERM", 6) != 0)) {
            char text[300];

            snprintf(text, sizeof(text), "it refuses us: %s", reply->str);
            freeReplyObject(reply);
            return fail(c, LM_EINVAL, err, text);
        }
        if (commands == 0)
            keep_run_id(c, reply);
        freeReplyObject(reply);
    }
    return 0;
}

static int log_in(struct redis_connection *c, uint64_t deadline_us, struct errbuf *err)
{
    struct buffer text;

    buffer_init(&text, LOGIN_BYTES_MAX);
    size_t commands = append_login(&text, &c->server->url);
    int error = buffer_error(&text);
    if (error)
        error = fail(c, LM_EINVAL, err, "user and password are too long");
    else
        error = redis_connection_send(c, buffer_slice(&text), commands, deadline_us, err);
    if (text.data)
        explicit_bzero(text.data, text.capacity);
    buffer_release(&text);
    return error ? error : take_login(c, commands, deadline_us, err);
}

int redis_connection_open(struct redis_connection *c, uint64_t deadline_us, struct errbuf *err)
{
    const struct redis_url *url = &c->server->url;

    CHECK(c->state == REDIS_CLOSED);
    int error = url->path ? connect_path(c, deadline_us, err) : connect_host(c, deadline_us, err);
    if (!error && url->tls)
        error = shake_hands(c, deadline_us, err);
    if (error)
        return error;
    c->reader = redisReaderCreate();
    if (!c->reader)
        return fail(c, LM_EUNAVAILABLE, err, "out of memory");
    c->reader->maxbuf = READER_KEEP;
    move(c, REDIS_LOGGING_IN);
    error = log_in(c, deadline_us, err);
    if (!error)
        move(c, REDIS_READY);
    return error;
}

/* ---- Bytes ---- */

/* Sends some of `bytes`: how many, or 0 with `error` set, where 0 means "again". */
static size_t send_some(struct redis_connection *c, struct slice bytes, uint64_t deadline_us,
                        int *error)
{
    *error = 0;
    if (c->ssl) {
        int n = SSL_write(c->ssl, bytes.data, bytes.len > INT32_MAX ? INT32_MAX : (int)bytes.len);

        if (n > 0)
            return (size_t)n;
        *error = wait_for_tls(c, n, deadline_us);
    } else {
        ssize_t n = send(c->fd, bytes.data, bytes.len, MSG_NOSIGNAL);

        if (n > 0)
            return (size_t)n;
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            *error = wait_for(c->fd, POLLOUT, deadline_us);
        else if (errno != EINTR)
            *error = LM_EIO;
    }
    return 0;
}

static size_t receive_some(struct redis_connection *c, char *bytes, size_t size,
                           uint64_t deadline_us, int *error)
{
    *error = 0;
    if (c->ssl) {
        int n = SSL_read(c->ssl, bytes, (int)size);

        if (n > 0)
            return (size_t)n;
        *error = wait_for_tls(c, n, deadline_us);
    } else {
        ssize_t n = recv(c->fd, bytes, size, 0);

        if (n > 0)
            return (size_t)n;
        if (n == 0)
            *error = LM_EIO;
        else if (errno == EAGAIN || errno == EWOULDBLOCK)
            *error = wait_for(c->fd, POLLIN, deadline_us);
        else if (errno != EINTR)
            *error = LM_EIO;
    }
    return 0;
}

static int fail_transfer(struct redis_connection *c, int error, struct errbuf *err)
{
    ERR_clear_error();
    return fail(c, error, err,
                error == LM_ETIMEOUT ? "no answer in time" : "the connection was closed");
}

int redis_connection_send(struct redis_connection *c, struct slice bytes, size_t replies,
                          uint64_t deadline_us, struct errbuf *err)
{
    CHECKED(redis_connection_check(c));
    CHECK(c->state == REDIS_LOGGING_IN || c->state == REDIS_READY);
    c->owed += replies;
    while (bytes.len > 0) {
        int error;
        size_t n = send_some(c, bytes, deadline_us, &error);

        if (error)
            return fail_transfer(c, error, err);
        bytes = slice_of(bytes.data + n, bytes.len - n);
    }
    return 0;
}

int redis_connection_receive(struct redis_connection *c, redisReply **reply, uint64_t deadline_us,
                             struct errbuf *err)
{
    char bytes[READ_SIZE];
    void *got = NULL;

    CHECKED(redis_connection_check(c));
    CHECK(c->owed > 0 || c->state == REDIS_LISTENING);
    for (;;) {
        int error;
        size_t n;

        if (redisReaderGetReply(c->reader, &got) != REDIS_OK)
            return fail(c, LM_EIO, err, "it does not speak the Redis protocol");
        if (got) {
            if (c->state != REDIS_LISTENING)
                c->owed--;
            *reply = got;
            return 0;
        }
        n = receive_some(c, bytes, sizeof(bytes), deadline_us, &error);
        /* A server that sends on and on, byte by byte, is late like one that is silent. */
        if (!error && clock_monotonic_us() >= deadline_us)
            error = LM_ETIMEOUT;
        if (error)
            return fail_transfer(c, error, err);
        if (n > 0 && redisReaderFeed(c->reader, bytes, n) != REDIS_OK)
            return fail(c, LM_EIO, err, "out of memory for a reply");
    }
}

void redis_connection_listen(struct redis_connection *c)
{
    CHECK(c->owed == 0);
    move(c, REDIS_LISTENING);
}

int redis_connection_wait(struct redis_connection *c, uint64_t deadline_us)
{
    CHECKED(redis_connection_check(c));
    CHECK(c->state == REDIS_LISTENING);
    if (c->ssl && SSL_pending(c->ssl) > 0)
        return 0;
    return wait_for(c->fd, POLLIN, deadline_us);
}

/* ---- Writing commands ---- */

void redis_command_begin(struct buffer *b, size_t arguments)
{
    buffer_append_char(b, '*');
    buffer_append_u64(b, arguments);
    buffer_append_slice(b, SLICE_LITERAL("\r\n"));
}

void redis_command_add(struct buffer *b, struct slice argument)
{
    buffer_append_char(b, '$');
    buffer_append_u64(b, argument.len);
    buffer_append_slice(b, SLICE_LITERAL("\r\n"));
    buffer_append_slice(b, argument);
    buffer_append_slice(b, SLICE_LITERAL("\r\n"));
}

void redis_command_add_u64(struct buffer *b, uint64_t argument)
{
    char digits[21];
    int len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)argument);

    redis_command_add(b, slice_of(digits, (size_t)len));
}
