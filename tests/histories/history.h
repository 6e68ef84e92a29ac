/*
 * A history: files in a folder of its own, what is done to them, a follower that looks on, and a
 * server that may get its lines. All that happens is said by a seed; the clocks only move when they
 * are told to.
 */
#ifndef LOGMILL_HISTORIES_HISTORY_H
#define LOGMILL_HISTORIES_HISTORY_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "follow/follower.h"

enum {
    NAME_SIZE = 96,
    STEPS_MAX = 64, /* of a history */
};

/* A line of a log. Its text has its number at both ends, so that any part of it tells which it is.
 */
struct written {
    char *text;
    size_t len;
    size_t cut;                  /* so much of it was written before it was cut; 0: never */
    unsigned places;             /* files that have it, and that can be read */
    bool is_half;                /* the rest of it was never written */
    bool is_joined;              /* … was written to the next file */
    size_t first_in, rest_in;    /* then: the numbers of both files */
    bool is_seen;                /* there when the follower looked, which has run on since */
    bool is_handed;              /* … handed out by it */
    bool is_excused;             /* gone before anybody could have read it */
    unsigned whole, first, rest; /* how often it was stored: all of it, its parts */
};

/* One file, from its beginning to its end or its truncation. */
struct content {
    char name[NAME_SIZE]; /* "": none any more */
    int *lines;
    size_t lines_len, lines_capacity;
    uint64_t size;
    int fd;   /* of who still writes to it; -1 */
    int half; /* the line whose rest is to be written; -1 */
    bool is_held, is_archive, is_closed;
};

enum mode { MODE_FILE, MODE_PATTERN, MODE_LINK, MODE_FOLDER, MODES };

struct taken; /* lines on their way */

struct stored {
    uint64_t key, offset;
    int64_t read_us;
    char *text;
    size_t len;
};

struct history {
    uint64_t seed, random;
    enum mode mode;
    bool has_banner, is_telling, is_burst;
    char *folder;
    char state[64]; /* name of the state's file */
    int states;

    struct written *lines;
    size_t lines_len, lines_capacity;
    struct content *files;
    size_t files_len, files_capacity;
    char live[NAME_SIZE]; /* the name that is written to */
    unsigned names;       /* that were made up */
    unsigned banners, banners_stored;

    struct follower *follower;
    struct taken *filling, *on_way;
    struct stored *stored;
    size_t stored_len, stored_capacity;
    unsigned opened; /* follow_files with something of ours */

    char failure[1024]; /* what is wrong; "": nothing */
};

/* What the test itself needs. */
#define MUST(condition) ((condition) ? (void)0 : must_failed(#condition, __FILE__, __LINE__))
_Noreturn void must_failed(const char *what, const char *file, int line);

/* Fails the history: the first failure counts. */
void history_fail(struct history *h, const char *format, ...) __attribute__((format(printf, 2, 3)));
void history_tell(struct history *h, const char *format, ...) __attribute__((format(printf, 2, 3)));

void history_name(char name[NAME_SIZE], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Below `n`. */
uint32_t history_random(struct history *h, uint32_t n);
/* True in `percent` of all cases. */
bool history_chance(struct history *h, uint32_t percent);

/* ---- files.c: what is written, and what of it can be read ---- */

void files_release(struct history *h);
const char *files_path(struct history *h, const char *name);
struct content *files_find(struct history *h, const char *name);
bool files_is_live(struct history *h, const struct content *c);
/* Under a name that is looked at. */
bool files_is_covered(const struct content *c);
/* Appends whole lines, after the rest of a half one. Makes the file if it is not there. */
void files_append(struct history *h, const char *name, unsigned lines);
/* The same to one that somebody has open. */
void files_append_open(struct history *h, struct content *c, unsigned lines);
void files_append_half(struct history *h, const char *name);
/* A line of so many bytes with its line feed, at least 16. */
void files_append_long(struct history *h, const char *name, size_t len);
void files_end_half(struct history *h, struct content *c);
/* A line whose first part is in the one file and whose rest begins the other. */
void files_cut(struct history *h, const char *from, const char *to);
/* Whoever writes to it keeps it open. */
void files_open(struct history *h, const char *name);
void files_close(struct history *h, struct content *c);
void files_rename(struct history *h, const char *from, const char *to);
void files_copy(struct history *h, const char *from, const char *to, bool compresses);
void files_unlink(struct history *h, const char *name);
/* To nothing; with `has_hole`, who writes goes on where it was. */
void files_truncate(struct history *h, const char *name, bool has_hole);
/* What the follower cannot read any more: it has gone. */
void files_let_go(struct history *h);
/* The follower has looked. */
void files_seen(struct history *h);
/* All that can be read must have been handed out. */
void files_check_handed(struct history *h);
/* … and stored, once. */
void files_check_stored(struct history *h);

enum found { FOUND_BANNER, FOUND_WHOLE, FOUND_FIRST, FOUND_REST, FOUND_MIXED, FOUND_NOTHING };
/* MIXED: the first part of *line, and the rest of *other. */
enum found files_which(struct history *h, const char *text, size_t len, int *line, int *other);

/* ---- taking.c: the follower and the server ---- */

void taking_release(struct history *h);
void taking_start(struct history *h);
void taking_stop(struct history *h);
void taking_kill(struct history *h);
/* The follower looks, and hands out up to `limit` lines; `us` pass. */
void taking_step(struct history *h, unsigned limit, uint32_t us);
void taking_send(struct history *h);
void taking_store(struct history *h);
void taking_acknowledge(struct history *h);
/* Until nothing comes any more. */
void taking_settle(struct history *h);

/* ---- steps.c ---- */

void steps_begin(struct history *h);
void steps_one(struct history *h);
void steps_end(struct history *h);

#endif
