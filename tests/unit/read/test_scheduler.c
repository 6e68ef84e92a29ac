/*
 * The scheduler with jobs that are scripts: what each turn does is told beforehand, and the order
 * of the turns is written down. The store is a fake that does nothing but count its cancels.
 *
 * Most tests have one thread. It is held in a turn of a job of its own (`gate`) while the jobs are
 * submitted, and then let go, so that the order does not depend on who is fast.
 */
#include "read/scheduler.h"

#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

#include "../cmocka_all.h"

enum { JOBS_MAX = 16, GATE_CLIENT = 1000 };

/* ---- A store that is never asked anything ---- */

struct fake_reader {
    struct store_reader base;
    atomic_uint cancels;
};

static struct fake_reader fake_readers[READ_THREADS_MAX];
static unsigned fake_readers_len;

static struct store_reader *fake_reader_new(struct store *s, struct errbuf *err)
{
    struct fake_reader *r = &fake_readers[fake_readers_len++];

    r->base.ops = s->ops;
    atomic_store(&r->cancels, 0);
    return &r->base;
}

static void fake_reader_free(struct store_reader *r)
{
}

static void fake_reader_cancel(struct store_reader *r)
{
    atomic_fetch_add(&((struct fake_reader *)r)->cancels, 1);
}

static const struct store_ops fake_ops = {
    .reader_new = fake_reader_new, .reader_free = fake_reader_free, .cancel = fake_reader_cancel};
static struct store fake_store = {&fake_ops};

/* ---- Jobs ---- */

struct job {
    struct read_job read;
    char name;
    unsigned turns_wanted; /* after which it is done */
    bool waits_for_gate;   /* each turn lasts until the gate is open, … */
    bool until_cancelled;  /* … or its store call is cancelled */
    atomic_uint turns;
    bool had_last;   /* a turn that was told to be the last */
    uint64_t ran_us; /* its last turn */
    bool submitted;
    bool finished;
};

static uv_loop_t loop;
static struct mailbox box;
static struct read_scheduler *scheduler;
static struct store_helpers *helpers; /* that the last turn was given */
static struct job jobs[JOBS_MAX];
static unsigned jobs_len;
static atomic_bool gate_is_open;
static atomic_uint in_gate;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char order[256]; /* the names of jobs, a turn each; a capital letter: a last turn */

static void write_down(const struct job *j, bool last)
{
    size_t len;

    pthread_mutex_lock(&lock);
    len = strlen(order);
    if (len + 1 < sizeof(order)) {
        order[len] = last ? (char)(j->name - 'a' + 'A') : j->name;
        order[len + 1] = '\0';
    }
    pthread_mutex_unlock(&lock);
}

static bool is_cancelled(const struct read_thread *thread)
{
    return atomic_load(&((struct fake_reader *)thread->reader)->cancels) > 0;
}

static enum read_step work(struct read_job *read, struct read_thread *thread,
                           const struct read_slice *slice)
{
    struct job *j = (struct job *)read;
    uint64_t began_us = clock_monotonic_us();

    write_down(j, slice->last);
    pthread_mutex_lock(&lock);
    helpers = thread->helpers;
    pthread_mutex_unlock(&lock);
    atomic_fetch_add(&j->turns, 1);
    j->had_last |= slice->last;
    if (j->waits_for_gate) {
        atomic_fetch_add(&in_gate, 1);
        while (!atomic_load(&gate_is_open) && !(j->until_cancelled && is_cancelled(thread)))
            usleep(500);
        atomic_fetch_sub(&in_gate, 1);
    }
    j->ran_us = clock_monotonic_us() - began_us;
    return atomic_load(&j->turns) < j->turns_wanted ? READ_MORE : READ_DONE;
}

static void finish(struct read_job *read)
{
    struct job *j = (struct job *)read;

    assert_false(j->finished);
    j->finished = true;
}

static struct job *make(char name, enum read_lane lane, uint64_t client, unsigned turns)
{
    struct job *j = &jobs[jobs_len++];

    memset(j, 0, sizeof(*j));
    j->name = name;
    j->turns_wanted = turns;
    j->read = (struct read_job){
        .work = work, .finish = finish, .box = &box, .lane = lane, .client = client};
    return j;
}

static int try_submit(struct job *j)
{
    struct errbuf err = ERRBUF_INIT;

    j->submitted = !read_job_submit(scheduler, &j->read, &err);
    return j->submitted ? 0 : LM_EBUSY;
}

static struct job *submit(char name, enum read_lane lane, uint64_t client, unsigned turns)
{
    struct job *j = make(name, lane, client, turns);

