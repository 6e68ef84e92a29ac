#include "ingest/ingest.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../cmocka_all.h"
#include "../queue/queue_test_support.h"
#include "../temp_directory.h"
#include "base/container_of.h"
#include "queue/sqlite/adapter.h"

/* ---- A ticket and its owner ---- */

enum { OWNERS = 6 };

struct owner {
    struct ingest_ticket ticket;
    unsigned told;
    int error;
};

static uv_loop_t loop;
static struct mailbox box;
static struct hold hold;
static struct ledger ledger;
static struct account *account;
static struct ingest *in;
static struct owner owners[OWNERS];

static void on_done(struct ingest_ticket *t, int error)
{
    struct owner *o = container_of(t, struct owner, ticket);

    o->told++;
    o->error = error;
}

static void begin(struct queue *q)
{
    struct errbuf err = ERRBUF_INIT;

    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(mailbox_init(&box, &loop, &err), 0);
    assert_int_equal(hold_init(&hold, &loop, &err), 0);
    ledger_init(&ledger, 16 << 20);
    account = ledger_account(&ledger, LEDGER_INTAKE);
    in = ingest_new(q, account, &box, &hold);
    for (size_t i = 0; i < OWNERS; i++)
        owners[i] = (struct owner){.ticket = {.done = on_done, .has_room = true}};
}

static void on_box_closed(struct mailbox *closed)
{
    assert_ptr_equal(closed, &box);
}

static void on_hold_closed(struct hold *closed)
{
    assert_ptr_equal(closed, &hold);
}

