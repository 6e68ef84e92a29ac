/* What a courier has taken is stored or refused when it comes back, whatever a server answers. */
#include "cli/courier.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../cmocka_all.h"
#include "cli/cli.h"

enum { REQUESTS_MAX = 16, PATIENCE_MS = 60000 };

struct answer {
    int status; /* 0: the connection breaks off */
    const char *body;
};

/* A server that gives its answers one by one, then 201 for ever. */
struct server {
    int listener;
    char url[64];
    pthread_t thread;
    const struct answer *answers;
    int answers_len;
    char *bodies[REQUESTS_MAX];
    int requests;
};

/* Reads a request. Returns its body, or NULL if there is none. */
static char *read_request(int fd)
{
    char *text = calloc(1, 1 << 16);
    const char *end = NULL, *length;
    size_t len = 0, wanted = SIZE_MAX;

    while (len < wanted) {
        ssize_t n = read(fd, text + len, (1 << 16) - 1 - len);

        if (n <= 0) {
            free(text);
            return NULL;
        }
        len += (size_t)n;
        text[len] = '\0';
        if (!end && (end = strstr(text, "\r\n\r\n"))) {
            length = strcasestr(text, "content-length:");
            assert_non_null(length);
            wanted =
                (size_t)(end + 4 - text) + strtoul(length + strlen("content-length:"), NULL, 10);
        }
    }
    memmove(text, end + 4, len - (size_t)(end + 4 - text) + 1);
    return text;
}

static void *serve(void *arg)
{
    struct server *s = arg;
    int fd;

    while ((fd = accept(s->listener, NULL, NULL)) >= 0) {
        char *body, head[128];

        while ((body = read_request(fd))) {
            const struct answer stored = {201, "{}"};
            const struct answer *a =
                s->requests < s->answers_len ? &s->answers[s->requests] : &stored;

            assert_in_range(s->requests, 0, REQUESTS_MAX - 1);
            s->bodies[s->requests++] = body;
            if (a->status == 0)
                break;
            snprintf(head, sizeof(head), "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n\r\n", a->status,
                     strlen(a->body));
            if (write(fd, head, strlen(head)) < 0 || write(fd, a->body, strlen(a->body)) < 0)
                break;
        }
        close(fd);
    }
    return NULL;
}

static void start(struct server *s, const struct answer *answers, int len)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t address_len = sizeof(address);

    *s = (struct server){.answers = answers, .answers_len = len};
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s->listener, (struct sockaddr *)&address, address_len), 0);
    assert_int_equal(listen(s->listener, 8), 0);
    assert_int_equal(getsockname(s->listener, (struct sockaddr *)&address, &address_len), 0);
    snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%d", ntohs(address.sin_port));
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

/* A courier to such a server, and a parcel of the logs 1, 2, … */
struct round {
    struct server server;
    struct dispatch dispatch;
    struct courier *courier;
    struct parcel parcel;
};

static void fill(struct parcel *p, int logs)
{
    for (int i = 1; i <= logs; i++) {
        buffer_appendf(&p->body, "%d\n", i);
        parcel_source(p, "a.log: byte");
        parcel_add(p, (uint64_t)i * 10);
    }
}

static struct round *begin(const struct answer *answers, int len, int logs)
{
    struct round *r = calloc(1, sizeof(*r));
    static char url[] = "--url";
    struct errbuf err = ERRBUF_INIT;
    struct flags flags;

    start(&r->server, answers, len);
    char *given[] = {url, r->server.url};
    assert_int_equal(flags_parse(&flags, client_find("send"), given, 2, &err), 0);
    assert_int_equal(dispatch_init(&r->dispatch, &flags, &err), 0);
    r->courier = courier_new(&r->dispatch, &err);
    assert_non_null(r->courier);
    parcel_init(&r->parcel);
    fill(&r->parcel, logs);
    return r;
}

/* Sends the parcel, and waits until it has come back: empty. Returns what became of it. */
static int send_parcel(struct round *r)
{
    struct pollfd fd = {.fd = courier_fd(r->courier), .events = POLLIN};
    struct parcel *back = NULL;
    int error = 1;

    assert_false(courier_is_out(r->courier));
    courier_send(r->courier, &r->parcel);
    assert_true(courier_is_out(r->courier));
    while (!back) {
        assert_int_equal(poll(&fd, 1, PATIENCE_MS), 1);
        back = courier_take(r->courier, &error);
    }
    assert_ptr_equal(back, &r->parcel);
    assert_false(courier_is_out(r->courier));
    assert_int_equal(back->len, 0);
    assert_int_equal(back->body.len, 0);
    return error;
}

static void end(struct round *r)
{
    courier_free(r->courier);
    dispatch_release(&r->dispatch);
    parcel_release(&r->parcel);
    shutdown(r->server.listener, SHUT_RDWR);
    pthread_join(r->server.thread, NULL);
    close(r->server.listener);
    for (int i = 0; i < r->server.requests; i++)
        free(r->server.bodies[i]);
    free(r);
}

