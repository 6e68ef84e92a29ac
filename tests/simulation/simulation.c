/*
 * Lives of the embedded store, one after the other, on one thread: over files in memory
 * (memory_files.h) and clocks that only move when they are told to, so that the seed of a life
 * says all that happens in it.
 *
 *     simulation FIRST_SEED LIVES      the lives of so many seeds; stops at the first that ends
 * badly simulation SEED 1 tell           … and tells each step of it
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "diag/diag.h"
#include "life.h"
#include "memory_files.h"

static unsigned long long seed;
static const char *program;

/* Of the sanitizers, in builds that have them: called before they end the program. */
void __sanitizer_set_death_callback(void (*fn)(void)) __attribute__((weak));

static void say_seed(void)
{
    fprintf(stderr, "simulation: it was seed %llu: %s %llu 1 tell\n", seed, program, seed);
}

static void say_seed_of_abort(int number)
{
    say_seed();
    signal(number, SIG_DFL);
    raise(number);
}

static void print_figures(unsigned long long lives, const struct life_figures *f)
{
    printf("simulation: %llu lives: %llu logs in %llu appends, %llu erased, %llu expired, %llu "
           "shrunk, %llu damages, %llu "
           "keeper's steps, %llu checks, %llu errors, %llu kills, %llu power cuts, %llu segments\n",
           lives, (unsigned long long)f->logs, (unsigned long long)f->appends,
           (unsigned long long)f->erased, (unsigned long long)f->expired,
           (unsigned long long)f->shrunk, (unsigned long long)f->damages,
           (unsigned long long)f->keeper_steps, (unsigned long long)f->checks,
           (unsigned long long)f->faults, (unsigned long long)f->kills,
           (unsigned long long)f->power_cuts, (unsigned long long)f->segments);
}

int main(int argc, char **argv)
{
    unsigned long long lives = argc > 2 ? strtoull(argv[2], NULL, 10) : 100;
    bool tells = argc > 3 && strcmp(argv[3], "tell") == 0;
    char directory[] = "/tmp/logmill-simulation-XXXXXX"; /* stays empty: its name is synced */
    struct life_figures figures = {0};
    struct life_end end;
    int error = 0;

    program = argv[0];
    seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    if (!mkdtemp(directory)) {
        perror(directory);
        return 1;
    }
    signal(SIGABRT, say_seed_of_abort);
    if (__sanitizer_set_death_callback)
        __sanitizer_set_death_callback(say_seed);
    diag_set_level(DIAG_ERROR);
    memory_files_register();
    for (unsigned long long i = 0; !error && i < lives; i++) {
        error = life_run(seed, directory, tells, &figures, &end);
        if (error) {
            printf("simulation: step %u, %s: %s (%d)\n", end.step, end.doing, end.err.text, error);
            say_seed();
        }
        seed++;
    }
    rmdir(directory);
    print_figures(lives, &figures);
    return error ? 1 : 0;
}