static void end(void)
{
    assert_int_equal(account_used(account), 0);
    ingest_free(in);
    mailbox_close(&box, on_box_closed);
    hold_close(&hold, on_hold_closed);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

/* One log whose message is `text` and which differs from all others. */
static int add(struct owner *o, const char *text)
{
    struct record r = {.level = SLICE_LITERAL("info"), .message = slice_of_string(text)};

    r.key.timestamp_us = 1700000000000000;
    r.key.id = uuid7_new(r.key.timestamp_us);
    return ingest_add(&o->ticket, &r);
}

static void take(struct owner *o, const char *const *texts, size_t n)
{
    ingest_open(in, &o->ticket);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(add(o, texts[i]), 0);
    assert_int_equal(ingest_commit(&o->ticket), 0);
}

static void take_one(struct owner *o, const char *text)
{
    take(o, &text, 1);
}

/* Flushes as the loop does, until owners[0..n) have all been told. */
static void flush_until_told(size_t n)
{
    for (size_t told = 0; told < n;) {
        ingest_flush(in);
        uv_run(&loop, UV_RUN_ONCE);
        told = 0;
        for (size_t i = 0; i < n; i++)
            told += owners[i].told;
    }
}

/* ---- With the embedded queue ---- */

static char *dir;
static struct queue *queue;

static int set_up(void **state)
{
    struct errbuf err = ERRBUF_INIT;

    dir = temp_directory_new();
    queue = queue_sqlite_new(
        &(struct queue_sqlite_options){.directory = dir, .max_message_bytes = 4096}, &err);
    if (!queue)
        return -1;
    begin(queue);
    return 0;
}

static int tear_down(void **state)
{
    end();
    queue_free(queue);
    temp_directory_free(dir);
    return 0;
}

struct found {
    size_t messages;
    char text[16384]; /* of all messages */
};

static void note(struct slice body, void *ctx)
{
    struct found *found = ctx;
    size_t len = strlen(found->text);

    found->messages++;
    snprintf(found->text + len, sizeof(found->text) - len, "%.*s\n", SLICE_ARG(body));
}

/* All that the queue holds. */
static struct found drain(void)
{
    struct queue_consumer *c = queue_test_consumer(queue);
    struct found found = {0};

    queue_test_drain(c, 0, 50, note, &found);
    queue_consumer_free(c);
    return found;
}

static void a_ticket_is_told_once_its_logs_are_durable(void **state)
{
    static const char *const texts[] = {"one", "two", "three"};

    take(&owners[0], texts, 3);
    assert_int_equal(owners[0].ticket.stage, INGEST_WAITING);
    assert_true(account_used(account) > 0);
    flush_until_told(1);
    assert_int_equal(owners[0].told, 1);
    assert_int_equal(owners[0].error, 0);
    assert_int_equal(owners[0].ticket.stage, INGEST_NEW);
    assert_int_equal(account_used(account), 0);

    struct found found = drain();
    assert_int_equal(found.messages, 1);
    assert_ptr_equal(strstr(found.text, "v2 "), found.text);
    const char *one = strstr(found.text, "infoone\n");
    const char *two = strstr(found.text, "infotwo\n");
    const char *three = strstr(found.text, "infothree\n");
    assert_true(one && two && three && one < two && two < three);
}

static void tickets_that_wait_together_share_a_send(void **state)
{
    take_one(&owners[0], "one");
    take_one(&owners[1], "two");
    take_one(&owners[2], "three");
    flush_until_told(3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(owners[i].error, 0);
    assert_int_equal(drain().messages, 1);
}

static void a_cancelled_ticket_leaves_nothing_behind(void **state)
{
    take_one(&owners[0], "kept");
    ingest_open(in, &owners[1].ticket);
    assert_int_equal(add(&owners[1], "taken back"), 0);
    ingest_cancel(&owners[1].ticket);
    take_one(&owners[2], "kept, too");
    flush_until_told(1);
    while (!owners[2].told)
        uv_run(&loop, UV_RUN_ONCE);

    struct found found = drain();
    assert_non_null(strstr(found.text, "kept\n"));
    assert_non_null(strstr(found.text, "kept, too\n"));
    assert_null(strstr(found.text, "taken back"));
    assert_int_equal(owners[1].told, 0);
}

static void a_ticket_of_many_logs_becomes_many_messages_of_one_send(void **state)
{
    char text[1001];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    ingest_open(in, &owners[0].ticket);
    for (int i = 0; i < 10; i++)
        assert_int_equal(add(&owners[0], text), 0);
    assert_int_equal(ingest_commit(&owners[0].ticket), 0);
    flush_until_told(1);
    assert_int_equal(owners[0].error, 0);
    assert_int_equal(drain().messages, 4); /* of three logs each, or what is left */
}

static void a_log_larger_than_a_message_is_refused(void **state)
{
    char text[5000];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    ingest_open(in, &owners[0].ticket);
    assert_int_equal(add(&owners[0], "small"), 0);
    assert_int_equal(add(&owners[0], text), LM_ETOOBIG);
    ingest_cancel(&owners[0].ticket);
    take_one(&owners[1], "after it");
    while (!owners[1].told) {
        ingest_flush(in);
        uv_run(&loop, UV_RUN_ONCE);
    }
    assert_null(strstr(drain().text, "small"));
    assert_int_equal(owners[0].told, 0);
}

/* A small body may stand for logs that are large together. */
static void a_ticket_pays_for_its_logs_as_it_grows(void **state)
{
    enum { TEXT = 2048, UNPAID = 128 << 10, MANY = 100000 };
    static char text[TEXT + 1];
    struct owner *o = &owners[0];
    int error = 0;
    size_t added = 0;

    memset(text, 'x', TEXT);
    ingest_open(in, &o->ticket);
    for (int i = 0; !error && i < MANY; i++, added += TEXT) {
        error = add(o, text);
        assert_true(error || account_used(account) + UNPAID >= added);
    }
    assert_int_equal(error, LM_ETOOBIG);
    assert_true(added < account->ceiling + UNPAID);
    ingest_cancel(&o->ticket);
    assert_int_equal(account_used(account), 0);

    size_t others = account->ceiling - (1 << 20);
    assert_true(account_take(account, others));
    error = 0;
    ingest_open(in, &o->ticket);
    for (int i = 0; !error && i < MANY; i++)
        error = add(o, text);
    assert_int_equal(error, LM_EBUSY);
    ingest_cancel(&o->ticket);
    account_give(account, others);
    take_one(o, text);
    flush_until_told(1);
    assert_int_equal(o->error, 0);
}

/* What its owner holds for the same logs. */
static struct account *elsewhere;
static size_t held_elsewhere;

static bool exchange_all(struct ingest_ticket *t, struct account *to, size_t bytes)
{
    size_t given = held_elsewhere;

    held_elsewhere = 0;
    return account_exchange(elsewhere, given, to, bytes);
}

/* Else two that came whole would keep each other out. */
static void what_its_owner_holds_is_exchanged_for_the_logs_where_there_is_no_room(void **state)
{
    enum { MANY = 100 };
    static char text[2048];
    struct owner *o = &owners[0];
    size_t others = 0;

    memset(text, 'x', sizeof(text) - 1);
    elsewhere = ledger_account(&ledger, LEDGER_BODIES);
    assert_true(account_take(elsewhere, elsewhere->ceiling));
    while (account_take(account, 1024))
        others += 1024;
    held_elsewhere = 2 * MANY * sizeof(text);
    o->ticket.exchange = exchange_all;
    ingest_open(in, &o->ticket);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(add(o, text), 0);
    assert_int_equal(held_elsewhere, 0);
    ingest_cancel(&o->ticket);
    assert_int_equal(account_used(account), others);

    assert_true(account_take(elsewhere, elsewhere->ceiling - account_used(elsewhere)));
    held_elsewhere = 4096;
    while (account_take(account, 1))
        others++;
    take_one(o, "not much");
    assert_int_equal(held_elsewhere, 0);
    flush_until_told(1);
    assert_int_equal(o->error, 0);
    assert_int_equal(account_used(account), others);
    account_give(account, others);
    account_give(elsewhere, account_used(elsewhere));
}

/* ---- With a queue whose messages are JSON, and as large as may be ---- */

static struct queue_limits json_limits(const struct queue *q)
{
    return (struct queue_limits){
        .max_message_bytes = 64 << 20, .send_slots = 1, .atomic_send = true};
}

static const struct queue_ops json_ops = {.limits = json_limits};

static int set_up_json(void **state)
{
    static struct queue json = {&json_ops};

    begin(&json);
    return 0;
}

static int tear_down_json(void **state)
{
    end();
    return 0;
}

/* Each byte is six in the message. */
static void a_ticket_pays_for_what_its_logs_are_when_escaped(void **state)
{
    enum { TEXT = 2048, ESCAPED = 6 * TEXT, UNPAID = 128 << 10, MANY = 100000 };
    static char text[TEXT + 1];
    size_t added = 0;
    int error = 0;

    memset(text, 1, TEXT);
    ingest_open(in, &owners[0].ticket);
    for (int i = 0; !error && i < MANY; i++, added += ESCAPED) {
        error = add(&owners[0], text);
        assert_true(error || account_used(account) + UNPAID >= added);
    }
    assert_int_equal(error, LM_ETOOBIG);
    assert_true(added < account->ceiling + UNPAID);
    assert_true(owners[0].ticket.bytes > ingest_bytes_max(in));
    ingest_cancel(&owners[0].ticket);
}

static void no_room_in_the_account_is_told_at_commit(void **state)
{
    size_t taken = 0;

    while (account_take(account, 1024))
        taken += 1024;
    while (account_take(account, 1))
        taken++;
    ingest_open(in, &owners[0].ticket);
    assert_int_equal(add(&owners[0], "no room"), 0);
    assert_int_equal(ingest_commit(&owners[0].ticket), LM_EBUSY);
    ingest_cancel(&owners[0].ticket);
    account_give(account, taken);
    take_one(&owners[1], "room again");
    while (!owners[1].told) {
        ingest_flush(in);
        uv_run(&loop, UV_RUN_ONCE);
    }
    assert_null(strstr(drain().text, "no room"));
}

/* ---- With a queue of one message a send, which refuses what holds "wrong" ---- */

enum { PICKY_BYTES = 600, PICKY_SENDS = 32 };

struct picky {
    struct queue base;
    size_t sends;
    size_t refusals; /* still to come, with: */
    int error;
    const char *which;                        /* of those that have it; NULL: of all */
    char refused[PICKY_BYTES + 1];            /* the last that it did not take so */
    char texts[PICKY_SENDS][PICKY_BYTES + 1]; /* that it has taken */
};

static int picky_send(struct queue *q, struct queue_send *send)
{
    struct picky *p = container_of(q, struct picky, base);
    struct slice text = send->messages[0];
    bool bad = memmem(text.data, text.len, "wrong", 5);

    assert_int_equal(send->messages_len, 1);
    assert_true(text.len <= PICKY_BYTES);
    if (p->refusals && (!p->which || memmem(text.data, text.len, p->which, strlen(p->which)))) {
        p->refusals--;
        snprintf(p->refused, sizeof(p->refused), "%.*s", SLICE_ARG(text));
        send->done(send, p->error, "not now");
        return 0;
    }
    if (!bad) {
        assert_true(p->sends < PICKY_SENDS);
        snprintf(p->texts[p->sends++], PICKY_BYTES + 1, "%.*s", SLICE_ARG(text));
    }
    send->done(send, bad ? LM_EDATA : 0, bad ? "wrong" : NULL);
    return 0;
}

static struct queue_limits picky_limits(const struct queue *q)
{
    return (struct queue_limits){.max_message_bytes = PICKY_BYTES, .send_slots = 2};
}

static const struct queue_ops picky_ops = {.send = picky_send, .limits = picky_limits};
static struct picky picky;

static int set_up_picky(void **state)
{
    picky = (struct picky){.base = {&picky_ops}};
    begin(&picky.base);
    return 0;
}

static int tear_down_picky(void **state)
{
    end();
    return 0;
}

static size_t times_taken(const char *text)
{
    size_t n = 0;

    for (size_t i = 0; i < picky.sends; i++)
        n += !!strstr(picky.texts[i], text);
    return n;
}

static void the_ticket_to_blame_is_refused_alone(void **state)
{
    static const char *const texts[] = {"n0", "n1", "wrong", "n3", "n4"};

    for (size_t i = 0; i < 5; i++)
        take_one(&owners[i], texts[i]);
    flush_until_told(5);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(owners[i].told, 1);
        assert_int_equal(owners[i].error, i == 2 ? LM_EDATA : 0);
        assert_int_equal(times_taken(texts[i]), i == 2 ? 0 : 1);
    }
}

enum { PATIENT_MS = 600000 }; /* longer than any test takes */

/* With the same bytes: the ids are in them, so that it is stored once though it was there. */
static void the_patient_are_sent_again_and_the_others_told(void **state)
{
    static const int errors[] = {LM_EBUSY, LM_EFULL, LM_ETIMEOUT, LM_EUNAVAILABLE, LM_EIO};

    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        picky.sends = 0;
        picky.refusals = 3;
        picky.error = errors[i];
        for (size_t k = 0; k < 3; k++)
            owners[k] = (struct owner){.ticket = {
                                           .done = on_done,
                                           .has_room = true,
                                           .patience_ms = k == 1 ? 0 : PATIENT_MS,
                                       }};
        take_one(&owners[0], "one waits");
        take_one(&owners[1], "one does not");
        take_one(&owners[2], "another waits");
        flush_until_told(3);
        assert_int_equal(picky.refusals, 0);
        assert_int_equal(owners[0].error, 0);
        assert_int_equal(owners[1].error, errors[i]);
        assert_int_equal(owners[2].error, 0);
        assert_int_equal(picky.sends, 1);
        assert_string_equal(picky.texts[0], picky.refused);
        assert_int_equal(times_taken("one waits"), 1);
        assert_int_equal(times_taken("another waits"), 1);
        assert_int_equal(times_taken("one does not"), 0);
        for (size_t k = 0; k < 3; k++)
            assert_int_equal(owners[k].told, 1);
    }
}

