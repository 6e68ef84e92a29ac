/* The receiver with a format of lines and a queue that can fail: what is not durable comes again.
 */
#include "listen/receiver.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../cmocka_all.h"
#include "base/clock.h"
#include "base/xalloc.h"

enum {
    ATTEMPTS_MAX = 256,
    MESSAGE_BYTES_MAX = 4096,
    LEDGER_BYTES = 1 << 20,
    SMALL_LEDGER_BYTES = 100 << 10
};

/* ---- A queue that does as it is told ---- */

static struct {
    struct queue base;
    pthread_mutex_t lock;
    unsigned fails; /* so many sends, and with what */
    int error;
    const char *bad; /* a send that has it is refused for its content */
    char *attempts[ATTEMPTS_MAX];
    int results[ATTEMPTS_MAX];
    unsigned attempts_len;
} fake;

static int fake_send(struct queue *q, struct queue_send *send)
{
    struct slice text = send->messages[0];
    int error = 0;

    assert_int_equal(send->messages_len, 1);
    assert_true(fake.attempts_len < ATTEMPTS_MAX);
    pthread_mutex_lock(&fake.lock);
    if (fake.bad && memmem(text.data, text.len, fake.bad, strlen(fake.bad)))
        error = LM_EDATA;
    else if (fake.fails > 0)
        error = (fake.fails--, fake.error);
    fake.attempts[fake.attempts_len] = strndup(text.data, text.len);
    fake.results[fake.attempts_len++] = error;
    pthread_mutex_unlock(&fake.lock);
    send->done(send, error, "as the test says");
    return 0;
}

static bool large_messages; /* and a small ledger */

static struct queue_limits fake_limits(const struct queue *q)
{
    return (struct queue_limits){
        .max_message_bytes = large_messages ? LEDGER_BYTES : MESSAGE_BYTES_MAX, .send_slots = 1};
}

static const struct queue_ops fake_ops = {.send = fake_send, .limits = fake_limits};

/* How often `text` is in what is durable. */
static unsigned durable(const char *text)
{
    unsigned n = 0;

    pthread_mutex_lock(&fake.lock);
    for (unsigned i = 0; i < fake.attempts_len; i++)
        for (const char *p = fake.attempts[i]; !fake.results[i] && (p = strstr(p, text)); p++)
            n++;
    pthread_mutex_unlock(&fake.lock);
    return n;
}

static void wait_for(const char *text)
{
    while (durable(text) == 0)
        usleep(1000);
}

/* ---- A format: each line is a log ---- */

static int read_lines(void *memory, void *session, const struct stream_input *in, record_sink *sink,
                      void *ctx, struct stream_output *out)
{
    struct slice rest = in->bytes;
    const char *end;

    if (rest.len >= 4 && memcmp(rest.data, "bad\n", 4) == 0) {
        out->used = rest.len;
        out->ends = true;
        errbuf_set(out->why, "it says bad");
        return 0;
    }
    while (rest.len && (end = memchr(rest.data, '\n', rest.len))) {
        struct record r = {
            .key.timestamp_us = in->arrival_us,
            .key.id = uuid7_within(in->arrival_us, in->bits, in->number + out->counts.records),
            .level = SLICE_LITERAL("info"),
            .message = {rest.data, (size_t)(end - rest.data)}};
        int error = sink(&r, ctx);

        if (error)
            return error;
        out->counts.records++;
        out->used += r.message.len + 1;
        rest = slice_of(end + 1, rest.len - r.message.len - 1);
    }
    if (rest.len && rest.data[0] == '?') { /* it may be whole: then it is no log */
        out->may_be_whole = !in->has_waited;
        out->used += in->has_waited ? rest.len : 0;
    }
    return 0;
}

static const struct stream_format lines = {
    .name = "lines", .message_max = 1 << 20, .read = read_lines};

/* ---- Datagrams that are none, and of which each has another come ---- */

enum { FLOOD = 64, FLOOD_MAX = 2000000 };

static int flood_fd;
static _Atomic unsigned flooded;

static void *join_new(struct account *account)
{
    return NULL;
}

static void join_free(void *joiner)
{
}

static enum stream_join join_nothing(void *joiner, struct slice sender, struct slice datagram,
                                     uint64_t now_ms, struct slice *whole, size_t *lost)
{
    if (flooded++ < FLOOD_MAX)
        (void)send(flood_fd, "x", 1, MSG_DONTWAIT);
    return STREAM_JOIN_REFUSED;
}

static size_t join_expire(void *joiner, uint64_t now_ms)
{
    return 0;
}

static const struct stream_joiner nothing_joined = {
    .new = join_new, .free = join_free, .join = join_nothing, .expire = join_expire};

static const struct stream_format nothing = {
    .name = "lines", .message_max = 1 << 16, .read = read_lines, .joiner = &nothing_joined};

/* ---- The receiver ---- */

static struct ledger ledger;
static struct receiver *receiver;
static struct sockaddr_in at, datagrams_at;

