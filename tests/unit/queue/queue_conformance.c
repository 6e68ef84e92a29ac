#include "queue_conformance.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../cmocka_all.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "queue_test_support.h"

enum {
    QUIET_MS = 1500,        /* nothing came for so long: nothing will */
    SENDERS = 4,            /* threads */
    SENDS_EACH = 100,       /* of each */
    MANY = 3000,            /* more than one delivery holds */
    CONSUMERS_MAX = 2,      /* at once, of a test */
    GIVE_UP_US = 240000000, /* in which all comes, however slow the machine is */
    SOON_US = 15000000,     /* "soon" and "at once", on a slow machine */
    RETURNED_US = 1500000,  /* in which a message is returned … */
    RETURNS_MAX = 50,       /* … no more often than this */
    LATER_US = 200000,      /* after which another thread does something, most likely later */
    OLD_WALL_US = 60000000, /* a clock may differ by this */
};

static const struct queue_conformance *adapter;

struct place {
    void *place;
    struct queue *q;
    struct queue_consumer *consumers[CONSUMERS_MAX]; /* that live, or NULL */
};

static struct queue_consumer *consumer_of(struct place *p)
{
    size_t i = 0;

    while (p->consumers[i]) {
        i++;
        assert_true(i < CONSUMERS_MAX);
    }
    p->consumers[i] = queue_test_consumer(p->q);
    return p->consumers[i];
}

static void let_go(struct place *p, struct queue_consumer *c)
{
    size_t i = 0;

    while (p->consumers[i] != c) {
        i++;
        assert_true(i < CONSUMERS_MAX);
    }
    p->consumers[i] = NULL;
    queue_consumer_free(c);
}

static int set_up(void **state)
{
    struct place *p = xcalloc(1, sizeof(*p));

    p->place = adapter->create();
    p->q = adapter->open(p->place);
    assert_non_null(p->q);
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct place *p = *state;

    /* Those of a test that failed: some have threads, which would work at a queue that is gone. */
    for (size_t i = 0; i < CONSUMERS_MAX; i++)
        queue_consumer_free(p->consumers[i]);
    queue_free(p->q);
    adapter->destroy(p->place);
    free(p);
    return 0;
}

static void reopen(struct place *p)
{
    queue_free(p->q);
    p->q = adapter->open(p->place);
    assert_non_null(p->q);
}

static void assert_body(const struct queue_message *m, const char *text)
{
    assert_int_equal(m->body.len, strlen(text));
    assert_memory_equal(m->body.data, text, m->body.len);
}

static void a_message_comes_as_it_was_sent(void **state)
{
    static const char text[] = "{\"v\":1,\"logs\":[{\"message\":\"gr\xc3\xbc\xc3\x9f "
                               "\xf0\x9f\x90\x98 \\u0000 \\\"x\\\"\"}]}";
    struct place *p = *state;
    struct queue_consumer *c = consumer_of(p);
    struct queue_delivery d;
    int64_t now = clock_wall_us();

    assert_int_equal(queue_test_send_text(p->q, text), 0);
    queue_test_receive(c, &d);
    assert_int_equal(d.count, 1);
    assert_body(&d.messages[0], text);
    assert_true(d.messages[0].id.len > 0);
    assert_true(d.messages[0].sent_us > now - OLD_WALL_US);
    assert_true(d.messages[0].sent_us < now + OLD_WALL_US);
    assert_int_equal(d.messages[0].outcome, QUEUE_RETURN);
    assert_false(d.messages[0].redelivered);
    queue_test_settle(c, &d, QUEUE_ACKNOWLEDGE);
    let_go(p, c);
}

static void the_largest_message_is_taken(void **state)
{
    struct place *p = *state;
    size_t len = queue_limits(p->q).max_message_bytes;
    char *text = xmalloc(len);
    struct slice message = {text, len};
    struct queue_consumer *c = consumer_of(p);
    struct queue_delivery d;

    memset(text, 'x', len);
    assert_int_equal(queue_test_send(p->q, &message, 1), 0);
    queue_test_receive(c, &d);
    assert_int_equal(d.messages[0].body.len, len);
    assert_memory_equal(d.messages[0].body.data, text, len);
    queue_test_settle(c, &d, QUEUE_ACKNOWLEDGE);
    let_go(p, c);
    free(text);
}

struct order {
    int next;
};