static void others_go_on_while_one_is_held(void **state)
{
    picky.refusals = SIZE_MAX;
    picky.error = LM_EBUSY;
    picky.which = "held";
    owners[1].ticket.patience_ms = PATIENT_MS;
    take_one(&owners[1], "held");
    while (picky.refusals == SIZE_MAX) {
        ingest_flush(in);
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    take_one(&owners[0], "goes on");
    flush_until_told(1);
    assert_int_equal(owners[0].error, 0);
    assert_int_equal(owners[1].told, 0);
    assert_true(account_used(account) > 0);
    picky.refusals = 0;
    flush_until_told(2);
    assert_int_equal(owners[1].error, 0);
}

static void patience_has_an_end_and_what_is_held_a_bound(void **state)
{
    picky.refusals = SIZE_MAX;
    picky.error = LM_EBUSY;
    owners[0].ticket.patience_ms = HOLD_WAKE_US / 1000 * 2;
    take_one(&owners[0], "in vain");
    flush_until_told(1);
    assert_int_equal(owners[0].error, LM_EBUSY);
    assert_true(SIZE_MAX - picky.refusals >= 1);

    picky.refusals = 1;
    account->ceiling = INGEST_HELD_SHARE * 64; /* less than a send */
    owners[1].ticket.patience_ms = PATIENT_MS;
    take_one(&owners[1], "too much");
    flush_until_told(2);
    assert_int_equal(owners[1].error, LM_EBUSY);
}

/* What only builds that know version 2 can open gets that; all others get version 1. */
static void messages_are_of_a_version_that_all_readers_know(void **state)
{
    take_one(&owners[0], "one");
    flush_until_told(1);
    assert_int_equal(picky.sends, 1);
    assert_ptr_equal(strstr(picky.texts[0], "{\"v\":1,\"logs\":[{"), picky.texts[0]);
}

/* Logs of one ticket that do not fit behind those of others go into the next send, all of them. */
static void a_ticket_is_never_in_two_sends(void **state)
{
    static const char *const first[] = {"one 0", "one 1"};
    static const char *const second[] = {"two 0", "two 1", "two 2"};

    take(&owners[0], first, 2);
    take(&owners[1], second, 3);
    flush_until_told(2);
    assert_int_equal(picky.sends, 2);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(times_taken(second[i]), 1);
        assert_non_null(strstr(picky.texts[1], second[i]));
    }
    assert_null(strstr(picky.texts[0], "two 0"));
    assert_null(strstr(picky.texts[1], "one 1"));
}