    assert_int_equal(try_submit(j), 0);
    return j;
}

static struct job *enter_gate(enum read_lane lane, bool until_cancelled)
{
    struct job *gate = make('g', lane, GATE_CLIENT, 1);
    unsigned before = atomic_load(&in_gate);

    gate->waits_for_gate = true;
    gate->until_cancelled = until_cancelled;
    assert_int_equal(try_submit(gate), 0);
    while (atomic_load(&in_gate) == before)
        usleep(500);
    return gate;
}

/* Has a thread do nothing until the gate is opened. */
static struct job *hold(enum read_lane lane)
{
    return enter_gate(lane, false);
}

/* Has a thread do what takes as long as nobody cancels it. */
static struct job *stick(enum read_lane lane)
{
    return enter_gate(lane, true);
}

static bool all_finished(void)
{
    for (unsigned i = 0; i < jobs_len; i++)
        if (jobs[i].submitted && !jobs[i].finished)
            return false;
    return true;
}

static void await_all(void)
{
    while (!all_finished())
        uv_run(&loop, UV_RUN_ONCE);
}

static void open_gate(void)
{
    atomic_store(&gate_is_open, true);
    await_all();
}

/* ---- Set-up ---- */

static struct read_options options(unsigned threads)
{
    return (struct read_options){.store = &fake_store,
                                 .threads = threads,
                                 .timeout_ms = 60000,
                                 .max_jobs = 12,
                                 .max_client_jobs = 4};
}

static void start(const struct read_options *o)
{
    struct errbuf err = ERRBUF_INIT;

    fake_readers_len = jobs_len = 0;
    order[0] = '\0';
    atomic_store(&gate_is_open, false);
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(mailbox_init(&box, &loop, &err), 0);
    scheduler = read_scheduler_new(o, &err);
    assert_non_null(scheduler);
}

static void on_closed(struct mailbox *b)
{
}

static void stop(void)
{
    open_gate();
    mailbox_close(&box, on_closed);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    read_scheduler_free(scheduler);
}

static int start_one(void **state)
{
    struct read_options o = options(1);

    start(&o);
    return 0;
}

static int start_two(void **state)
{
    struct read_options o = options(2);

    start(&o);
    return 0;
}

static int tear_down(void **state)
{
    stop();
    return 0;
}

/* ---- Order ---- */

static void points_come_before_pages_before_searches_before_scans(void **state)
{
    hold(READ_POINT);
    submit('d', READ_SCAN, 1, 1);
    submit('c', READ_SEARCH, 1, 1);
    submit('b', READ_PAGE, 1, 1);
    submit('a', READ_POINT, 1, 1);
    open_gate();
    assert_string_equal(order, "gabcd");
}

static void a_page_that_is_not_done_in_a_turn_goes_on_as_a_scan(void **state)
{
    hold(READ_POINT);
    submit('p', READ_PAGE, 1, 3);
    submit('s', READ_SCAN, 2, 1);
    submit('q', READ_PAGE, 3, 1);
    open_gate();
    assert_string_equal(order, "gpqspp");
}

static void scans_take_turns(void **state)
{
    hold(READ_POINT);
    submit('a', READ_SCAN, 1, 3);
    submit('b', READ_SCAN, 1, 2);
    submit('c', READ_SCAN, 1, 1);
    open_gate();
    assert_string_equal(order, "gabcaba");
}

static void clients_take_turns_however_much_one_of_them_asks(void **state)
{
    hold(READ_POINT);
    submit('a', READ_SCAN, 1, 2);
    submit('b', READ_SCAN, 1, 2);
    submit('x', READ_SCAN, 2, 3);
    submit('p', READ_PAGE, 1, 1);
    submit('q', READ_PAGE, 1, 1);
    submit('r', READ_PAGE, 2, 1);
    open_gate();
    assert_string_equal(order, "gprqaxbxaxb");
}

static void a_scan_gets_on_whatever_pages_come(void **state)
{
    hold(READ_POINT);
    submit('s', READ_SCAN, 1, 1);
    for (unsigned i = 0; i < 10; i++)
        submit('p', READ_PAGE, 2 + i, 1);
    open_gate();
    assert_int_equal(READ_SCAN_DUE, 8); /* the gate's turn is the first of them */
    assert_string_equal(order, "gpppppppsppp");
}

/* ---- Threads ---- */