static void check_order(struct slice body, void *ctx)
{
    struct order *o = ctx;
    char expected[32];

    if (adapter->unordered)
        return;
    snprintf(expected, sizeof(expected), "message %d", o->next++);
    assert_true(slice_equal(body, slice_of_string(expected)));
}

static void messages_come_in_the_order_of_sending(void **state)
{
    struct place *p = *state;
    int many = adapter->many > 0 ? adapter->many : MANY;
    char(*texts)[32] = xcalloc((size_t)many, sizeof(*texts));
    struct slice *messages = xcalloc((size_t)many, sizeof(*messages));
    struct order order = {0};

    for (int i = 0; i < many; i++) {
        snprintf(texts[i], sizeof(texts[i]), "message %d", i);
        messages[i] = slice_of_string(texts[i]);
    }
    assert_int_equal(queue_test_send(p->q, messages, 1), 0);
    assert_int_equal(queue_test_send(p->q, messages + 1, (size_t)many - 2), 0);
    assert_int_equal(queue_test_send(p->q, messages + many - 1, 1), 0);
    struct queue_consumer *c = consumer_of(p);
    assert_int_equal(queue_test_drain(c, (size_t)many, QUIET_MS, check_order, &order), many);
    let_go(p, c);
    free(texts);
    free(messages);
}

/* Two receive in turns, and settle later than they receive. */
static void consumers_share_the_messages_and_get_each_once(void **state)
{
    enum { MESSAGES = 20 };
    struct place *p = *state;
    struct queue_consumer *c[2];
    struct queue_delivery d[2] = {{0}};
    struct errbuf err = ERRBUF_INIT;
    uint64_t start = clock_monotonic_us();
    char text[MESSAGES][16];
    int came[MESSAGES] = {0};
    uint32_t last = 0;
    size_t total = 0;

    c[0] = consumer_of(p);
    c[1] = consumer_of(p);
    for (int turn = 0; total < MESSAGES && clock_monotonic_us() - start < GIVE_UP_US; turn++) {
        struct queue_delivery *mine = &d[turn % 2];

        if (turn < MESSAGES) {
            snprintf(text[turn], sizeof(text[turn]), "%d", turn);
            assert_int_equal(queue_test_send_text(p->q, text[turn]), 0);
        }
        if (mine->count > 0) /* that of its turn before; the other's is still open */
            queue_test_settle(c[turn % 2], mine, QUEUE_ACKNOWLEDGE);
        assert_int_equal(queue_receive(c[turn % 2], 100, mine, &err), 0);
        for (size_t i = 0; i < mine->count; i++) {
            uint32_t number = queue_test_number(mine->messages[i].body);

            assert_in_range(number, 0, MESSAGES - 1);
            total += came[number]++ == 0;
            assert_true(!queue_limits(p->q).in_order || turn == 0 || number >= last);
            last = number;
        }
    }
    for (int i = 0; i < MESSAGES; i++)
        assert_in_range(came[i], 1, queue_test_may_repeat ? MESSAGES : 1);
    for (int i = 0; i < 2; i++) {
        if (d[i].count > 0)
            queue_test_settle(c[i], &d[i], QUEUE_ACKNOWLEDGE);
        let_go(p, c[i]);
    }
    assert_int_equal(queue_test_stats(p->q).depth, 0);
}

static void what_is_acknowledged_never_comes_again(void **state)
{
    struct place *p = *state;
    struct queue_consumer *c = consumer_of(p);

    assert_int_equal(queue_test_send_text(p->q, "a"), 0);
    assert_int_equal(queue_test_drain(c, 1, 0, NULL, NULL), 1);
    let_go(p, c); /* at once, before a queue that delays acknowledgements has sent them */
    c = consumer_of(p);
    assert_int_equal(queue_test_drain(c, 0, QUIET_MS, NULL, NULL), 0);
    let_go(p, c);

    reopen(p);
    c = consumer_of(p);
    assert_int_equal(queue_test_drain(c, 0, QUIET_MS, NULL, NULL), 0);
    let_go(p, c);
}

static void what_is_not_settled_comes_again_after_a_restart(void **state)
{
    struct place *p = *state;
    struct queue_consumer *c = consumer_of(p);
    struct queue_delivery d;

    assert_int_equal(queue_test_send_text(p->q, "a"), 0);
    queue_test_receive(c, &d);
    let_go(p, c);
    reopen(p);
    c = consumer_of(p);
    queue_test_receive(c, &d);
    assert_body(&d.messages[0], "a");
    queue_test_settle(c, &d, QUEUE_ACKNOWLEDGE);
    let_go(p, c);
}