static struct sockaddr_in address_in(const char *text, const char *scheme)
{
    const char *host = strstr(text, scheme) + strlen(scheme);

    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                .sin_port = htons((uint16_t)atoi(strchr(host, ':') + 1))};
}

static void start(void)
{
    struct errbuf err = ERRBUF_INIT;
    struct addresses addresses;
    const struct receiver_way way = {
        .stream = &lines, .datagram = &nothing, .protocol = PROTOCOL_GELF, .addresses = &addresses};
    char room[256];
    struct buffer text;

    assert_int_equal(
        addresses_parse(&addresses, "tcp://127.0.0.1:0,udp://127.0.0.1:0", false, &err), 0);
    ledger_init(&ledger, large_messages ? SMALL_LEDGER_BYTES : LEDGER_BYTES);
    receiver = receiver_new(&(struct receiver_options){.queue = &fake.base,
                                                       .ledger = &ledger,
                                                       .ways = &way,
                                                       .ways_len = 1,
                                                       .max_streams = 100,
                                                       .udp_buffer_bytes = 65536,
                                                       .write_timeout_ms = 10000,
                                                       .stalled_ms = 100},
                            &err);
    assert_non_null(receiver);
    buffer_init_over(&text, room, sizeof(room));
    receiver_describe(receiver, 0, &text);
    buffer_append_char(&text, '\0');
    at = address_in(room, "tcp://");
    datagrams_at = address_in(room, "udp://");
}

static int set_up(void **state)
{
    memset(&fake, 0, sizeof(fake));
    fake.base.ops = &fake_ops;
    pthread_mutex_init(&fake.lock, NULL);
    start();
    return 0;
}

static int set_up_large(void **state)
{
    large_messages = true;
    int error = set_up(state);
    large_messages = false;
    return error;
}

static int tear_down(void **state)
{
    receiver_free(receiver);
    assert_int_equal(ledger_used(&ledger), 0);
    for (unsigned i = 0; i < fake.attempts_len; i++)
        free(fake.attempts[i]);
    pthread_mutex_destroy(&fake.lock);
    return 0;
}