static void logs_that_pass_one_message_together_are_refused(void **state)
{
    int error = 0;
    int taken = 0;

    take_one(&owners[0], "before");
    ingest_open(in, &owners[1].ticket);
    for (; !error; taken++)
        error = add(&owners[1], "one of many");
    assert_int_equal(error, LM_ETOOBIG);
    assert_true(taken > 2);
    ingest_cancel(&owners[1].ticket);
    flush_until_told(1);
    assert_int_equal(picky.sends, 1);
    assert_int_equal(times_taken("before"), 1);
    assert_int_equal(times_taken("one of many"), 0);
}

/* ---- With a queue whose sends cost money, and come back when the test says so ---- */

enum { COSTLY_SENDS = 16, HOUR_US = 3600000000 };

static struct costly {
    struct queue base;
    unsigned gather_us;
    size_t messages;
    size_t logs[COSTLY_SENDS]; /* of each message, by their common text */
    struct queue_send *under_way[COSTLY_SENDS];
    size_t under_way_len;
    bool has_stopped;
} costly;

static int costly_send(struct queue *q, struct queue_send *send)
{
    struct slice text = send->messages[0];
    const char *at = text.data;

    if (costly.has_stopped)
        return LM_ESTOPPED;
    assert_int_equal(send->messages_len, 1);
    assert_true(costly.messages < COSTLY_SENDS);
    for (; (at = memmem(at, (size_t)(text.data + text.len - at), "a log", 5)); at++)
        costly.logs[costly.messages]++;
    costly.messages++;
    costly.under_way[costly.under_way_len++] = send;
    return 0;
}

