/*
 * The worker over a queue and a store that are scripted here, since what matters is what it does
 * when they fail, and in which order.
 */
#include "worker/worker.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../cmocka_all.h"
#include "diag/diag.h"

enum { MESSAGES_MAX = 8, TEXT_MAX = 4096, WAIT_MS = 60000, TRIES = 50, IN_VAIN = 1000 };

/* Everything that happened, in order: "+a" a is stored, "*a" is a dead letter, "!" settled, … */
static struct {
    pthread_mutex_t lock;
    char happened[TEXT_MAX];

    const char *bodies[MESSAGES_MAX]; /* the messages, until they are acknowledged or rejected */
    size_t bodies_len;
    bool settled[MESSAGES_MAX];
    bool taken[MESSAGES_MAX]; /* where deliveries are single: it is in one, or was */
    struct queue_message delivery[MESSAGES_MAX];
    size_t received; /* deliveries */
    size_t consumers;
    size_t in_vain[2]; /* receives of each that waited */

    bool is_single;         /* two consumers, in order, a message a delivery */
    size_t appends_wait_to; /* appends wait until so many deliveries have been received */
    bool waited_in_vain;

    bool one_writer; /* the store's, instead of the queue's order */
    int writing;     /* appends under way */
    int most_writing;
    int migrate_failures; /* before the schema can be made ready */
    int migrate_error;    /* what these are */
    int expiries;         /* while it fails */
    int outage;           /* migrate_failures that each failing append starts */
    int store_failures;   /* appends that fail before one succeeds */
    int letter_failures;  /* dead letters that cannot be kept */
    const char *poison;   /* a message text that the store refuses for its own sake */
    size_t appends;
} world = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Adds "<what><text> ". Lock held. */
static void note(char what, struct slice text)
{
    size_t used = strlen(world.happened);

    snprintf(world.happened + used, sizeof(world.happened) - used, "%c%.*s ", what,
             SLICE_ARG(text));
}

static void reset_world(const char *const *bodies, size_t n)
{
    memset(world.happened, 0, sizeof(world.happened));
    memset(world.settled, 0, sizeof(world.settled));
    memset(world.taken, 0, sizeof(world.taken));
    world.received = world.appends_wait_to = 0;
    world.consumers = world.in_vain[0] = world.in_vain[1] = 0;
    world.is_single = world.waited_in_vain = world.one_writer = false;
    world.writing = world.most_writing = 0;
    world.bodies_len = n;
    for (size_t i = 0; i < n; i++)
        world.bodies[i] = bodies[i];
    world.migrate_failures = world.store_failures = world.letter_failures = 0;
    world.migrate_error = LM_EUNAVAILABLE;
    world.expiries = 0;
    world.poison = NULL;
    world.appends = 0;
    world.outage = 0;
}

/* ---- The queue ---- */

static const struct queue_ops queue_ops;
static struct queue_consumer consumers[2] = {{&queue_ops}, {&queue_ops}};

static struct queue_limits limits(const struct queue *q)
{
    return (struct queue_limits){.max_message_bytes = 1 << 20,
                                 .send_slots = 1,
                                 .max_consumers = world.is_single ? 2 : 1,
                                 .in_order = !world.one_writer};
}

static struct queue_consumer *consumer_new(struct queue *q, struct errbuf *err)
{
    return &consumers[world.consumers++];
}

static void consumer_free(struct queue_consumer *c)
{
}

static int receive(struct queue_consumer *c, unsigned wait_ms, struct queue_delivery *delivery,
                   struct errbuf *err)
{
    static const char *const ids[MESSAGES_MAX] = {"0", "1", "2", "3", "4", "5", "6", "7"};

    delivery->messages = world.delivery;
    delivery->count = 0;
    pthread_mutex_lock(&world.lock);
    for (size_t i = 0; i < world.bodies_len; i++) {
        if (world.settled[i] || world.taken[i])
            continue;
        if (world.is_single) {
            world.taken[i] = true;
            delivery->messages = &world.delivery[i];
        }
        delivery->messages[delivery->count++] =
            (struct queue_message){.body = slice_of_string(world.bodies[i]),
                                   .id = slice_of_string(ids[i]),
                                   .sent_us = 1000000,
                                   .receipt = i};
        if (world.is_single)
            break;
    }
    world.received += delivery->count > 0;
    world.in_vain[c - consumers] += delivery->count == 0 && wait_ms > 0;
    pthread_mutex_unlock(&world.lock);
    if (delivery->count == 0 && wait_ms)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    return 0;
}

