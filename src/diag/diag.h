/*
 * logmill's own diagnostics: one JSON object a line on stderr (`ts`, `level`, `msg`, fields), or
 * readable text if stderr is a terminal, with control characters made visible. Thread-safe: one
 * write(2) a line. Never given secrets.
 *
 *     diag(DIAG_INFO, "listening", DIAG_STR("address", host), DIAG_INT("port", port));
 */
#ifndef LOGMILL_DIAG_DIAG_H
#define LOGMILL_DIAG_DIAG_H

#include <stdbool.h>
#include <stdint.h>

enum diag_level { DIAG_DEBUG, DIAG_INFO, DIAG_WARN, DIAG_ERROR };

struct diag_field {
    const char *name; /* NULL ends a list */
    const char *text; /* a string, or NULL: the field is `number` */
    int64_t number;
};

#define DIAG_STR(field_name, value) ((struct diag_field){.name = (field_name), .text = (value)})
#define DIAG_INT(field_name, value) ((struct diag_field){.name = (field_name), .number = (value)})

/* Lines below `level` are dropped. Default DIAG_INFO. Call before threads start. */
void diag_set_level(enum diag_level level);

/* Forces JSON (1) or text (0); -1, the default, decides by isatty(2). Call before threads start. */
void diag_set_json(int json);

/* Writes one line; `fields` ends with a name of NULL. Use diag(). */
void diag_write(enum diag_level level, const char *msg, const struct diag_field *fields);

/*
 * For a line that clients can cause, and would fill a disk with: of a kind at most DIAG_SELDOM_MAX
 * are said in DIAG_SELDOM_US. All zero at first; of one thread.
 */
enum { DIAG_SELDOM_MAX = 10, DIAG_SELDOM_US = 10000000 };

struct diag_seldom {
    uint64_t until_us;
    unsigned said;
    int64_t unsaid;
};

/* True if the line may be said now (clock_monotonic_us); *unsaid: how many since the last were not.
 */
bool diag_may_say(struct diag_seldom *s, uint64_t now_us, int64_t *unsaid);

#define diag(level, ...) diag_at(level, __VA_ARGS__, ((struct diag_field){.name = NULL}))
#define diag_at(level, msg, ...)                                                                   \
    diag_write((level), (msg), (const struct diag_field[]){__VA_ARGS__})

#endif
