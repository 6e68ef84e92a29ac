/*
 * What a follower has to know after its end, however that came: an SQLite file (sqlite/db.h). Each
 * change is one transaction, durable when it returns: what of a file the server has, and, before
 * lines without a time of their own leave, the time that they get. So whatever is sent again is the
 * same log.
 *
 * One follower a state: a second one is refused (a lock of the file PATH-lock, which holds the
 * pid). Readers (--status) may open it meanwhile. All its files are their owner's alone (0600).
 *
 * One thread.
 */
#ifndef LOGMILL_FOLLOW_STATE_H
#define LOGMILL_FOLLOW_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/errbuf.h"
#include "follow/mark.h"

enum {
    STATE_KEPT_DAYS = 30,      /* for which a file that is finished and gone is remembered, and … */
    STATE_KEPT_FILES = 100000, /* … how many finished ones at all, the newest */
    STATE_FORM_MAX = 32,       /* bytes, with the zero at the end */
    STATE_UNREADABLE_MAX = 1000, /* files that cannot be read, of which it has the names */
};

struct state;

enum state_kind {
    STATE_LIVE,     /* it is being read */
    STATE_FINISHED, /* all of it is stored, and nobody writes into it */
    STATE_COPY,     /* its content is that of another one */
    STATE_PASSED,   /* it was there before anything was asked for: never read */
    STATE_LOST,     /* it was gone, or its content was, and there may have been more of it: as one
                       that is finished, but what comes back of it is read on */
};

/* One file. Texts live as long as the call that gives it. */
struct state_file {
    int64_t number; /* its row: ever growing with the order in which files were found */
    uint64_t key;   /* of its ids; never that of another file */
    enum state_kind kind;
    struct slice path;             /* where it was last */
    struct slice family;           /* names.h */
    struct file_identity identity; /* all zeroes: it is to be found by its content alone */
    uint32_t generation;           /* how often it had been truncated */
    int64_t before;           /* number of the file that this one follows in its family; of a copy,
                                 of what it is a copy of, if not all of that is stored; or 0 */
    struct content_mark mark; /* of what the server has: reading goes on at its offset */
    /* Of what may have left, or `mark`: the content of which lines may be there already. */
    struct content_mark ahead;
    uint64_t sent;             /* up to here lines may have left: >= ahead.offset */
    uint64_t size;             /* when it was seen last, for --status */
    int64_t changed_us;        /* its last modification then */
    int64_t put_us;            /* when it was put here; state_put does not look at it */
    bool is_deleted;           /* it has no name any more: gone when the follower ends */
    struct slice ladder;       /* ladder.h, as ladder_write has it; put empty: the one that is there
                                  stays */
    char form[STATE_FORM_MAX]; /* of its lines (cli/line_forms.h), "" if none is chosen */
    uint64_t guessed;
};

/* Makes the folder that the state `path` is in, and those above it, if they are missing (0700). For
 * the default one: in a folder that somebody named, and that is not there, nothing is made. */
int state_make_folder(const char *path, struct errbuf *err) LM_MUST_CHECK;

/* Opens or creates it. Returns NULL with `err` set, which says what can be done: another follower
 * has it (its pid), it is a newer logmill's, damaged, or no state at all. */
struct state *state_open(const char *path, struct errbuf *err);
/* The same to read alone, whoever else has it; NULL with `err` set, also if it is not there. */
struct state *state_open_to_read(const char *path, struct errbuf *err);
void state_close(struct state *s);

/* True until its first state_commit, ever: what this or an earlier state_open made is empty. */
bool state_is_new(const struct state *s);

/* Microseconds since 1970. When it was opened by the one that then made its first transaction; this
 * one, if there was none. When the last transaction was; 0: there was none. */
int64_t state_began_us(struct state *s);
int64_t state_changed_us(struct state *s);

/* The pid of the follower that has it; 0: nobody. */
int64_t state_owner(struct state *s);

/* Calls file() for each, the oldest number first, or (number > 0) for that one alone, if it is
 * there; file() may read times, but not change anything. Returns 0, the first that file() returned
 * that is not 0, or LM_EIO. */
int state_load(struct state *s, int64_t number, int (*file)(const struct state_file *f, void *ctx),
               void *ctx, struct errbuf *err) LM_MUST_CHECK;

/* The time of reading of lines of a file: [from, to) were read at `us`. */
struct state_time {
    uint64_t from, to;
    int64_t us;
};

int state_load_times(struct state *s, int64_t number,
                     int (*time)(const struct state_time *t, void *ctx), void *ctx,
                     struct errbuf *err) LM_MUST_CHECK;

/* What could not be read when it was written last, for --status: calls file() for each. 0 or
 * LM_EIO. */
int state_load_unreadable(struct state *s,
                          void (*file)(struct slice path, struct slice reason, void *ctx),
                          void *ctx, struct errbuf *err) LM_MUST_CHECK;

/* Bytes that were gone before they could be read, ever, but for those that came back (< 0): what
 * was noted is written by the next state_commit. */
void state_note_lost(struct state *s, int64_t bytes);
uint64_t state_lost_bytes(const struct state *s);

/* True if its path leads to it no more: somebody has deleted, moved or replaced the file. */
bool state_is_gone(const struct state *s);
/* Writes all that is in it to its path, where it goes on: in the same folder a file PATH-new, which
 * then takes its place. Outside of transactions. After an error it is to be tried again: until then
 * transactions fail. */
int state_write_anew(struct state *s, struct errbuf *err) LM_MUST_CHECK;

/*
 * A transaction: begin, any number of the others, commit. After an error of any of them, roll_back;
 * nothing of it has happened then. LM_EFULL: the disk is full.
 */
int state_begin(struct state *s, struct errbuf *err) LM_MUST_CHECK;
/* Inserts it (number 0: its new number is put there) or replaces it. Forgets times of lines that
 * end at or before mark.offset. A number that was put there stays when it is rolled back: put
 * again, it is a new row with that number. */
int state_put(struct state *s, struct state_file *f, struct errbuf *err) LM_MUST_CHECK;
/* A number for a file that is put later: so the order of rows is that of the files, in whatever
 * order they are put. */
int64_t state_reserve(struct state *s);
/* One that begins where another one does takes its place. */
int state_put_time(struct state *s, int64_t number, const struct state_time *t,
                   struct errbuf *err) LM_MUST_CHECK;
/* None is unreadable any more; one is. */
int state_clear_unreadable(struct state *s, struct errbuf *err) LM_MUST_CHECK;
int state_put_unreadable(struct state *s, const char *path, const char *reason,
                         struct errbuf *err) LM_MUST_CHECK;
/* With its times. */
int state_forget(struct state *s, int64_t number, struct errbuf *err) LM_MUST_CHECK;
/* Forgets finished files, copies and passed ones by number, and by age those that are not where
 * they were any more (above; some hundred a call). To be called now and then. */
int state_prune(struct state *s, int64_t now_us, struct errbuf *err) LM_MUST_CHECK;
int state_commit(struct state *s, struct errbuf *err) LM_MUST_CHECK;
void state_roll_back(struct state *s);

#endif