static void a_returned_message_comes_again_soon_and_unchanged(void **state)
{
    struct place *p = *state;
    struct queue_consumer *c = consumer_of(p);
    struct queue_delivery d;
    char id[256];

    assert_int_equal(queue_test_send_text(p->q, "a"), 0);
    queue_test_receive(c, &d);
    int64_t sent_us = d.messages[0].sent_us;
    size_t id_len = d.messages[0].id.len;
    assert_true(id_len < sizeof(id));
    memcpy(id, d.messages[0].id.data, id_len);
    queue_test_settle(c, &d, QUEUE_RETURN);

    uint64_t start = clock_monotonic_us();
    queue_test_receive(c, &d);
    assert_true(clock_monotonic_us() - start < SOON_US);
    assert_int_equal(d.count, 1);
    assert_body(&d.messages[0], "a");
    assert_true(slice_equal(d.messages[0].id, slice_of(id, id_len)));
    assert_int_equal(d.messages[0].sent_us, sent_us);
    assert_true(d.messages[0].redelivered);
    queue_test_settle(c, &d, QUEUE_ACKNOWLEDGE);
    assert_int_equal(queue_test_drain(c, 0, QUIET_MS, NULL, NULL), 0);
    let_go(p, c);
}

static void a_message_always_returned_neither_spins_nor_holds_up_others(void **state)
{
    struct place *p = *state;
    struct queue_consumer *c = consumer_of(p);
    struct errbuf err = ERRBUF_INIT;
    struct queue_delivery d;
    uint64_t start = clock_monotonic_us();
    uint64_t took_us = 0;
    uint64_t bad = 0;
    int good = 0;

    assert_int_equal(queue_test_send_text(p->q, "bad"), 0);
    while (took_us < RETURNED_US || ((good < 3 || bad < 2) && took_us < GIVE_UP_US)) {
        if (good < 3)
            assert_int_equal(queue_test_send_text(p->q, "good"), 0);
        assert_int_equal(queue_receive(c, 100, &d, &err), 0);
        for (size_t i = 0; i < d.count; i++) {
            bool is_good = slice_equal(d.messages[i].body, SLICE_LITERAL("good"));

            good += is_good;
            bad += !is_good;
            d.messages[i].outcome = is_good ? QUEUE_ACKNOWLEDGE : QUEUE_RETURN;
        }
        assert_int_equal(queue_settle(c, &d, &err), 0);
        took_us = clock_monotonic_us() - start;
    }
    assert_true(good >= 3);
    assert_in_range(bad, 2, RETURNS_MAX * took_us / RETURNED_US);
    let_go(p, c);
}

static void ids_tell_messages_apart_even_after_the_queue_was_empty(void **state)
{
    struct place *p = *state;
    struct queue_delivery d;
    char ids[4][256];
    size_t lens[4];

    for (int i = 0; i < 4; i++) {
        struct queue_consumer *c = consumer_of(p);

        assert_int_equal(queue_test_send_text(p->q, "a"), 0);
        queue_test_receive(c, &d);
        lens[i] = d.messages[0].id.len;
        memcpy(ids[i], d.messages[0].id.data, lens[i]);
        queue_test_settle(c, &d, QUEUE_ACKNOWLEDGE);
        for (int k = 0; k < i; k++)
            assert_false(slice_equal(slice_of(ids[i], lens[i]), slice_of(ids[k], lens[k])));
        let_go(p, c);
        if (i % 2 == 0)
            reopen(p);
    }
}

static void receive_waits_as_long_as_it_is_told(void **state)
{
    struct place *p = *state;
    struct queue_consumer *c = consumer_of(p);
    struct errbuf err = ERRBUF_INIT;
    struct queue_delivery d;
    uint64_t start = clock_monotonic_us();

    assert_int_equal(queue_receive(c, 300, &d, &err), 0);
    assert_int_equal(d.count, 0);
    assert_in_range(clock_monotonic_us() - start, 290000, SOON_US);
    assert_int_equal(queue_settle(c, &d, &err), 0);
    start = clock_monotonic_us();
    assert_int_equal(queue_receive(c, 0, &d, &err), 0);
    assert_true(clock_monotonic_us() - start < SOON_US);
    let_go(p, c);
}

static void *send_later(void *arg)
{
    usleep(LATER_US);
    assert_int_equal(queue_test_send_text(arg, "late"), 0);
    return NULL;
}