static struct queue_limits costly_limits(const struct queue *q)
{
    return (struct queue_limits){.max_message_bytes = 2048,
                                 .send_slots = 2,
                                 .gather_us = costly.gather_us,
                                 .gather_bytes = 64 << 10};
}

static const struct queue_ops costly_ops = {.send = costly_send, .limits = costly_limits};

static int set_up_costly_with(unsigned gather_us)
{
    costly = (struct costly){.base = {&costly_ops}, .gather_us = gather_us};
    begin(&costly.base);
    return 0;
}

/* So long that only what ends the waiting sooner can be seen. */
static int set_up_costly(void **state)
{
    return set_up_costly_with(HOUR_US);
}

static int set_up_costly_soon(void **state)
{
    return set_up_costly_with(50000);
}

static int tear_down_costly(void **state)
{
    end();
    return 0;
}

/* The oldest send under way comes back. */
static void come_back(int error)
{
    struct queue_send *send = costly.under_way[0];

    assert_true(costly.under_way_len > 0);
    memmove(costly.under_way, costly.under_way + 1,
            --costly.under_way_len * sizeof(costly.under_way[0]));
    send->done(send, error, error ? "not now" : NULL);
    uv_run(&loop, UV_RUN_NOWAIT);
    ingest_flush(in);
}

