/*
 * Whatever allocation, write or sync fails, and wherever the power is lost: what a state has
 * confirmed is in it, what it has refused is not, and it can be used again.
 */
#include "follow/state.h"

#include <stdio.h>
#include <string.h>

#include "../cmocka_all.h"
#include "../fault_walk.h"

enum {
    CHANGES = 8,
    FILES = 40, /* that each changes: some pages */
    LIBRARY_STRIDE = 23,
};

static struct errbuf err;

static struct state *open_in(const char *directory)
{
    char path[1024];

    snprintf(path, sizeof(path), "%s/made/follow.db", directory);
    return state_make_folder(path, &err) ? NULL : state_open(path, &err);
}

/* One transaction: change `n` moves all files on, and gives one a time. */
static int change(struct state *s, int n)
{
    int error = state_begin(s, &err);

    for (int i = 1; i <= FILES && !error; i++) {
        struct state_file f = {.number = i,
                               .key = (uint64_t)n,
                               .path = SLICE_LITERAL("/var/log/an/application/with/a/name.log"),
                               .sent = (uint64_t)n};

        error = state_put(s, &f, &err);
    }
    if (!error)
        error = state_put_time(s, 1, &(struct state_time){(uint64_t)n, (uint64_t)n + 1, n}, &err);
    return error ? error : state_commit(s, &err);
}

static void work(const char *directory, struct fault_walk_state *state)
{
    struct state *s = open_in(directory);

    if (!s)
        return;
    for (int n = 0; n < CHANGES; n++) {
        int error = change(s, n);

        state->fates[n] = error ? FAULT_WALK_REFUSED : FAULT_WALK_TAKEN;
        if (error)
            state_roll_back(s);
    }
    state_close(s);
}

struct seen {
    int files;
    uint64_t change;
    bool times[CHANGES];
};

static int see_file(const struct state_file *f, void *ctx)
{
    struct seen *seen = ctx;

    if (seen->files++ == 0)
        seen->change = f->key;
    assert_int_equal(f->number, seen->files);
    assert_int_equal(f->key, seen->change); /* of one transaction */
    assert_int_equal(f->sent, seen->change);
    return 0;
}

static int see_time(const struct state_time *t, void *ctx)
{
    assert_in_range(t->us, 0, CHANGES - 1);
    assert_int_equal(t->from, t->us);
    ((struct seen *)ctx)->times[t->us] = true;
    return 0;
}

static void check(const char *directory, const struct fault_walk_state *state)
{
    struct state *s = open_in(directory);
    struct seen seen = {0};
    int last = -1;

    if (!s)
        fail_msg("%s", err.text);
    assert_int_equal(state_load(s, 0, see_file, &seen, &err), 0);
    assert_int_equal(state_load_times(s, 1, see_time, &seen, &err), 0);
    for (int n = 0; n < CHANGES; n++) {
        if (state->fates[n] == FAULT_WALK_TAKEN)
            assert_true(seen.times[n]);
        else if (state->fates[n] == FAULT_WALK_REFUSED)
            assert_false(seen.times[n]);
        last = seen.times[n] ? n : last;
    }
    assert_int_equal(seen.files, last < 0 ? 0 : FILES);
    if (last >= 0)
        assert_int_equal(seen.change, last);
    assert_int_equal(state_is_new(s), last < 0);
    assert_int_equal(change(s, CHANGES - 1), 0);
    state_close(s);
}

static void an_allocation_that_fails_refuses_cleanly(void **state)
{
    fault_walk((struct fault_plan){.kind = FAULT_LIBRARY}, LIBRARY_STRIDE, work, check);
    fault_walk((struct fault_plan){.kind = FAULT_LIBRARY, .onwards = true}, LIBRARY_STRIDE, work,
               check);
}

static void a_write_that_fails_refuses_cleanly(void **state)
{
    fault_walk((struct fault_plan){.kind = FAULT_WRITE}, 2, work, check);
    fault_walk((struct fault_plan){.kind = FAULT_WRITE, .way = FAULT_ENOSPC, .onwards = true}, 2,
               work, check);
    fault_walk((struct fault_plan){.kind = FAULT_WRITE, .way = FAULT_SHORT}, 2, work, check);
}

static void a_sync_that_fails_refuses_cleanly(void **state)
{
    fault_walk((struct fault_plan){.kind = FAULT_SYNC}, 1, work, check);
    fault_walk((struct fault_plan){.kind = FAULT_SYNC, .onwards = true}, 1, work, check);
}

static void a_power_loss_takes_nothing_that_was_confirmed(void **state)
{
    fault_walk_power_loss(work, check);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_allocation_that_fails_refuses_cleanly),
        cmocka_unit_test(a_write_that_fails_refuses_cleanly),
        cmocka_unit_test(a_sync_that_fails_refuses_cleanly),
        cmocka_unit_test(a_power_loss_takes_nothing_that_was_confirmed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
