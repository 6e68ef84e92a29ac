/* Who takes lines of a follower, in a test: files in a temporary folder, and the lines that came.
 */
#ifndef LOGMILL_TESTS_FOLLOW_TAKER_H
#define LOGMILL_TESTS_FOLLOW_TAKER_H

#include <stddef.h>
#include <stdint.h>

#include "follow/follower.h"

struct taken_line {
    char *text, *path;
    uint64_t key, offset;
    int64_t read_us;
    bool is_first, is_last;
};

struct taker {
    char *folder, *state;
    struct follower *f;
    struct follower_options options;
    struct taken_line *lines;
    size_t len, capacity;
    char said[8192]; /* all, each with a line feed */
    unsigned ended, freed, gone_on;
    /* Set by a test: the last line of a file is held back. */
    bool holds;
    /* … or is told of each line, after it was recorded. */
    void (*on_line)(struct taker *t, const struct follow_line *line);
};

void taker_init(struct taker *t);
void taker_release(struct taker *t);

/* Follows `given` (NULL at its end; names in the folder) from where the state says. */
void taker_start(struct taker *t, const char *const *given);
/* All that was taken is acknowledged, and the follower ends. */
void taker_stop(struct taker *t);
/* The follower is gone, with its marks, as by kill -9: the state is as it was. What was
 * acknowledged without another prepare is not in it. */
void taker_kill(struct taker *t);

/* A path in the folder; lives until the eighth call from here. */
const char *taker_path(struct taker *t, const char *name);
/* Files: appends, or (write) begins anew in place. */
void taker_append(struct taker *t, const char *name, const char *text);
void taker_write(struct taker *t, const char *name, const char *text);
/* Appends lines "NAME number", [from, to). */
void taker_append_lines(struct taker *t, const char *name, const char *word, int from, int to);
void taker_rename(struct taker *t, const char *from, const char *to);
void taker_copy(struct taker *t, const char *from, const char *to);
void taker_unlink(struct taker *t, const char *name);

/* Takes what is there now. */
void taker_take(struct taker *t);
/* Takes until `n` lines came in all, or until one is `text`. Fails if none comes for long. */
void taker_wait(struct taker *t, size_t n);
void taker_wait_for(struct taker *t, const char *text);
/* Takes until something with `part` was said. */
void taker_wait_said(struct taker *t, const char *part);
/* Marks, prepares and acknowledges all that was taken. */
void taker_acknowledge(struct taker *t);

/* The lines that came, joined by '|'; lives until the next call. */
const char *taker_text(struct taker *t);
/* Each line "WORD from" … "WORD to - 1" came once, in this order. */
void taker_assert_lines(struct taker *t, const char *word, int from, int to);

#endif