static void a_waiting_receive_is_woken_by_a_send(void **state)
{
    struct place *p = *state;
    struct queue_consumer *c = consumer_of(p);
    struct errbuf err = ERRBUF_INIT;
    struct queue_delivery d;
    uint64_t start = clock_monotonic_us();
    pthread_t sender;

    assert_int_equal(pthread_create(&sender, NULL, send_later, p->q), 0);
    assert_int_equal(queue_receive(c, 20000, &d, &err), 0);
    assert_int_equal(d.count, 1);
    assert_true(clock_monotonic_us() - start < SOON_US);
    queue_test_settle(c, &d, QUEUE_ACKNOWLEDGE);
    pthread_join(sender, NULL);
    let_go(p, c);
}

static void *interrupt_later(void *arg)
{
    usleep(LATER_US);
    queue_interrupt(arg);
    return NULL;
}

static void interrupt_ends_waiting_now_and_later(void **state)
{
    struct place *p = *state;
    struct queue_consumer *c = consumer_of(p);
    struct errbuf err = ERRBUF_INIT;
    struct queue_delivery d;
    uint64_t start = clock_monotonic_us();
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, interrupt_later, p->q), 0);
    assert_int_equal(queue_receive(c, 20000, &d, &err), 0);
    assert_int_equal(d.count, 0);
    assert_int_equal(queue_receive(c, 20000, &d, &err), 0);
    assert_int_equal(d.count, 0);
    assert_true(clock_monotonic_us() - start < SOON_US);
    pthread_join(thread, NULL);

    /* What is there is still taken, so that a worker that stops can empty the queue. */
    assert_int_equal(queue_test_send_text(p->q, "late"), 0);
    assert_int_equal(queue_receive(c, 0, &d, &err), 0);
    assert_int_equal(d.count, 1);
    d.messages[0].outcome = QUEUE_ACKNOWLEDGE;
    assert_int_equal(queue_settle(c, &d, &err), 0);
    let_go(p, c);
}

static void *send_many(void *arg)
{
    char text[32];

    for (int i = 0; i < SENDS_EACH; i++) {
        snprintf(text, sizeof(text), "%d", i);
        assert_int_equal(queue_test_send_text(arg, text), 0);
    }
    return NULL;
}

static void count_body(struct slice body, void *ctx)
{
    int *counts = ctx;

    counts[queue_test_number(body) % SENDS_EACH]++;
}

/* Deliveries may repeat; here nothing goes wrong, so they do not. */
static void sends_of_many_threads_all_arrive(void **state)
{
    struct place *p = *state;
    struct queue_consumer *c = consumer_of(p);
    int counts[SENDS_EACH] = {0};
    pthread_t threads[SENDERS];

    for (int i = 0; i < SENDERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, send_many, p->q), 0);
    assert_int_equal(queue_test_drain(c, SENDERS * SENDS_EACH, 0, count_body, counts),
                     SENDERS * SENDS_EACH);
    for (int i = 0; i < SENDERS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < SENDS_EACH; i++)
        assert_int_equal(counts[i], SENDERS);
    let_go(p, c);
}

static void count_done(struct queue_send *send, int error, const char *detail)
{
    atomic_int *done = send->ctx;

    atomic_fetch_add(done, error ? 1000 : 1);
}

static void closing_finishes_sends_under_way(void **state)
{
    struct place *p = *state;
    struct slice message = SLICE_LITERAL("last words");
    struct queue_send sends[20];
    struct queue_consumer *c;
    atomic_int done = 0;
    uint64_t start = clock_monotonic_us();

    for (int i = 0; i < 20; i++) {
        sends[i] = (struct queue_send){
            .messages = &message, .messages_len = 1, .done = count_done, .ctx = &done};
        assert_int_equal(queue_send(p->q, &sends[i]), 0);
    }
    reopen(p);
    assert_int_equal(atomic_load(&done), 20);
    assert_true(clock_monotonic_us() - start < GIVE_UP_US);
    c = consumer_of(p);
    assert_int_equal(queue_test_drain(c, 20, QUIET_MS, NULL, NULL), 20);
    let_go(p, c);
}

static void check_finds_a_sound_queue_sound(void **state)
{
    struct place *p = *state;
    struct errbuf err = ERRBUF_INIT;

    assert_int_equal(queue_check(p->q, &err), 0);
}