static void expect_requests(const struct round *r, const char *const *bodies)
{
    int n = 0;

    for (; bodies[n]; n++) {
        assert_true(n < r->server.requests);
        assert_string_equal(r->server.bodies[n], bodies[n]);
    }
    assert_int_equal(r->server.requests, n);
}

static void a_parcel_is_sent_as_it_is_and_comes_back_empty(void **state)
{
    struct round *r = begin(NULL, 0, 3);

    assert_int_equal(send_parcel(r), 0);
    fill(&r->parcel, 2);
    assert_int_equal(send_parcel(r), 0);
    expect_requests(r, (const char *const[]){"1\n2\n3\n", "1\n2\n", NULL});
    assert_int_equal(r->dispatch.sent, 5);
    assert_int_equal(r->dispatch.refused, 0);
    end(r);
}

static void what_is_refused_is_left_out_and_the_rest_is_sent(void **state)
{
    static const struct answer answers[] = {
        {422, "{\"detail\":[{\"loc\":[\"body\",1,\"message\"],\"type\":\"x\",\"msg\":\"bad\"}]}"},
        {422, "{\"detail\":[{\"loc\":[\"body\",0,\"message\"],\"type\":\"x\",\"msg\":\"bad\"},"
              "{\"loc\":[\"body\",2,\"level\"],\"type\":\"x\",\"msg\":\"bad\"}]}"},
    };
    struct round *r = begin(answers, 2, 4);

    assert_int_equal(send_parcel(r), 0);
    expect_requests(r, (const char *const[]){"1\n2\n3\n4\n", "1\n3\n4\n", "3\n", NULL});
    assert_int_equal(r->dispatch.sent, 1);
    assert_int_equal(r->dispatch.refused, 3);
    end(r);
}

static void where_all_is_refused_nothing_more_is_sent(void **state)
{
    static const struct answer answers[] = {
        {422, "{\"detail\":[{\"loc\":[\"body\",0,\"message\"],\"type\":\"x\",\"msg\":\"bad\"}]}"},
    };
    struct round *r = begin(answers, 1, 1);

    assert_int_equal(send_parcel(r), 0);
    expect_requests(r, (const char *const[]){"1\n", NULL});
    assert_int_equal(r->dispatch.refused, 1);
    end(r);
}

static void what_is_too_much_together_is_sent_in_halves(void **state)
{
    static const struct answer answers[] = {{413, "{}"}, {413, "{}"}, {413, "{}"}};
    struct round *r = begin(answers, 3, 4);

    assert_int_equal(send_parcel(r), 0);
    expect_requests(r,
                    (const char *const[]){"1\n2\n3\n4\n", "1\n2\n", "1\n", "2\n", "3\n4\n", NULL});
    assert_int_equal(r->dispatch.sent, 3);
    assert_int_equal(r->dispatch.refused, 1); /* too much alone */
    end(r);
}

static void while_the_server_is_away_the_same_is_sent_again(void **state)
{
    static const struct answer answers[] = {{503, "{}"}, {0, NULL}, {429, "{}"}};
    struct round *r = begin(answers, 3, 2);

    assert_int_equal(send_parcel(r), 0);
    assert_true(r->server.requests >= 4); /* libcurl tries a connection that broke off again, too */
    for (int i = 0; i < r->server.requests; i++)
        assert_string_equal(r->server.bodies[i], "1\n2\n");
    assert_int_equal(r->dispatch.sent, 2);
    end(r);
}

static void an_answer_that_says_nothing_of_the_logs_ends_it_unless_it_is_patient(void **state)
{
    static const struct answer answers[] = {{404, "{}"}, {401, "{}"}};
    struct round *r = begin(answers, 2, 1);

    assert_int_equal(send_parcel(r), LM_EINVAL);
    end(r);

    r = begin(answers, 2, 1);
    r->dispatch.is_patient = true;
    assert_int_equal(send_parcel(r), 0);
    expect_requests(r, (const char *const[]){"1\n", "1\n", "1\n", NULL});
    end(r);
}

static void it_gives_up_after_the_timeout(void **state)
{
    static const struct answer answers[] = {{503, "{}"}, {503, "{}"}, {503, "{}"}, {503, "{}"},
                                            {503, "{}"}, {503, "{}"}, {503, "{}"}, {503, "{}"}};
    struct round *r = begin(answers, 8, 1);

    r->dispatch.timeout_ms = 1;
    assert_int_equal(send_parcel(r), LM_EUNAVAILABLE);
    assert_int_equal(r->dispatch.sent, 0);
    end(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_parcel_is_sent_as_it_is_and_comes_back_empty),
        cmocka_unit_test(what_is_refused_is_left_out_and_the_rest_is_sent),
        cmocka_unit_test(where_all_is_refused_nothing_more_is_sent),
        cmocka_unit_test(what_is_too_much_together_is_sent_in_halves),
        cmocka_unit_test(while_the_server_is_away_the_same_is_sent_again),
        cmocka_unit_test(an_answer_that_says_nothing_of_the_logs_ends_it_unless_it_is_patient),
        cmocka_unit_test(it_gives_up_after_the_timeout),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
