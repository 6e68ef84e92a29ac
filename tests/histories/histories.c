/*
 * Histories of files and their follower, one after the other (history.h).
 *
 *     histories FIRST_SEED HISTORIES    so many; stops at the first that ends badly, and tells
 *                                       which of its steps are needed for that
 *     histories SEED 1 tell [STEP …]      … and tells each step of it, those given left out
 *     histories FIRST_SEED HISTORIES all  does not stop at those that end badly
 *
 * LOGMILL_HISTORIES in the environment: so many, whatever is asked for.
 */
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../simulation/simulated_clock.h"
#include "base/hash.h"
#include "history.h"
#include "system.h"

enum {
    FOLDERS_AT_A_TIME = 16,
    PATIENCE_S = 120, /* for a history: some last a second */
};

/* When all begins: long ago, so that no clock but the simulated one is near. */
static const int64_t BEGIN_US = INT64_C(1000000000) * 1000000;

static bool skipped[STEPS_MAX];

/* ---- Of a history ---- */

void must_failed(const char *what, const char *file, int line)
{
    fprintf(stderr, "histories: %s:%d: %s\n", file, line, what);
    abort();
}

void history_fail(struct history *h, const char *format, ...)
{
    va_list args;

    if (h->failure[0])
        return;
    va_start(args, format);
    vsnprintf(h->failure, sizeof(h->failure), format, args);
    va_end(args);
    history_tell(h, "FAILED: %s", h->failure);
}

void history_tell(struct history *h, const char *format, ...)
{
    va_list args;

    if (!h->is_telling)
        return;
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    fflush(stdout);
}

void history_name(char name[NAME_SIZE], const char *format, ...)
{
    char made[NAME_SIZE];
    va_list args;

    va_start(args, format);
    MUST(vsnprintf(made, sizeof(made), format, args) < NAME_SIZE);
    va_end(args);
    memcpy(name, made, sizeof(made));
}

uint32_t history_random(struct history *h, uint32_t n)
{
    h->random += UINT64_C(0x9e3779b97f4a7c15);
    return n > 0 ? (uint32_t)(hash_mix(h->random) % n) : 0;
}

bool history_chance(struct history *h, uint32_t percent)
{
    return history_random(h, 100) < percent;
}

/* Nothing has to survive the machine. */
int fsync(int fd)
{
    (void)fd;
    return 0;
}

int fdatasync(int fd)
{
    (void)fd;
    return 0;
}

/* ---- Histories ---- */

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

/* Of the same name each time, if it can be. */
static void make_folder(uint64_t seed, char *folder, size_t size)
{
    const char *parent = getenv("TMPDIR");

    parent = parent ? parent : "/tmp";
    snprintf(folder, size, "%s/logmill-history-%llu", parent, (unsigned long long)seed);
    if (mkdir(folder, 0700) == 0)
        return;
    snprintf(folder, size, "%s/logmill-history-XXXXXX", parent);
    MUST(mkdtemp(folder) != NULL);
}

static uint64_t living;

static void on_alarm(int signal)
{
    (void)signal;
    printf("histories: seed %llu does not come to an end\n", (unsigned long long)living);
    fflush(stdout);
    abort();
}

/* True if it ends well. */
static bool live(uint64_t seed, bool is_telling, char failure[1024])
{
    struct history h = {.seed = seed, .random = hash_mix(seed), .is_telling = is_telling};
    struct system_options options = {.seed = seed,
                                     .gives_again = hash_mix(seed + 1) % 2 == 0,
                                     .has_births = hash_mix(seed + 2) % 4 > 0};
    char folder[256];
    uint32_t steps;

    living = seed;
    alarm(PATIENCE_S);
    make_folder(seed, folder, sizeof(folder));
    h.folder = folder;
    simulated_clock_set(BEGIN_US);
    system_begin(&options);
    steps_begin(&h);
    steps = 5 + history_random(&h, STEPS_MAX - 5);
    for (uint32_t i = 0; i < steps && !h.failure[0]; i++) {
        h.random = hash_mix(seed * 64 + i + 1);
        if (skipped[i])
            continue;
        history_tell(&h, "---- %u", i);
        steps_one(&h);
    }
    h.random = hash_mix(seed);
    if (!h.failure[0])
        steps_end(&h);
    memcpy(failure, h.failure, sizeof(h.failure));
    taking_release(&h);
    files_release(&h);
    system_end();
    nftw(folder, remove_entry, FOLDERS_AT_A_TIME, FTW_DEPTH | FTW_PHYS);
    return failure[0] == '\0';
}

/* True if it ends badly in the same way: without its numbers the failure is the same. */
static bool is_alike(const char *a, const char *b)
{
    size_t len = strcspn(a, "0123456789\"");

    return len == 0 || strncmp(a, b, len) == 0;
}

/* Leaves out all steps without which it ends badly, too. */
static void shorten(uint64_t seed, const char *expected)
{
    char failure[1024];
    bool is_shorter = true;

    for (int round = 0; is_shorter && round < 4; round++) {
        is_shorter = false;
        for (int i = STEPS_MAX - 1; i >= 0; i--) {
            if (skipped[i])
                continue;
            skipped[i] = true;
            if (live(seed, false, failure) || !is_alike(expected, failure))
                skipped[i] = false;
            else
                is_shorter = true;
        }
    }
}

int main(int argc, char **argv)
{
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    uint64_t len = argc > 2 ? strtoull(argv[2], NULL, 10) : 100;
    bool is_telling = argc > 3, goes_on = is_telling && strcmp(argv[3], "all") == 0;
    const char *more = getenv("LOGMILL_HISTORIES");
    char failure[1024];
    int failed = 0;

    signal(SIGALRM, on_alarm);
    if (more && !is_telling)
        len = strtoull(more, NULL, 10);

    for (int i = 4; i < argc; i++)
        skipped[(unsigned)atoi(argv[i]) % STEPS_MAX] = true;
    for (uint64_t i = 0; i < len; i++, seed++) {
        if (live(seed, is_telling && !goes_on, failure))
            continue;
        failed++;
        printf("histories: seed %llu: %s\n", (unsigned long long)seed, failure);
        fflush(stdout);
        if (goes_on)
            continue;
        if (!is_telling) {
            shorten(seed, failure);
            live(seed, false, failure);
            printf("histories: with fewer steps: %s\n%s %llu 1 tell", failure, argv[0],
                   (unsigned long long)seed);
            for (int k = 0; k < STEPS_MAX; k++)
                if (skipped[k])
                    printf(" %d", k);
            printf("\n");
        }
        return 1;
    }
    printf("histories: %llu histories, %d ended badly\n", (unsigned long long)len, failed);
    return failed > 0;
}