static void stats_count_what_waits_or_is_worked_on(void **state)
{
    struct place *p = *state;
    struct queue_consumer *c = consumer_of(p);
    struct queue_stats stats = queue_test_stats(p->q);
    const int64_t of_none = adapter->tells_no_age ? -1 : 0;
    struct queue_delivery d;

    assert_int_equal(stats.depth, 0);
    assert_int_equal(stats.oldest_age_us, of_none);
    assert_int_equal(stats.dead_letters, 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(queue_test_send_text(p->q, "a"), 0);
    usleep(20000);
    stats = queue_test_stats(p->q);
    assert_int_equal(stats.depth, 5);
    if (adapter->tells_no_age)
        assert_int_equal(stats.oldest_age_us, of_none);
    else
        assert_in_range(stats.oldest_age_us, 10000, SOON_US);

    queue_test_receive(c, &d);
    assert_int_equal(queue_test_stats(p->q).depth, 5);
    size_t left = 5 - d.count;
    queue_test_settle(c, &d, QUEUE_ACKNOWLEDGE);
    queue_test_drain(c, left, 0, NULL, NULL);
    stats = queue_test_stats(p->q);
    assert_int_equal(stats.depth, 0);
    assert_int_equal(stats.oldest_age_us, of_none);
    let_go(p, c);
}

/* ---- Dead letters ---- */

struct letters {
    int count;
    int stop_at;
    char ids[8][64];
    char bodies[8][64];
    char reasons[8][64];
};

static void copy_text(char out[64], struct slice text)
{
    assert_true(text.len < 64);
    memcpy(out, text.data, text.len);
    out[text.len] = '\0';
}

static int collect_letter(const struct queue_dead_letter *letter, void *ctx)
{
    struct letters *l = ctx;
    int64_t now = clock_wall_us();

    assert_true(l->count < 8);
    assert_true(letter->died_us > now - OLD_WALL_US && letter->died_us < now + OLD_WALL_US);
    copy_text(l->ids[l->count], letter->id);
    copy_text(l->bodies[l->count], letter->body);
    copy_text(l->reasons[l->count], letter->reason);
    l->count++;
    return l->count == l->stop_at;
}

static struct letters list_letters(struct queue *q)
{
    struct letters l = {0};
    struct errbuf err = ERRBUF_INIT;

    if (queue_dead_letters_list(q, collect_letter, &l, &err))
        fail_msg("cannot list: %s", err.text);
    return l;
}

/* Rejects what comes until it is a dead letter. */
static void reject_until_dead(struct queue *q, struct queue_consumer *c)
{
    uint64_t start = clock_monotonic_us();
    struct errbuf err = ERRBUF_INIT;
    struct queue_delivery d;

    while (queue_test_stats(q).dead_letters == 0 && clock_monotonic_us() - start < GIVE_UP_US) {
        assert_int_equal(queue_receive(c, 500, &d, &err), 0);
        queue_test_settle(c, &d, QUEUE_REJECT);
    }
}

static void a_rejected_message_is_a_dead_letter_with_its_reason(void **state)
{
    struct place *p = *state;
    struct queue_consumer *c = consumer_of(p);
    struct queue_delivery d;

    assert_int_equal(queue_test_send_text(p->q, "poison"), 0);
    queue_test_receive(c, &d);
    queue_test_settle(c, &d, QUEUE_REJECT);
    if (adapter->rejects_in_time)
        reject_until_dead(p->q, c);
    assert_int_equal(queue_test_stats(p->q).dead_letters, 1);
    assert_int_equal(queue_test_stats(p->q).depth, 0);
    assert_int_equal(queue_test_drain(c, 0, QUIET_MS, NULL, NULL), 0);
    let_go(p, c);

    reopen(p);
    struct letters l = list_letters(p->q);
    assert_int_equal(l.count, 1);
    assert_string_equal(l.bodies[0], "poison");
    if (adapter->rejects_in_time) /* the queue does not know why */
        assert_true(strlen(l.reasons[0]) > 0);
    else
        assert_string_equal(l.reasons[0], "a test says so");
    c = consumer_of(p);
    assert_int_equal(queue_test_drain(c, 0, QUIET_MS, NULL, NULL), 0);
    let_go(p, c);
}

static void make_letters(struct place *p, int n)
{
    struct queue_consumer *c = consumer_of(p);
    struct errbuf err = ERRBUF_INIT;
    char body[32];

    for (int i = 0; i < n; i++) {
        snprintf(body, sizeof(body), "letter %d", i);
        assert_int_equal(queue_dead_letter(c, slice_of_string(body), "no reason", &err), 0);
        usleep(2000); /* a queue may tell no more than the millisecond */
    }
    let_go(p, c);
}

static void dead_letters_are_listed_oldest_first_and_stay(void **state)
{
    struct place *p = *state;
    struct letters two = {.stop_at = 2};
    struct errbuf err = ERRBUF_INIT;

    make_letters(p, 3);
    reopen(p);
    struct letters l = list_letters(p->q);
    assert_int_equal(l.count, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(l.bodies[i][strlen("letter ")], '0' + i);
        assert_string_equal(l.reasons[i], "no reason");
    }
    assert_int_equal(queue_dead_letters_list(p->q, collect_letter, &two, &err), 0);
    assert_int_equal(two.count, 2);
    assert_int_equal(list_letters(p->q).count, 3);
}

static void dead_letters_named_are_sent_again(void **state)
{
    struct place *p = *state;
    struct queue_delivery d;
    struct errbuf err = ERRBUF_INIT;
    struct slice ids[2];
    uint64_t moved;

    make_letters(p, 3);
    struct letters l = list_letters(p->q);
    ids[0] = SLICE_LITERAL("no-such-letter");
    ids[1] = slice_of_string(l.ids[1]);
    assert_int_equal(queue_dead_letters_requeue(p->q, ids, 2, &moved, &err), LM_ENOTFOUND);
    assert_int_equal(moved, 1);
    assert_non_null(strstr(err.text, "no-such-letter"));

    assert_int_equal(list_letters(p->q).count, 2);
    struct queue_consumer *c = consumer_of(p);
    queue_test_receive(c, &d);
    assert_int_equal(d.count, 1);
    assert_body(&d.messages[0], "letter 1");
    queue_test_settle(c, &d, QUEUE_ACKNOWLEDGE);
    let_go(p, c);
}

static void all_dead_letters_are_sent_again(void **state)
{
    struct place *p = *state;
    struct queue_consumer *c = consumer_of(p);
    struct errbuf err = ERRBUF_INIT;
    uint64_t moved;

    let_go(p, c);
    make_letters(p, 3);
    assert_int_equal(queue_dead_letters_requeue(p->q, NULL, 0, &moved, &err), 0);
    assert_int_equal(moved, 3);
    assert_int_equal(list_letters(p->q).count, 0);
    c = consumer_of(p);
    assert_int_equal(queue_test_drain(c, 3, QUIET_MS, NULL, NULL), 3);
    let_go(p, c);
    assert_int_equal(queue_dead_letters_requeue(p->q, NULL, 0, &moved, &err), 0);
    assert_int_equal(moved, 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int queue_conformance_run(const struct queue_conformance *a)
{
    const struct CMUnitTest cases[] = {
        CASE(a_message_comes_as_it_was_sent),
        CASE(the_largest_message_is_taken),
        CASE(messages_come_in_the_order_of_sending),
        CASE(consumers_share_the_messages_and_get_each_once),
        CASE(what_is_acknowledged_never_comes_again),
        CASE(what_is_not_settled_comes_again_after_a_restart),
        CASE(a_returned_message_comes_again_soon_and_unchanged),
        CASE(a_message_always_returned_neither_spins_nor_holds_up_others),
        CASE(ids_tell_messages_apart_even_after_the_queue_was_empty),
        CASE(receive_waits_as_long_as_it_is_told),
        CASE(a_waiting_receive_is_woken_by_a_send),
        CASE(interrupt_ends_waiting_now_and_later),
        CASE(sends_of_many_threads_all_arrive),
        CASE(closing_finishes_sends_under_way),
        CASE(check_finds_a_sound_queue_sound),
        CASE(stats_count_what_waits_or_is_worked_on),
    };
    const struct CMUnitTest letter_cases[] = {
        CASE(a_rejected_message_is_a_dead_letter_with_its_reason),
        CASE(dead_letters_are_listed_oldest_first_and_stay),
        CASE(dead_letters_named_are_sent_again),
        CASE(all_dead_letters_are_sent_again),
    };

    adapter = a;
    int failed = cmocka_run_group_tests_name(a->name, cases, NULL, NULL);
    if (a->keeps_dead_letters)
        failed += cmocka_run_group_tests_name(a->name, letter_cases, NULL, NULL);
    return failed;
}
