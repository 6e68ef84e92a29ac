/* One body through a format, as a request has it, and what came out of it. */
#ifndef LOGMILL_TESTS_FORMAT_RUN_H
#define LOGMILL_TESTS_FORMAT_RUN_H

#include "../record/kept_records.h"
#include "formats/format.h"

struct format_run {
    const struct format *format;
    struct slice path;
    const char *const *parameters; /* name, value, name, …, NULL; NULL: none */
    void *memory;
    struct buffer wrong, told;
    struct format_counts counts;
    struct kept kept;
};

void format_run_begin(struct format_run *run, const struct format *format);
void format_run_end(struct format_run *run);

/* Parses a copy of exactly its size; what came out of the body before is forgotten. */
int format_run(struct format_run *run, struct slice body);

/* Fails unless log `i` is this one; `time` is as GET /logs writes it, NULL: that of arrival. */
void format_run_expect(const struct format_run *run, size_t i, const char *level,
                       const char *message, const char *time, const char *attributes);

/* Whether the first log of `body`, sent twice, is one log; fails if either is not taken. */
bool format_run_is_known(struct format_run *run, const char *body);

struct format_run_log {
    const char *level, *message, *time, *attributes; /* as above */
};

/* Fails unless the logs of a file of tests/captures are these. */
void format_run_capture(struct format_run *run, const char *name, const struct format_run_log *logs,
                        size_t n);
#define FORMAT_RUN_CAPTURE(run, name, ...)                                                         \
    format_run_capture(run, name, (const struct format_run_log[]){__VA_ARGS__},                    \
                       sizeof((const struct format_run_log[]){__VA_ARGS__}) /                      \
                           sizeof(struct format_run_log))

/* The bytes of a file of tests/captures: free data. */
struct slice format_capture(const char *name);

#endif
