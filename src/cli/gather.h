/*
 * Lines that are one log together: the parts into which a container's runtime has cut a long line
 * (always), and the lines of a stack trace, or of whatever a pattern says (--multiline). One log of
 * each stream of an input is gathered at a time; it is whole when a line comes that does not go on
 * with it, at the input's end, when it has waited for --multiline-timeout, or when whoever reads
 * the input says so.
 *
 * Bounded: a log of GATHER_BYTES_MAX or GATHER_LINES_MAX is whole, and what comes is another one.
 * Of all inputs together GATHER_HELD_MAX bytes are held back: then what has waited longest is
 * whole.
 */
#ifndef LOGMILL_CLI_GATHER_H
#define LOGMILL_CLI_GATHER_H

#include <regex.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/errbuf.h"
#include "formats/line_format.h"
#include "formats/stack_trace.h"

enum {
    GATHER_BYTES_MAX = 128 << 10, /* of one log */
    GATHER_LINES_MAX = 1000,
    GATHER_LOOK_MAX = 1024, /* bytes of a line in which the pattern is looked for */
    GATHER_STREAMS = 2,
    GATHER_HELD_MAX = 16 << 20, /* bytes of all logs that are not whole */
    GATHER_SPARE_MAX = 4,       /* kept for the next ones */
};

struct line_input; /* line_input.h */

/* A log that is not whole yet. */
struct gathered {
    struct line_input *begun; /* the input of its first line, and … */
    struct line_input *input; /* … the one whose lines may go on with it */
    int stream;
    bool is_part;                     /* its last line goes on without a line feed */
    const struct line_format *around; /* NULL: none */
    struct buffer around_first;       /* its first line with what is around it */
    struct buffer text;
    size_t first_len; /* of the text's first line; while is_part, of what is there */
    size_t lines;
    uint64_t number; /* of its first line in the input */
    int64_t read_us; /* when that was read: line_part.read_us */
    struct stack_trace trace;
    size_t bytes;                     /* that are counted in gather.held */
    uint64_t since_us;                /* of its last line: monotonic */
    struct gathered *earlier, *later; /* by that */
};

struct gather {
    bool is_multiline;
    bool has_pattern; /* of a log's first line */
    regex_t pattern;
    struct gathered *earliest, *latest; /* of those that are not whole */
    size_t held;                        /* bytes of them */
    struct gathered *spare;             /* linked by `later` */
    size_t spare_len;
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
    int64_t read_us;
};

/* The number of a stream by its name: the log of each is another one. */
int gather_stream(struct slice stream);

/* Begins a log, of no line yet. */
struct gathered *gather_begin(struct gather *g);

/* True if `line` goes on with the log of `s`, which has a line. If not, that is to be taken, and
 * closed, before the line is added to another one. */
bool gather_continues(struct gather *g, struct gathered *s, const struct gather_line *line);

/* Adds a line. Returns 0 or LM_ENOMEM. */
int gather_add(struct gather *g, struct gathered *s, const struct gather_line *line,
               const struct line_memory *m) LM_MUST_CHECK;

/* True if the log is whole, since nothing may go on with its last line. */
bool gather_is_whole(const struct gather *g, const struct gathered *s);

/* The text of a log without the empty lines at its end. */
struct slice gather_text(const struct gathered *s);

/* `s` is gone. */
void gather_close(struct gather *g, struct gathered *s);

#endif