/* A log comes, and the loop has drained what was readable. */
static void comes(size_t i)
{
    take_one(&owners[i], "a log");
    ingest_flush(in);
}

static void a_lone_client_waits_for_nobody(void **state)
{
    for (size_t i = 0; i < 8; i++) {
        comes(0);
        assert_int_equal(costly.messages, i + 1);
        come_back(0);
        assert_int_equal(owners[0].told, i + 1);
        assert_int_equal(owners[0].error, 0);
    }
}

/* Nobody is told that a log is durable before the queue has said so, or waits for who is gone. */
static void logs_gather_while_others_are_under_way_until_all_have_come(void **state)
{
    comes(0);
    comes(1);
    comes(2);
    assert_int_equal(costly.messages, 1);
    come_back(0);
    assert_int_equal(owners[0].told, 1);
    assert_int_equal(owners[1].told + owners[2].told, 0);
    assert_int_equal(costly.messages, 1);
    comes(0); /* as many as ever were about */
    assert_int_equal(costly.messages, 2);
    assert_int_equal(costly.logs[1], 3);
    assert_int_equal(owners[0].told, 1);
    come_back(0);
    assert_int_equal(owners[0].told, 2);
    assert_int_equal(owners[1].told, 1);
    assert_int_equal(owners[2].told, 1);
}

static void time_ends_the_gathering(void **state)
{
    comes(0);
    comes(1);
    comes(2);
    for (size_t told = 0; told < 3; told = owners[0].told + owners[1].told + owners[2].told) {
        if (costly.under_way_len > 0) {
            come_back(0);
            continue;
        }
        uv_run(&loop, UV_RUN_ONCE); /* would not return without the timer */
        ingest_flush(in);
    }
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(owners[i].told, 1);
}

static void who_is_left_alone_soon_waits_for_nobody(void **state)
{
    size_t waits = 0;

    comes(0);
    comes(1);
    come_back(0); /* and 0 comes no more */
    for (size_t told = 0; told < 8; told++) {
        while (costly.under_way_len == 0) {
            waits++;
            uv_run(&loop, UV_RUN_ONCE); /* would not return without the timer */
            ingest_flush(in);
        }
        come_back(0);
        comes(1);
    }
    assert_int_equal(costly.under_way_len, 1);
    assert_true(waits <= 2);
    come_back(0);
}

static void a_message_that_is_full_goes_at_once(void **state)
{
    size_t logs = 0;

    comes(0);
    ingest_open(in, &owners[1].ticket);
    for (; logs < 12; logs++)
        assert_int_equal(add(&owners[1], "a log"), 0);
    assert_int_equal(ingest_commit(&owners[1].ticket), 0);
    ingest_flush(in);
    assert_int_equal(costly.messages, 2); /* another as large would not fit */
    come_back(0);
    come_back(0);
}

/* What gathers is the ingest's, so the failure of another send is not its own. */
static void a_send_that_fails_takes_none_with_it_that_gathers(void **state)
{
    comes(0);
    comes(1);
    come_back(LM_EIO);
    assert_int_equal(owners[0].error, LM_EIO);
    assert_int_equal(owners[1].told, 0);
    comes(0);
    assert_int_equal(costly.logs[1], 2);
    come_back(LM_EDATA); /* in halves then, at once */
    assert_int_equal(costly.messages, 4);
    come_back(0);
    come_back(LM_EDATA);
    assert_int_equal(owners[1].error + owners[0].error, LM_EDATA);
    assert_int_equal(owners[0].told, 2);
    assert_int_equal(owners[1].told, 1);
}

static void what_gathers_when_the_queue_stops_is_told(void **state)
{
    comes(0);
    comes(1);
    costly.has_stopped = true;
    come_back(0);
    while (!owners[1].told) {
        ingest_flush(in);
        uv_run(&loop, UV_RUN_ONCE);
    }
    assert_int_equal(owners[0].error, 0);
    assert_int_equal(owners[1].error, LM_ESTOPPED);
}

