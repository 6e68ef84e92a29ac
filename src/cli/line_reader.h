/*
 * What reads lines (line.h) and writes logs (line_log.h): the flags, and the memory for it.
 */
#ifndef LOGMILL_CLI_LINE_READER_H
#define LOGMILL_CLI_LINE_READER_H

#include "base/buffer.h"
#include "base/timestamp.h"
#include "cli/flags.h"
#include "cli/gather.h"
#include "cli/line_check.h"
#include "cli/line_forms.h"
#include "cli/line_input.h"
#include "cli/line_own.h"

/* The second of the time that was written last, as text. */
struct line_second {
    int64_t us;
    char text[TIMESTAMP_TEXT_LEN]; /* text[0] is NUL: none yet */
};

/* What lines become. */
struct line_reader {
    struct line_forms forms;
    struct gather gather;
    uint64_t wait_us;    /* for more lines of a log: --multiline-timeout */
    struct buffer level; /* for logs without one, as a member: "\"level\":\"info\"" */
    struct buffer attrs; /* as members, each with a comma */
    struct line_own own; /* attributes of ours */
    uint64_t repaired;   /* texts that were not UTF-8: U+FFFD stands for what was not */
    struct line_check check;
    struct line_second second;
    /* Of the log that is added, or cannot be one: where it begins, when that was read, and whether
     * its time is its own, not that of its reading. */
    struct line_input *log_input;
    uint64_t log_number;
    int64_t log_read_us;
    bool log_has_time;
    struct line_input *input; /* whose line is read, or whose lines might have gone on with it */
};

enum { LINE_WAIT_S = 1, LINE_WAIT_FOLLOWED_S = 5 }; /* --multiline-timeout, if it is not given */

/* Reads the flags format, zone, multiline, multiline-first, multiline-timeout, level and attr, and,
 * if they are given, follow and offset. Returns 0 or LM_EINVAL. Release in any case, when all
 * inputs are released. */
int line_reader_init(struct line_reader *r, const struct flags *flags,
                     struct errbuf *err) LM_MUST_CHECK;
void line_reader_release(struct line_reader *r);

/* True if each line of any input is a line, whatever that begins with (decoder_init). */
bool line_is_plain(const struct line_reader *r);

/* Times without a year are told by this one from now on, in inputs that are not followed. */
void line_reader_set_now(struct line_reader *r, int64_t now_us);

/* The beginning of an input that can be read again, without its time. */
struct line_place line_place_begin(const struct line_reader *r);

#endif