static int settle(struct queue_consumer *c, struct queue_delivery *delivery, struct errbuf *err)
{
    pthread_mutex_lock(&world.lock);
    for (size_t i = 0; i < delivery->count; i++) {
        const struct queue_message *m = &delivery->messages[i];

        if (m->outcome == QUEUE_RETURN) {
            world.taken[m->receipt] = false;
            continue;
        }
        world.settled[m->receipt] = true;
        note(m->outcome == QUEUE_REJECT ? 'x' : '!', m->id);
    }
    pthread_mutex_unlock(&world.lock);
    return 0;
}

static int dead_letter(struct queue_consumer *c, struct slice body, const char *reason,
                       struct errbuf *err)
{
    int error = 0;

    pthread_mutex_lock(&world.lock);
    if (world.letter_failures > 0) {
        world.letter_failures--;
        error = errbuf_fail(err, LM_EFULL, "no room for letters");
    } else {
        note('*', slice_of_string(reason));
    }
    pthread_mutex_unlock(&world.lock);
    return error;
}

static void interrupt(struct queue *q)
{
}

static const struct queue_ops queue_ops = {.limits = limits,
                                           .consumer_new = consumer_new,
                                           .consumer_free = consumer_free,
                                           .receive = receive,
                                           .settle = settle,
                                           .dead_letter = dead_letter,
                                           .interrupt = interrupt};

/* ---- The store ---- */

static const struct store_ops store_ops;

static struct store_writer *writer_new(struct store *s, struct errbuf *err)
{
    static struct store_writer writer;

    writer.ops = &store_ops;
    return &writer;
}

static void writer_free(struct store_writer *w)
{
}

