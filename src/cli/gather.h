/*
 * Lines that are one log together: the parts into which a container's runtime has cut a long line
 * (always), and the lines of a stack trace, or of whatever a pattern says (--multiline). One log of
 * each stream of an input is gathered at a time; it is whole when a line comes that does not go on
 * with it, at the input's end, or when whoever reads the input says so.
 *
 * Bounded: a log of GATHER_BYTES_MAX or GATHER_LINES_MAX is whole, and what comes is another one.
 */
#ifndef LOGMILL_CLI_GATHER_H
#define LOGMILL_CLI_GATHER_H

#include <regex.h>
#include <stdbool.h>

#include "base/buffer.h"
#include "base/errbuf.h"
#include "formats/line_format.h"
#include "formats/stack_trace.h"

enum {
    GATHER_BYTES_MAX = 128 << 10, /* of one log */
    GATHER_LINES_MAX = 1000,
    GATHER_LOOK_MAX = 1024, /* bytes of a line in which the pattern is looked for */
    GATHER_STREAMS = 2,
};

/* A log that is not whole yet. */
struct gathered {
    bool is_open;
    bool is_part;                     /* its last line goes on without a line feed */
    const struct line_format *around; /* NULL: none */
    struct buffer around_first;       /* its first line with what is around it */
    struct buffer text;
    size_t first_len; /* of the text's first line; while is_part, of what is there */
    size_t lines;
    uint64_t number; /* of its first line in the input */
    struct stack_trace trace;
};

struct gather {
    struct gathered streams[GATHER_STREAMS];
    bool is_multiline;
    bool has_pattern; /* of a log's first line */
    regex_t pattern;
};

/* `pattern`: a POSIX extended regular expression, or NULL. Returns 0 or LM_EINVAL. Release in any
 * case. */
int gather_init(struct gather *g, bool is_multiline, const char *pattern,
                struct errbuf *err) LM_MUST_CHECK;
void gather_release(struct gather *g);

/* A line to be added: its text, and what is around it (around_line empty: nothing). */
struct gather_line {
    struct slice text;
    const struct line_format *around;
    struct slice around_line;
    bool is_part;
    bool is_whole; /* no other line goes on with it, as with JSON */
    uint64_t number;
};

/* The log of a stream. */
struct gathered *gather_stream(struct gather *g, struct slice stream);

/* True if `line` goes on with the log of `s`, which is open. If not, that is to be taken, and
 * closed, before the line is added. */
bool gather_continues(struct gather *g, struct gathered *s, const struct gather_line *line);

/* Adds a line. Returns 0 or LM_ENOMEM. */
int gather_add(struct gather *g, struct gathered *s, const struct gather_line *line,
               const struct line_memory *m) LM_MUST_CHECK;

/* True if the log is whole, since nothing may go on with its last line. */
bool gather_is_whole(const struct gather *g, const struct gathered *s);

/* The text of a log without the empty lines at its end. */
struct slice gather_text(const struct gathered *s);
void gather_close(struct gathered *s);

/* True if a log is open. */
bool gather_is_open(const struct gather *g);

#endif