static void one_thread_never_takes_a_scan(void **state)
{
    hold(READ_SCAN);
    submit('s', READ_SCAN, 1, 2);
    for (unsigned i = 0; i < 6; i++) {
        struct job *page = submit((char)('a' + i), READ_PAGE, 2, 1);

        while (!page->finished)
            uv_run(&loop, UV_RUN_ONCE);
    }
    assert_string_equal(order, "gabcdef");
    open_gate();
    assert_string_equal(order, "gabcdefss");
}

static void a_page_that_the_free_thread_began_is_gone_on_with_by_another(void **state)
{
    struct job *page = submit('p', READ_PAGE, 1, 5);

    await_all();
    assert_true(page->finished);
    assert_string_equal(order, "ppppp");
}

/* ---- Helpers ---- */

static unsigned allowed(void)
{
    pthread_mutex_lock(&lock);
    struct store_helpers *h = helpers;
    pthread_mutex_unlock(&lock);
    return store_helpers_allowed(h);
}

/* Two threads and as many helpers: what runs leaves room for so many less. */
static void helpers_help_where_nobody_else_has_to_wait(void **state)
{
    struct read_options o = options(2);

    stop();
    o.helpers = 2;
    start(&o);
    hold(READ_SCAN);
    assert_non_null(helpers);
    assert_int_equal(allowed(), 2);
    submit('s', READ_SCAN, 2, 1); /* another scan waits for its turn, not for helpers to go */
    assert_int_equal(allowed(), 2);
    hold(READ_POINT);
    assert_int_equal(allowed(), 1);
    submit('p', READ_PAGE, 3, 1);
    assert_int_equal(allowed(), 0);
    open_gate();
    assert_int_equal(allowed(), 2);
}

static void without_helpers_there_are_none(void **state)
{
    hold(READ_SCAN);
    assert_null(helpers);
    open_gate();
}

/* ---- Bounds ---- */

static void assert_refused(struct job *j, const char *limit)
{
    struct errbuf err = ERRBUF_INIT;

    assert_int_equal(read_job_submit(scheduler, &j->read, &err), LM_EBUSY);
    assert_non_null(strstr(err.text, limit));
}

static void one_client_has_so_many_jobs_and_no_more(void **state)
{
    hold(READ_POINT);
    for (unsigned i = 0; i < 4; i++)
        submit('a', READ_PAGE, 1, 1);
    assert_refused(make('x', READ_POINT, 1, 1), "at most 4 of one client (MAX_READS_PER_CLIENT)");
    submit('b', READ_PAGE, 2, 1);
    open_gate();
    submit('c', READ_PAGE, 1, 1);
    await_all();
    assert_string_equal(order, "gabaaac");
}

static void all_clients_have_so_many_jobs_and_no_more(void **state)
{
    hold(READ_POINT);
    for (unsigned i = 0; i < 11; i++)
        submit('a', READ_PAGE, i, 1);
    assert_refused(make('x', READ_POINT, 99, 1), "at most 12 (MAX_READS)");
    open_gate();
}

static void an_answer_that_has_begun_is_never_refused(void **state)
{
    struct job *j;

    hold(READ_POINT);
    for (unsigned i = 0; i < 11; i++)
        submit('a', READ_PAGE, i, 1);
    j = make('b', READ_SCAN, 99, 1);
    j->read.goes_on = true;
    assert_int_equal(try_submit(j), 0);
    open_gate();
    assert_non_null(strchr(order, 'b'));
}

/* ---- Who goes, and whose time is over ---- */

static void who_has_gone_has_one_last_turn_before_all_others(void **state)
{
    struct job *gone = submit('a', READ_SCAN, 1, 1000000);

    while (atomic_load(&gone->turns) < 3)
        usleep(500);
    hold(READ_POINT);
    pthread_mutex_lock(&lock);
    order[0] = '\0';
    pthread_mutex_unlock(&lock);
    submit('p', READ_POINT, 2, 1);
    read_job_leave(scheduler, &gone->read);
    submit('q', READ_POINT, 3, 1);
    open_gate();
    assert_string_equal(order, "pAq");
    assert_true(gone->had_last);
}

static void who_has_gone_before_its_first_turn_has_just_that(void **state)
{
    struct job *gone;

    hold(READ_POINT);
    submit('p', READ_PAGE, 2, 1);
    gone = submit('a', READ_PAGE, 1, 5);
    read_job_leave(scheduler, &gone->read);
    submit('q', READ_PAGE, 3, 1);
    open_gate();
    assert_string_equal(order, "gpAq");
}

static void a_turn_under_way_is_cancelled_when_its_client_goes(void **state)
{
    struct job *gone = stick(READ_PAGE);

    assert_int_equal(atomic_load(&fake_readers[0].cancels), 0);
    read_job_leave(scheduler, &gone->read);
    await_all();
    assert_true(atomic_load(&fake_readers[0].cancels) > 0);
}

