/*
 * A view of bytes owned by someone else: pointer and length, never freed, not terminated.
 * How long a view lives is said where it is handed out.
 */
#ifndef LOGMILL_BASE_SLICE_H
#define LOGMILL_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct slice {
    const char *data; /* may be NULL when len is 0 */
    size_t len;
};

/* For printf's "%.*s", which may not be given NULL. */
#define SLICE_ARG(s) (int)(s).len, (s).len > 0 ? (s).data : ""
/* A slice of a string literal, or of a char array that is one. */
#define SLICE_LITERAL(text) ((struct slice){(text), sizeof(text) - 1})

static inline struct slice slice_of(const char *data, size_t len)
{
    return (struct slice){data, len};
}

static inline struct slice slice_of_string(const char *text)
{
    return (struct slice){text, strlen(text)};
}

static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* Equal when ASCII letters are compared without case. */
bool slice_equal_ascii_nocase(struct slice a, struct slice b);

/* `s` without the spaces, tabs and carriage returns around it. */
struct slice slice_trim(struct slice s);

/*
 * Cuts what stands before the first `separator`, or all, off `*rest`, and the separator with it.
 * What is left may be empty.
 */
struct slice slice_cut(struct slice *rest, char separator);

#endif
