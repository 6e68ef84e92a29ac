#include "aws_server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../cmocka_all.h"
#include "base/xalloc.h"

enum { CONNECTIONS_MAX = 512, REQUEST_BYTES_MAX = 16 << 20, ANSWER_BYTES_MAX = 64 << 20 };

struct connection {
    struct aws_server *server;
    pthread_t thread;
    int fd;
};

struct aws_server {
    aws_server_fn *fn;
    void *ctx;
    char url[64];
    int listener;
    pthread_t thread;
    pthread_mutex_t lock; /* of the calls */
    struct connection connections[CONNECTIONS_MAX];
    _Atomic size_t connections_len;
    _Atomic size_t hanging_len; /* the first so many hang */
};

const char *aws_server_text(yyjson_val *request, const char *name)
{
    const char *text = yyjson_get_str(yyjson_obj_get(request, name));

    return text ? text : "";
}

static bool read_more(struct connection *c, struct buffer *in)
{
    char bytes[16384];
    ssize_t n = read(c->fd, bytes, sizeof(bytes));

    if (n > 0)
        buffer_append(in, bytes, (size_t)n);
    return n > 0;
}

/* The value of a header, up to the line's end; "" where it is not there. */
static const char *header(const char *head, const char *name)
{
    const char *at = strcasestr(head, name);

    return at ? at + strlen(name) : "";
}

/* Reads a request, and takes its action and its body, which `in` then is. */
static bool read_request(struct connection *c, struct buffer *in, char action[64])
{
    const char *end = NULL;

    while (!end) {
        if (!read_more(c, in))
            return false;
        buffer_append_char(in, '\0');
        in->len--;
        end = strstr(in->data, "\r\n\r\n");
    }
    const char *target = strchr(header(in->data, "\r\nX-Amz-Target: "), '.');
    size_t head = (size_t)(end - in->data) + 4;
    size_t len = strtoul(header(in->data, "\r\nContent-Length: "), NULL, 10);

    assert_non_null(target);
    snprintf(action, 64, "%.*s", (int)strcspn(target + 1, "\r"), target + 1);
    while (in->len < head + len)
        if (!read_more(c, in))
            return false;
    memmove(in->data, in->data + head, len);
    in->len = len;
    return true;
}

/* Returns false if the connection is to hang. */
static bool answer(struct connection *c, const char *action, struct slice request)
{
    yyjson_doc *doc = yyjson_read(request.data, request.len, 0);
    struct buffer text, head;

    assert_non_null(doc);
    buffer_init(&text, ANSWER_BYTES_MAX);
    buffer_init(&head, 256);
    pthread_mutex_lock(&c->server->lock);
    int status = 0;
    if ((size_t)(c - c->server->connections) >= c->server->hanging_len)
        status = c->server->fn(action, yyjson_doc_get_root(doc), &text, c->server->ctx);
    pthread_mutex_unlock(&c->server->lock);
    buffer_appendf(&head, "HTTP/1.1 %d -\r\nContent-Length: %zu\r\n\r\n", status, text.len);
    if (status != 0) {
        ssize_t n = send(c->fd, head.data, head.len, MSG_NOSIGNAL);

        for (size_t at = 0; n > 0 && at < text.len; at += (size_t)n)
            n = send(c->fd, text.data + at, text.len - at, MSG_NOSIGNAL);
    }
    buffer_release(&head);
    buffer_release(&text);
    yyjson_doc_free(doc);
    return status != 0;
}

static void *serve(void *arg)
{
    struct connection *c = arg;
    struct buffer in;
    char action[64];

    buffer_init(&in, REQUEST_BYTES_MAX);
    while (read_request(c, &in, action) && answer(c, action, buffer_slice(&in)))
        buffer_clear(&in);
    while (read_more(c, &in)) /* it hangs */
        buffer_clear(&in);
    buffer_release(&in);
    return NULL;
}

static void *accept_all(void *arg)
{
    struct aws_server *s = arg;
    int fd;

    while ((fd = accept(s->listener, NULL, NULL)) >= 0) {
        assert_true(s->connections_len < CONNECTIONS_MAX);
        struct connection *c = &s->connections[s->connections_len];

        *c = (struct connection){.server = s, .fd = fd};
        s->connections_len++;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        assert_int_equal(pthread_create(&c->thread, NULL, serve, c), 0);
    }
    return NULL;
}

struct aws_server *aws_server_new(aws_server_fn *fn, void *ctx)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct aws_server *s = xcalloc(1, sizeof(*s));
    socklen_t len = sizeof(address);

    s->fn = fn;
    s->ctx = ctx;
    pthread_mutex_init(&s->lock, NULL);
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(s->listener >= 0);
    assert_int_equal(bind(s->listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(s->listener, 64), 0);
    assert_int_equal(getsockname(s->listener, (struct sockaddr *)&address, &len), 0);
    snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%u", ntohs(address.sin_port));
    setenv("AWS_ENDPOINT_URL_SQS", s->url, 1);
    setenv("AWS_REGION", "eu-central-1", 1);
    setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "secret", 1);
    assert_int_equal(pthread_create(&s->thread, NULL, accept_all, s), 0);
    return s;
}

const char *aws_server_url(const struct aws_server *s)
{
    return s->url;
}

void aws_server_hang(struct aws_server *s)
{
    s->hanging_len = s->connections_len;
}

void aws_server_free(struct aws_server *s)
{
    shutdown(s->listener, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->listener);
    for (size_t i = 0; i < s->connections_len; i++) {
        shutdown(s->connections[i].fd, SHUT_RDWR);
        pthread_join(s->connections[i].thread, NULL);
        close(s->connections[i].fd);
    }
    pthread_mutex_destroy(&s->lock);
    free(s);
}