static int client(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(connect(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* ---- Tests ---- */

static void the_same_logs_with_the_same_ids_come_until_they_are_durable(void **state)
{
    int fd = client();

    fake.fails = 3;
    fake.error = LM_EFULL;
    say(fd, "one\ntwo\nhalf of");
    wait_for("\"two\"");
    assert_int_equal(fake.attempts_len, 4);
    for (unsigned i = 1; i < 4; i++)
        assert_string_equal(fake.attempts[i], fake.attempts[0]);
    say(fd, " three\n");
    wait_for("\"half of three\"");
    assert_int_equal(durable("\"one\""), 1);
    close(fd);
}

static void nothing_is_lost_if_the_client_goes_while_the_queue_fails(void **state)
{
    int fd = client();

    fake.fails = 2;
    fake.error = LM_EUNAVAILABLE;
    say(fd, "one\ntwo\n");
    close(fd);
    wait_for("\"two\"");
    assert_int_equal(durable("\"one\""), 1);
}

static void what_is_too_large_together_comes_in_parts_and_what_is_so_alone_is_left_out(void **state)
{
    int fd = client();
    char *text = xcalloc(1, 200000), *p = text;

    for (int i = 0; i < 200; i++) {
        p += sprintf(p, "line %03d %0300d\n", i, 0);
        if (i == 100)
            p += sprintf(p, "large %05000d\n", 0);
    }
    say(fd, text);
    wait_for("line 199");
    assert_int_equal(durable("\"line "), 200);
    assert_int_equal(durable("large"), 0);
    free(text);
    close(fd);
}

/* Control characters are six bytes each in the queue's message. */
static void what_is_too_large_when_it_is_escaped_comes_in_parts(void **state)
{
    enum { LINES = 20, CONTROLS = 500 }; /* some 62,000 bytes, where 57,600 may be held */
    char *text = xcalloc(1, LINES * (CONTROLS + 16)), *p = text;
    int fd = client();

    for (int i = 0; i < LINES; i++) {
        p += sprintf(p, "line %03d", i);
        memset(p, '\1', CONTROLS);
        p += CONTROLS;
        *p++ = '\n';
    }
    say(fd, text);
    wait_for("line 019");
    assert_int_equal(durable("\"line "), LINES);
    free(text);
    close(fd);
}

static void what_the_queue_refuses_for_its_content_is_left_out_and_keeps_no_other_out(void **state)
{
    int fd = client();

    fake.bad = "poison";
    say(fd, "1\n2\n3\npoison\n5\n6\n7\n");
    wait_for("\"7\"");
    for (const char *c = "123567"; *c; c++)
        assert_int_equal(
            durable((char[]){'"', 'm', 'e', 's', 's', 'a', 'g', 'e', '"', ':', '"', *c, '"', '\0'}),
            1);
    assert_int_equal(durable("poison"), 0);
    close(fd);
}

static void messages_that_do_not_go_on_do_not_keep_memory_from_others(void **state)
{
    enum { STALLED = 16 };
    int fds[STALLED], fd = client();
    char half[60001];

    memset(half, 'x', sizeof(half) - 1);
    half[sizeof(half) - 1] = '\0';
    for (int i = 0; i < STALLED; i++) {
        fds[i] = client();
        say(fds[i], half);
    }
    half[3000] = '\0';
    say(fd, half);
    say(fd, "end\n");
    wait_for("xxend");
    assert_true(account_used(ledger_account(&ledger, LEDGER_BODIES)) <=
                ledger_account(&ledger, LEDGER_BODIES)->ceiling);
    for (int i = 0; i < STALLED; i++)
        close(fds[i]);
    close(fd);
}

static void what_may_be_whole_is_not_waited_for_where_memory_is_short(void **state)
{
    enum { WAITING = 16, BYTES = 33000, MORE = 40000, TRICKLE_MAX = 10000 };
    int fds[WAITING], fd = client();
    char text[MORE + 1];

    memset(text, 'x', MORE);
    text[0] = '?';
    text[BYTES] = '\0';
    for (int i = 0; i < WAITING; i++) {
        fds[i] = client();
        say(fds[i], text);
    }
    text[0] = text[BYTES] = 'x';
    for (int i = 2000; i < MORE; i += 2000)
        text[i] = '\n';
    memcpy(text + MORE - 4, "end\n", 5);
    say(fd, text);
    int bytes = 0;
    for (; durable("xxend") == 0 && bytes < TRICKLE_MAX; bytes++) {
        for (int i = 0; i < WAITING; i++)
            (void)send(fds[i], "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        usleep(1000);
    }
    assert_true(bytes < TRICKLE_MAX);
    for (int i = 0; i < WAITING; i++)
        close(fds[i]);
    close(fd);
}

static void a_message_that_cannot_be_kept_ends_its_connection_alone(void **state)
{
    enum { LARGE = 300000 };
    int fd = client(), other = client();
    char *text = xcalloc(1, LARGE + 1), answer;

    memset(text, 'x', LARGE);
    (void)send(fd, text, LARGE, MSG_NOSIGNAL);
    assert_true(read(fd, &answer, 1) <= 0);
    say(other, "other\n");
    wait_for("other");
    free(text);
    close(fd);
    close(other);
}

static void datagrams_that_are_none_do_not_keep_others_waiting(void **state)
{
    int fd = client();

    flooded = 0;
    flood_fd = socket(AF_INET, SOCK_DGRAM, 0);
    assert_int_equal(
        connect(flood_fd, (const struct sockaddr *)&datagrams_at, sizeof(datagrams_at)), 0);
    for (int i = 0; i < 2 * FLOOD; i++)
        assert_int_equal(send(flood_fd, "x", 1, 0), 1);
    while (flooded == 0)
        usleep(1000);
    say(fd, "among them\n");
    wait_for("among them");
    assert_true(flooded < FLOOD_MAX);
    flooded = FLOOD_MAX;
    close(fd);
    receiver_stop(receiver, 0);
    receiver_free(receiver);
    receiver = NULL;
    close(flood_fd);
}

static void clients_do_not_fill_stderr(void **state)
{
    enum { CLIENTS = 200 };
    char text[100000];
    FILE *file = tmpfile();
    int before = dup(STDERR_FILENO);
    unsigned said = 0;

    assert_non_null(file);
    fflush(stderr);
    dup2(fileno(file), STDERR_FILENO);
    for (int i = 0; i < CLIENTS; i++) {
        int fd = client();

        say(fd, "bad\n");
        assert_true(read(fd, text, 1) <= 0); /* waits until it is closed */
        close(fd);
    }
    dup2(before, STDERR_FILENO);
    close(before);
    ssize_t len = pread(fileno(file), text, sizeof(text) - 1, 0);
    text[len > 0 ? len : 0] = '\0';
    for (const char *p = text; (p = strstr(p, "it says bad")); p++)
        said++;
    assert_in_range(said, 1, CLIENTS / 2);
    fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(the_same_logs_with_the_same_ids_come_until_they_are_durable),
        TEST(nothing_is_lost_if_the_client_goes_while_the_queue_fails),
        TEST(what_is_too_large_together_comes_in_parts_and_what_is_so_alone_is_left_out),
        cmocka_unit_test_setup_teardown(what_is_too_large_when_it_is_escaped_comes_in_parts,
                                        set_up_large, tear_down),
        TEST(what_the_queue_refuses_for_its_content_is_left_out_and_keeps_no_other_out),
        TEST(messages_that_do_not_go_on_do_not_keep_memory_from_others),
        TEST(what_may_be_whole_is_not_waited_for_where_memory_is_short),
        TEST(a_message_that_cannot_be_kept_ends_its_connection_alone),
        TEST(datagrams_that_are_none_do_not_keep_others_waiting),
        TEST(clients_do_not_fill_stderr),
#undef TEST
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