static void whose_time_is_over_has_one_last_turn(void **state)
{
    struct job *j = make('a', READ_SCAN, 1, 1000000);

    j->read.until_us = clock_monotonic_us() + 20000;
    assert_int_equal(try_submit(j), 0);
    await_all();
    assert_true(j->had_last);
    assert_false(j->read.unserved);
    assert_true(clock_monotonic_us() >= j->read.until_us - READ_SLICE_MS * 1000);
}

static void a_turn_that_overruns_is_cancelled(void **state)
{
    struct read_options o = options(1);

    stop();
    o.timeout_ms = 100;
    start(&o);
    (void)stick(READ_PAGE);
    await_all();
    assert_true(atomic_load(&fake_readers[0].cancels) > 0);
}

/* Else it would be for nothing. */
static void a_turn_that_had_to_be_waited_for_has_its_time_all_the_same(void **state)
{
    struct job *late;

    do {
        late = make('a', READ_SCAN, 1, 1);
        late->waits_for_gate = late->until_cancelled = true;
        late->read.until_us = clock_monotonic_us() - READ_GRACE_MS * 1000 / 2;
        assert_int_equal(try_submit(late), 0);
        await_all();
    } while (late->read.unserved); /* a machine that is very slow */
    assert_true(atomic_load(&fake_readers[0].cancels) > 0);
    assert_true(late->ran_us >= READ_GRACE_MS * 1000 * 9 / 10);
}

static void a_job_that_no_thread_has_time_for_is_finished_all_the_same(void **state)
{
    struct job *stuck = hold(READ_PAGE);
    struct job *late = make('a', READ_SCAN, 1, 1);

    late->read.until_us = clock_monotonic_us() + 20000;
    assert_int_equal(try_submit(late), 0);
    while (!late->finished)
        uv_run(&loop, UV_RUN_ONCE);
    assert_true(late->read.unserved);
    assert_int_equal(atomic_load(&late->turns), 0);
    assert_false(stuck->finished);
    open_gate();
}

static void a_stop_ends_what_would_take_long(void **state)
{
    struct job *j = submit('a', READ_SCAN, 1, UINT32_MAX);

    read_scheduler_hurry(scheduler, 20);
    await_all();
    assert_true(j->had_last);
}

static void it_tells_who_waits(void **state)
{
    struct read_counts counts;

    hold(READ_POINT);
    submit('s', READ_SCAN, 1, 1);
    submit('p', READ_PAGE, 1, 1);
    submit('q', READ_PAGE, 1, 1);
    read_scheduler_counts(scheduler, &counts);
    assert_int_equal(counts.running, 1);
    assert_int_equal(counts.waiting[READ_POINT], 0);
    assert_int_equal(counts.waiting[READ_PAGE], 2);
    assert_int_equal(counts.waiting[READ_SCAN], 1);
    open_gate();
}

#define ONE(test) cmocka_unit_test_setup_teardown(test, start_one, tear_down)
#define TWO(test) cmocka_unit_test_setup_teardown(test, start_two, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(points_come_before_pages_before_searches_before_scans),
        ONE(a_page_that_is_not_done_in_a_turn_goes_on_as_a_scan),
        ONE(scans_take_turns),
        ONE(clients_take_turns_however_much_one_of_them_asks),
        ONE(a_scan_gets_on_whatever_pages_come),
        TWO(one_thread_never_takes_a_scan),
        TWO(a_page_that_the_free_thread_began_is_gone_on_with_by_another),
        TWO(helpers_help_where_nobody_else_has_to_wait),
        TWO(without_helpers_there_are_none),
        ONE(one_client_has_so_many_jobs_and_no_more),
        ONE(all_clients_have_so_many_jobs_and_no_more),
        ONE(an_answer_that_has_begun_is_never_refused),
        ONE(who_has_gone_has_one_last_turn_before_all_others),
        ONE(who_has_gone_before_its_first_turn_has_just_that),
        ONE(a_turn_under_way_is_cancelled_when_its_client_goes),
        ONE(whose_time_is_over_has_one_last_turn),
        ONE(a_turn_that_overruns_is_cancelled),
        ONE(a_turn_that_had_to_be_waited_for_has_its_time_all_the_same),
        ONE(a_job_that_no_thread_has_time_for_is_finished_all_the_same),
        ONE(a_stop_ends_what_would_take_long),
        ONE(it_tells_who_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
