/*
 * The port of the forms of lines: what a line of a file or a pipe, which somebody else's program
 * wrote, becomes a log by. A form is one file; it knows neither files nor the command line.
 *
 *   a line ──► unwrap ──► the text in it ──► joined with others, if it is a part ──► a log
 *   a line ──► read ─────────────────────────────────────────────────────────────► a log
 *
 * What a form keeps to:
 *   - A line that is not of the form is told by false, and nothing is guessed: whoever asked keeps
 *     it whole, as the message of a log. So a form is strict in what it takes.
 *   - Nothing of a line is lost: it is the message, or what is not in the message is an attribute.
 *   - Levels are what the line says, in its own words; where it says a number or a letter, the
 * words of formats/names.h.
 *   - A time without a zone is in the zone of line_memory; one without a year is in the last
 *     year in which it is at most TIME_AHEAD_MAX_US after line_memory.now_us.
 *   - Any bytes are allowed. Linear in the line; nothing is allocated per log once warm.
 */
#ifndef LOGMILL_FORMATS_LINE_FORMAT_H
#define LOGMILL_FORMATS_LINE_FORMAT_H

#include <stdbool.h>

#include "base/slice.h"
#include "formats/line_memory.h"
#include "record/draft.h"

/* The text that a line wraps; its slices live until the next call with this memory. */
struct line_inner {
    struct slice text;   /* without a line feed at its end */
    struct slice stream; /* "stdout", "stderr"; parts are of one stream */
    bool is_part;        /* the next line of the stream goes on with it */
};

struct line_format {
    const char *name;
    /*
     * Gives `d`, in which there may be attributes already, what `line` says. False if the line is
     * not of this form: then `d` may have some of it, and is to be begun anew. What is given as the
     * message lives as long as `line` does and until the next call with this memory.
     */
    bool (*read)(struct line_memory *m, struct slice line, struct record_draft *d);
    /* Of a form that wraps texts, instead: false if the line is none of it. */
    bool (*unwrap)(struct line_memory *m, struct slice line, struct line_inner *inner);
    /* Gives `d`, which has the text's own log already, what such a line says beside the text:
     * the time alone if it has none. */
    void (*wrap)(struct line_memory *m, struct slice line, struct record_draft *d);
};

extern const struct line_format line_access; /* nginx and Apache: access and error logs */
/* The text within another line: JSON with a message, logfmt that is sure, an access log, or any
 * text, of whose head the level is taken alone: the line around it has the time. */
extern const struct line_format line_contained;
extern const struct line_format line_cri;     /* Kubernetes: what containerd and CRI-O write */
extern const struct line_format line_docker;  /* Docker's json-file */
extern const struct line_format line_journal; /* journalctl -o json */
extern const struct line_format line_json;    /* an object of JSON with a message (members.h) */
extern const struct line_format line_logfmt;  /* key=value */
extern const struct line_format line_syslog;  /* as daemons write files, or with PRIs (syslog.h) */
extern const struct line_format line_text; /* any text: time and level of its head (text_head.h) */

/* True if a line can be nothing but logfmt: it has two of the names of message, level and time. */
bool logfmt_is_sure(struct slice line);

/* True if a line has a host and a program behind its time, or a PRI before it: nothing but syslog
 * has that. */
bool syslog_line_is_sure(const struct line_memory *m, struct slice line);

#endif