/* Both are woken by the same timer. */
static void a_held_send_goes_again_while_others_gather(void **state)
{
    owners[0].ticket.patience_ms = PATIENT_MS;
    comes(0);
    comes(1);
    come_back(LM_EBUSY);
    assert_int_equal(owners[0].told, 0);
    while (costly.messages < 2) {
        uv_run(&loop, UV_RUN_ONCE);
        ingest_flush(in);
    }
    come_back(0);
    assert_int_equal(owners[0].told, 1);
    assert_int_equal(owners[0].error, 0);
    assert_int_equal(owners[1].told, 0);
    comes(0);
    come_back(0);
    assert_int_equal(owners[1].told, 1);
}

#ifdef LOGMILL_CHECKS

/* Runs `break_it` in a process of its own: true if a check ends it. */
static bool aborts(void break_it(void))
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        close(STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        break_it();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void commit_without_room_for_the_answer(void)
{
    owners[0].ticket.has_room = false;
    take_one(&owners[0], "m");
}

static void commit_twice(void)
{
    take_one(&owners[0], "m");
    if (ingest_commit(&owners[0].ticket))
        return;
}

static void open_two(void)
{
    ingest_open(in, &owners[0].ticket);
    ingest_open(in, &owners[1].ticket);
}

static void commit_nothing(void)
{
    take(&owners[0], NULL, 0);
}

static void touch_a_ticket_that_waits(void)
{
    take_one(&owners[0], "m");
    owners[0].ticket.logs++;
    ingest_flush(in);
}

static void misuse_ends_a_test(void **state)
{
    assert_true(aborts(commit_without_room_for_the_answer));
    assert_true(aborts(commit_twice));
    assert_true(aborts(open_two));
    assert_true(aborts(commit_nothing));
    assert_true(aborts(touch_a_ticket_that_waits));
}

#endif

int main(void)
{
#define WITH(test, queue) cmocka_unit_test_setup_teardown(test, set_up##queue, tear_down##queue)
    const struct CMUnitTest tests[] = {
        WITH(a_ticket_is_told_once_its_logs_are_durable, ),
        WITH(tickets_that_wait_together_share_a_send, ),
        WITH(a_cancelled_ticket_leaves_nothing_behind, ),
        WITH(a_ticket_of_many_logs_becomes_many_messages_of_one_send, ),
        WITH(a_log_larger_than_a_message_is_refused, ),
        WITH(a_ticket_pays_for_its_logs_as_it_grows, ),
        WITH(what_its_owner_holds_is_exchanged_for_the_logs_where_there_is_no_room, ),
        WITH(a_ticket_pays_for_what_its_logs_are_when_escaped, _json),
        WITH(no_room_in_the_account_is_told_at_commit, ),
        WITH(the_ticket_to_blame_is_refused_alone, _picky),
        WITH(the_patient_are_sent_again_and_the_others_told, _picky),
        WITH(others_go_on_while_one_is_held, _picky),
        WITH(patience_has_an_end_and_what_is_held_a_bound, _picky),
        WITH(messages_are_of_a_version_that_all_readers_know, _picky),
        WITH(a_ticket_is_never_in_two_sends, _picky),
        WITH(logs_that_pass_one_message_together_are_refused, _picky),
        WITH(a_lone_client_waits_for_nobody, _costly),
        WITH(logs_gather_while_others_are_under_way_until_all_have_come, _costly),
        cmocka_unit_test_setup_teardown(time_ends_the_gathering, set_up_costly_soon,
                                        tear_down_costly),
        cmocka_unit_test_setup_teardown(who_is_left_alone_soon_waits_for_nobody, set_up_costly_soon,
                                        tear_down_costly),
        WITH(a_message_that_is_full_goes_at_once, _costly),
        WITH(a_send_that_fails_takes_none_with_it_that_gathers, _costly),
        cmocka_unit_test_setup_teardown(what_gathers_when_the_queue_stops_is_told,
                                        set_up_costly_soon, tear_down_costly),
        WITH(a_held_send_goes_again_while_others_gather, _costly),
#ifdef LOGMILL_CHECKS
        WITH(misuse_ends_a_test, _picky),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
