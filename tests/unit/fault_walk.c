#include "fault_walk.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmocka_all.h"
#include "temp_directory.h"

static const struct fault_plan none;

/* In a process of its own, which may lose its power. Returns whether it did. */
static bool work_apart(const struct fault_plan *plan, fault_walk_work *work, const char *directory,
                       struct fault_walk_state *state)
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        fault_plan(plan);
        work(directory, state);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == FAULT_POWER_LOST);
    return WEXITSTATUS(status) == FAULT_POWER_LOST;
}

/* Returns whether the point was reached. */
static bool run(const struct fault_plan *plan, fault_walk_work *work, fault_walk_check *check,
                struct fault_walk_state *state)
{
    char *directory = temp_directory_new();
    bool reached;

    memset(state, 0, sizeof(*state));
    if (plan->way == FAULT_POWER || plan->way == FAULT_TORN) {
        reached = work_apart(plan, work, directory, state);
    } else {
        fault_plan(plan);
        work(directory, state);
        reached = fault_count() > 0;
        fault_plan(&none);
    }
    check(directory, state);
    temp_directory_free(directory);
    return reached;
}

void fault_walk(struct fault_plan plan, unsigned stride, fault_walk_work *work,
                fault_walk_check *check)
{
    const char *points = getenv("FAULT_POINTS");
    struct fault_walk_state *state =
        mmap(NULL, sizeof(*state), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    unsigned runs = 0;

    assert_true(state != MAP_FAILED);
    if (points && strcmp(points, "all") == 0)
        stride = 1;
    plan.first = 1;
    while (run(&plan, work, check, state)) {
        plan.first += stride;
        runs++;
    }
    print_message("           %u points up to the %uth\n", runs, plan.first - 1);
    assert_true(runs > 1);
    for (int i = 0; i < FAULT_WALK_ITEMS; i++) /* the last run, without a fault, took all */
        assert_int_not_equal(state->fates[i], FAULT_WALK_REFUSED);
    munmap(state, sizeof(*state));
}

void fault_walk_power_loss(fault_walk_work *work, fault_walk_check *check)
{
    fault_walk((struct fault_plan){.kind = FAULT_SYNC, .way = FAULT_POWER}, 1, work, check);
    fault_walk((struct fault_plan){.kind = FAULT_SYNC, .way = FAULT_TORN}, 1, work, check);
    fault_walk((struct fault_plan){.kind = FAULT_WRITE, .way = FAULT_POWER}, 2, work, check);
    fault_walk((struct fault_plan){.kind = FAULT_WRITE, .way = FAULT_TORN}, 2, work, check);
}