/* Waits until so many deliveries have been received. Returns false where that takes too long. */
static bool wait_for_deliveries(size_t deliveries)
{
    size_t received = 0;

    for (int ms = 0; ms < WAIT_MS; ms++) {
        pthread_mutex_lock(&world.lock);
        received = world.received;
        pthread_mutex_unlock(&world.lock);
        if (received >= deliveries)
            return true;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return false;
}

static int append(struct store_writer *w, const struct record *records, size_t n,
                  struct store_append_result *result, struct errbuf *err)
{
    bool in_vain;
    int error = 0;

    pthread_mutex_lock(&world.lock);
    world.writing++;
    world.most_writing = world.writing > world.most_writing ? world.writing : world.most_writing;
    pthread_mutex_unlock(&world.lock);
    in_vain = !wait_for_deliveries(world.appends_wait_to);
    pthread_mutex_lock(&world.lock);
    world.writing--;
    world.waited_in_vain |= in_vain;
    world.appends++;
    if (world.store_failures > 0) {
        world.store_failures--;
        world.migrate_failures = world.outage;
        error = errbuf_fail(err, LM_EUNAVAILABLE, "away");
    }
    for (size_t i = 0; i < n && !error; i++)
        if (world.poison && slice_equal(records[i].message, slice_of_string(world.poison)))
            error = errbuf_fail(err, LM_EDATA, "poison");
    for (size_t i = 0; i < n && !error; i++)
        note('+', records[i].message);
    *result = (struct store_append_result){.stored = error ? 0 : n};
    pthread_mutex_unlock(&world.lock);
    return error;
}

static int migrate(struct store *s, const struct store_patience *patience, struct errbuf *err)
{
    int error = 0;

    pthread_mutex_lock(&world.lock);
    if (world.migrate_failures > 0) {
        world.migrate_failures--;
        error = errbuf_fail(err, world.migrate_error, "away");
    }
    pthread_mutex_unlock(&world.lock);
    return error;
}

static int clock_read(struct store_writer *w, struct store_clock *kept, int64_t *now_us,
                      struct errbuf *err)
{
    *kept = (struct store_clock){0};
    *now_us = 1;
    return 0;
}

static int clock_write(struct store_writer *w, const struct store_clock *kept, struct errbuf *err)
{
    return 0;
}

static int expire(struct store_writer *w, int64_t before_us, size_t max_rows, size_t *deleted,
                  bool *more, struct errbuf *err)
{
    pthread_mutex_lock(&world.lock);
    world.expiries += world.migrate_failures > 0;
    pthread_mutex_unlock(&world.lock);
    *deleted = 0;
    *more = false;
    return 0;
}

static const struct store_ops store_ops = {.migrate = migrate,
                                           .expire = expire,
                                           .writer_new = writer_new,
                                           .writer_free = writer_free,
                                           .append = append,
                                           .clock_read = clock_read,
                                           .clock_write = clock_write};

/* ---- Running ---- */

static bool all_settled(void)
{
    bool all = true;

    pthread_mutex_lock(&world.lock);
    for (size_t i = 0; i < world.bodies_len; i++)
        all = all && world.settled[i];
    pthread_mutex_unlock(&world.lock);
    return all;
}

/* Runs a worker until every message is settled, and stops it. */
static void run_until_settled(void)
{
    static struct queue queue = {&queue_ops};
    static struct store store = {&store_ops};
    struct errbuf err = ERRBUF_INIT;
    struct worker *w =
        worker_new(&(struct worker_options){.queue = &queue,
                                            .store = &store,
                                            .one_writer = world.one_writer,
                                            .retention_days = world.migrate_error == LM_EBUSY},
                   &err);

    assert_non_null(w);
    for (int ms = 0; ms < WAIT_MS && !all_settled(); ms++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    worker_free(w, 1000);
    assert_true(all_settled());
}

#define LOG(text) "{\"message\":\"" text "\",\"level\":\"info\"}"
#define BATCH(logs) "{\"v\":1,\"logs\":[" logs "]}"

static void logs_are_stored_before_their_message_is_acknowledged(void **state)
{
    reset_world((const char *const[]){BATCH(LOG("a") "," LOG("b")), LOG("c")}, 2);
    run_until_settled();
    assert_string_equal(world.happened, "+a +b +c !0 !1 ");
    assert_int_equal(world.appends, 1); /* one transaction for all messages of a delivery */
}

static void a_record_the_store_refuses_dies_alone(void **state)
{
    reset_world(
        (const char *const[]){BATCH(LOG("a") "," LOG("b") "," LOG("bad") "," LOG("c") "," LOG("d")),
                              LOG("e")},
        2);
    world.poison = "bad";
    run_until_settled();
    assert_string_equal(world.happened, "+a +b +c +d +e *poison !0 !1 ");
}

static void a_store_that_is_away_loses_nothing_and_repeats_no_dead_letter(void **state)
{
    reset_world((const char *const[]){BATCH(LOG("a") ",{\"level\":\"info\"}"), LOG("b")}, 2);
    world.store_failures = 3;
    run_until_settled();
    assert_string_equal(world.happened, "+a +b *message: Field required !0 !1 ");
}

static void a_message_is_not_acknowledged_before_its_dead_letter_is_kept(void **state)
{
    reset_world((const char *const[]){BATCH(LOG("a") "," LOG("bad"))}, 1);
    world.poison = "bad";
    world.letter_failures = 1;
    run_until_settled();
    assert_string_equal(world.happened, "+a +a *poison !0 "); /* the repeat is idempotent */
}

static void a_message_that_is_no_json_is_rejected_and_its_neighbours_are_stored(void **state)
{
    reset_world((const char *const[]){LOG("a"), "{nonsense", LOG("b")}, 3);
    run_until_settled();
    assert_string_equal(world.happened, "+a +b !0 x1 !2 ");
}

static void a_store_that_is_away_at_the_start_is_waited_for(void **state)
{
    reset_world((const char *const[]){LOG("a")}, 1);
    world.migrate_failures = 3;
    run_until_settled();
    assert_string_equal(world.happened, "+a !0 ");
    assert_int_equal(world.migrate_failures, 0);
}

/* Else what is too old would keep out what is not. */
static void what_is_too_old_goes_while_the_store_takes_nothing(void **state)
{
    reset_world((const char *const[]){LOG("a")}, 1);
    world.migrate_error = LM_EBUSY;
    world.migrate_failures = 3;
    run_until_settled();
    assert_string_equal(world.happened, "+a !0 ");
    assert_true(world.expiries > 0);
}

static void no_message_is_taken_while_the_store_is_away(void **state)
{
    reset_world((const char *const[]){LOG("a")}, 1);
    world.store_failures = 1;
    world.outage = 4;
    run_until_settled();
    assert_int_equal(world.appends, 2); /* the one that failed, and the one after the outage */
    assert_int_equal(world.migrate_failures, 0);
}

static void the_next_delivery_is_received_while_one_is_stored(void **state)
{
    reset_world((const char *const[]){LOG("a"), LOG("b")}, 2);
    world.is_single = true;
    world.appends_wait_to = 2;
    run_until_settled();
    assert_string_equal(world.happened, "+a !0 +b !1 ");
    assert_false(world.waited_in_vain);
}

static void a_store_with_one_writer_is_not_written_to_by_two(void **state)
{
    reset_world((const char *const[]){LOG("a"), LOG("b")}, 2);
    world.is_single = world.one_writer = true;
    world.appends_wait_to = 2; /* while a second is received */
    run_until_settled();
    assert_int_equal(world.most_writing, 1);
    assert_false(world.waited_in_vain);
}

static void what_was_received_meanwhile_goes_back_where_the_store_fails(void **state)
{
    reset_world((const char *const[]){LOG("a"), LOG("b")}, 2);
    world.is_single = true;
    world.appends_wait_to = 2;
    world.store_failures = 1;
    world.outage = 2;
    run_until_settled();
    assert_string_equal(world.happened, "+a !0 +b !1 ");
    assert_int_equal(world.appends, 3); /* b's was not tried while the store was away */
}

static size_t waits_in_vain(void)
{
    pthread_mutex_lock(&world.lock);
    size_t n = world.in_vain[0] + world.in_vain[1];
    pthread_mutex_unlock(&world.lock);
    return n;
}

/* What a consumer is given between its receives has to wait for no other's. */
static void while_nothing_comes_the_same_consumer_receives(void **state)
{
    static struct queue queue = {&queue_ops};
    static struct store store = {&store_ops};
    struct errbuf err = ERRBUF_INIT;

    reset_world(NULL, 0);
    world.is_single = true;
    struct worker *w = worker_new(&(struct worker_options){.queue = &queue, .store = &store}, &err);
    assert_non_null(w);
    for (int ms = 0; ms < WAIT_MS && waits_in_vain() < IN_VAIN; ms++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    worker_free(w, 0);
    assert_true(waits_in_vain() >= IN_VAIN);
    assert_true(world.in_vain[0] == 0 || world.in_vain[1] == 0);
}

/* Starts a worker and stops it at once. */
static void run_until_drained(void)
{
    static struct queue queue = {&queue_ops};
    static struct store store = {&store_ops};
    struct errbuf err = ERRBUF_INIT;
    struct worker *w = worker_new(
        &(struct worker_options){.queue = &queue, .store = &store, .one_writer = world.one_writer},
        &err);

    assert_non_null(w);
    worker_free(w, WAIT_MS);
}

static void what_is_queued_is_stored_before_a_stop(void **state)
{
    reset_world((const char *const[]){LOG("a")}, 1);
    run_until_drained();
    assert_string_equal(world.happened, "+a !0 ");
}

/* Before a stop, since no round then waits for the next. */
static void what_was_received_first_is_stored_first(void **state)
{
    for (int i = 0; i < TRIES; i++) {
        reset_world((const char *const[]){LOG("0"), LOG("1"), LOG("2"), LOG("3"), LOG("4"),
                                          LOG("5"), LOG("6"), LOG("7")},
                    8);
        world.is_single = true;
        run_until_drained();
        assert_string_equal(world.happened, "+0 !0 +1 !1 +2 !2 +3 !3 +4 !4 +5 !5 +6 !6 +7 !7 ");
    }
}

/* ---- Background work ---- */

static struct {
    _Atomic unsigned steps;
    unsigned failures; /* of the first steps */
    unsigned wait_ms;  /* that each asks for afterwards */
} keeping;

static struct store_keeper *keeper_new(struct store *s, struct errbuf *err)
{
    static struct store_keeper keeper;

    keeper.ops = s->ops;
    return &keeper;
}

static void keeper_free(struct store_keeper *k)
{
}

static int keeper_step(struct store_keeper *k, bool at_once, unsigned *wait_ms, struct errbuf *err)
{
    unsigned step = atomic_fetch_add(&keeping.steps, 1);

    assert_false(at_once);
    *wait_ms = step < keeping.failures ? 1 : keeping.wait_ms;
    return step < keeping.failures ? errbuf_fail(err, LM_EFULL, "no space left") : 0;
}

static struct worker *start_with_keeper(void)
{
    static const struct store_ops kept_ops = {.migrate = migrate,
                                              .writer_new = writer_new,
                                              .writer_free = writer_free,
                                              .append = append,
                                              .clock_read = clock_read,
                                              .clock_write = clock_write,
                                              .keeper_new = keeper_new,
                                              .keeper_free = keeper_free,
                                              .keeper_step = keeper_step};
    static struct queue queue = {&queue_ops};
    static struct store store = {&kept_ops};
    struct errbuf err = ERRBUF_INIT;
    struct worker *w = worker_new(&(struct worker_options){.queue = &queue, .store = &store}, &err);

    assert_non_null(w);
    return w;
}

static void wait_for_steps(unsigned steps)
{
    for (int ms = 0; ms < WAIT_MS && atomic_load(&keeping.steps) < steps; ms++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    assert_true(atomic_load(&keeping.steps) >= steps);
}

static void background_work_goes_on_after_failures(void **state)
{
    reset_world(NULL, 0);
    atomic_store(&keeping.steps, 0);
    keeping.failures = 3;
    keeping.wait_ms = 1;
    struct worker *w = start_with_keeper();
    wait_for_steps(5);
    worker_free(w, 0);
}

/* A pause of an hour would be more than this test has. */
static void a_stop_does_not_wait_for_the_next_step_of_background_work(void **state)
{
    reset_world(NULL, 0);
    atomic_store(&keeping.steps, 0);
    keeping.failures = 0;
    keeping.wait_ms = 3600000;
    struct worker *w = start_with_keeper();
    wait_for_steps(1);
    worker_free(w, 0);
    assert_int_equal(atomic_load(&keeping.steps), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logs_are_stored_before_their_message_is_acknowledged),
        cmocka_unit_test(a_record_the_store_refuses_dies_alone),
        cmocka_unit_test(a_store_that_is_away_loses_nothing_and_repeats_no_dead_letter),
        cmocka_unit_test(a_message_is_not_acknowledged_before_its_dead_letter_is_kept),
        cmocka_unit_test(a_message_that_is_no_json_is_rejected_and_its_neighbours_are_stored),
        cmocka_unit_test(a_store_that_is_away_at_the_start_is_waited_for),
        cmocka_unit_test(what_is_too_old_goes_while_the_store_takes_nothing),
        cmocka_unit_test(no_message_is_taken_while_the_store_is_away),
        cmocka_unit_test(the_next_delivery_is_received_while_one_is_stored),
        cmocka_unit_test(a_store_with_one_writer_is_not_written_to_by_two),
        cmocka_unit_test(what_was_received_meanwhile_goes_back_where_the_store_fails),
        cmocka_unit_test(while_nothing_comes_the_same_consumer_receives),
        cmocka_unit_test(what_is_queued_is_stored_before_a_stop),
        cmocka_unit_test(what_was_received_first_is_stored_first),
        cmocka_unit_test(background_work_goes_on_after_failures),
        cmocka_unit_test(a_stop_does_not_wait_for_the_next_step_of_background_work),
    };

    diag_set_level(DIAG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
