/*
 * What the files of the follower share; nobody else includes it.
 *
 *   loop.c       the follower as a whole: what its header has
 *   place.c      names and folders: what is there, and which file a name leads to
 *   source.c     one file: its life from the first look to its last acknowledgement
 *   reading.c    its lines
 *   family.c     the files of one family, in order: who waits for whom, who goes on with whom
 *   ending.c     files that nobody writes to any more: their ends, and what goes on in the next one
 *   candidate.c  files that nobody knows yet, and those whose content is gone
 *   judge.c      whether a file is new or a copy, by its content
 *   unpack.c     the same of archives, and their lines
 *   resume.c     from the state to what is there now
 *   ledger.c     what was taken, sent and stored: marks, and the state
 *
 * Times are monotonic and in microseconds, unless they are said to be of the wall clock.
 */
#ifndef LOGMILL_FOLLOW_INTERNAL_H
#define LOGMILL_FOLLOW_INTERNAL_H

#include "base/buffer.h"
#include "base/container_of.h"
#include "follow/agenda.h"
#include "follow/archive.h"
#include "follow/follower.h"
#include "follow/ladder.h"
#include "follow/mark.h"
#include "follow/names.h"
#include "follow/profile.h"
#include "follow/roll.h"
#include "follow/state.h"
#include "follow/table.h"
#include "follow/watch.h"

enum {
    READ_BYTES = 256 << 10, /* at a time, beyond what is known to be no whole line */
    REST_US = 10000,        /* between reads of files that grow all the time */
    ATTEND_US = 200000,     /* between looks at files that are not simply read */
    RETRY_US = 1000000,     /* between tries of what failed */
    FLUSH_US = 1000000,     /* for which something acknowledged may not be in the state */
    PROBE_BYTES = 64,       /* of a beginning that tells most files apart */
};

/*
 *   UNKNOWN ──► READING ──► ENDING ──► OVER ──► (in the state: FINISHED)
 *      │           │ ▲                  ▲
 *      │           ▼ │                  │
 *    COPY       SEEKING ────────────────┘
 */
enum source_phase {
    SOURCE_UNKNOWN, /* may be new, or a copy of another one */
    SOURCE_READING,
    SOURCE_SEEKING, /* truncated, or not found: a copy is looked for that has what was not read */
    SOURCE_ENDING,  /* nobody writes to it, but its last line has no line feed */
    SOURCE_OVER,    /* all of it was handed out */
    SOURCE_COPY,    /* of another one: kept in case that that is truncated */
};

enum source_place {
    PLACE_LIVE,    /* a live name leads to it */
    PLACE_MOVED,   /* it has another name */
    PLACE_DELETED, /* it has none */
};

/* What is found by a file's identity: a source, or a file that is done with. */
struct identity_node {
    struct table_node node;
    struct file_identity identity;
    bool is_known;
};

/* What is known of a file that was given up before all of it was read: it, a copy or an archive of
 * it may come back. */
struct lost {
    struct content_mark ahead; /* source.marked */
    uint64_t sent, bytes;      /* up to here lines may have left; counted as lost */
    int64_t us;                /* when it was given up, by the wall clock */
};

/* A file that is done with, as the state has it. */
struct known {
    struct identity_node by_identity;
    struct roll_node in_family, in_new;
    struct family *family;
    int64_t number;
    uint64_t key;
    enum state_kind kind;
    uint32_t generation;
    int64_t copy_of;          /* the number of what it is a copy of, or 0 (known_copied) */
    struct content_mark mark; /* of a PASSED one the chain is not known: 0 */
    struct ladder ladder;     /* of one that was read */
    struct lost *lost;        /* of one that was given up, or NULL */
    uint64_t seen_us;         /* when its row was written last, or read */
    char *path;               /* until it is in the state: it is in follower.new_known so long */
};

/* What a source was when a file appeared that may be a copy of it. */
struct snapshot {
    uint64_t key, size;
    struct content_mark mark;
};

enum { SNAPSHOTS_MAX = 8 };

struct source {
    struct follow_file file; /* first: what others have of it */
    struct identity_node by_identity;
    struct family *family;
    struct source *older, *newer;           /* of the family, READING … OVER until that is told */
    struct source *all_before, *all_behind; /* of all */
    struct agenda_item attention;           /* when it is looked at next */
    struct roll_node in_ready, in_parked;   /* one of both, or none; the latter in two rolls … */
    struct roll_node in_family_parked, in_unjudged; /* … */
    struct roll_node in_dirty, in_touched, in_over, in_told;
    struct roll_node in_opened;    /* while it has a descriptor */
    struct roll live_names;        /* that lead to it: of struct name */
    struct source *copy, *copy_of; /* the newest copy of it; of which it is one */
    bool is_copied;                /* there is one that had nothing more to give */
    struct snapshot *snapshots;    /* while it is UNKNOWN */
    size_t snapshots_len;
    struct source *joined; /* whose last line goes on with what was the first one here */
    struct source *joins;  /* … the other way round */
    bool is_ready, is_parked, is_dirty, is_touched, is_listed, is_in_family;
    bool is_resumed; /* from the state, or lost sight of: it was not found yet */
    bool has_ahead;  /* when it was found, it had all that may have left of it (marked) */
    bool is_closed;  /* for want of descriptors: looked at by its name */
    bool has_writer; /* somebody had it open when it was judged last */
    bool is_held;    /* it was looked at since it was read to its end, and goes on */
    bool is_handed;  /* who takes the lines has seen it */

    enum source_phase phase;
    enum source_place place;
    char *path;      /* where it is, as far as is known */
    char *live_path; /* file.path */
    int fd;          /* -1: not open */
    uint64_t watch;  /* 0: none */
    struct file_look look;
    uint32_t generation;
    int64_t number; /* of its row; 0: none yet */
    bool is_archive;
    bool is_unlooked;    /* whether it is one could not be read: nothing is handed out before */
    int64_t copy_number; /* of the row of what it is a copy of, as the state has that; 0: unknown */

    /* Reading. */
    uint64_t offset;   /* what is before was handed out */
    uint64_t line;     /* where the line at the offset begins: before it, within a long one */
    uint64_t searched; /* from the offset to here there is no line feed */
    uint64_t chain;    /* at `line` or, within a long one, at the offset */
    uint64_t check_hash, search_hash;
    uint32_t check_len;  /* of the bytes before the offset */
    uint32_t search_len; /* … before `searched`, of a line that is not whole */
    int64_t line_us;     /* when the line that was handed out last was read, by the wall clock */
    bool is_inside;      /* a part of a long line was handed out */
    bool is_at_end;      /* all whole lines of it were handed out, when it was read last */
    bool is_reported;    /* what is wrong with it was said … */
    int trouble;         /* … an errno */
    uint64_t before_line, before_chain; /* the line that was handed out last, and the chain there */
    uint64_t hold_offset, hold_chain;   /* the same of the line at file.held_from */

    /* Marks of its content. */
    struct content_mark last;     /* at the end of its last turn */
    struct content_mark previous; /* … of the turn before */
    struct content_mark safe;     /* where reading would go on, if all were acknowledged */
    struct content_mark marked;   /* `safe` when it was marked last: lines before it may be there */
    struct content_mark acked;    /* the server has what is before */
    uint64_t marked_to;           /* the offset of the last mark of it, since the start */
    struct ladder ladder;         /* of what was handed out; of an UNKNOWN one, of what it has */
    uint64_t seen_size;           /* the largest that was seen */
    uint64_t sent;                /* up to here lines may have left */
    int64_t lost_us;              /* when it was given up, by the wall clock; 0: it was not */

    uint64_t probe; /* hash of its first PROBE_BYTES; 0: unknown */
    uint64_t found_us, parked_us, phase_us, grown_us;
    uint64_t older_size;      /* of `older` when this was found: to be read before this one */
    struct state_time *times; /* what the state knew of lines that are read again */
    size_t times_len, times_at;
    unsigned pending; /* marks that it is in */
    bool is_taken;    /* lines of it were handed out since the last mark */
    bool is_told;     /* calls.ended() */
};

struct family {
    struct table_node node;
    char *name;
    struct source *oldest, *newest;
    struct roll told;     /* over, but not all of them is stored: as known ones, but for that */
    struct roll known;    /* the newest first */
    struct roll parked;   /* sources that wait for another one's end */
    struct roll unjudged; /* sources that are UNKNOWN: so many, … */
    unsigned unknown, unknown_archives; /* … of which so many are archives */
};

/* A live name. */
struct name {
    struct table_node node;
    struct roll_node in_folder, in_links, in_target, in_holder;
    struct folder *folder;
    char *path;
    char *target;                 /* of a link, or NULL … */
    struct folder *target_folder; /* … and the one that this is in, or will be */
    int pattern;
    bool is_exact;
    int trouble; /* errno that was said, or 0 */
    struct source *holder;
    uint64_t scan; /* the last one that saw it */
};

struct folder {
    struct table_node node;
    char *path;
    struct roll names;
    struct roll links; /* names, in whatever folder, that are links to what is in this one */
    bool is_given;     /* it is waited for */
    bool is_again;     /* to be looked through again: something could not be opened */
};

/* What was read of a file last. */
struct reader {
    char *bytes;
    size_t capacity, len;
    uint64_t from;     /* offset of bytes[0] */
    struct source *of; /* NULL: nothing */
    int64_t us;        /* when, by the wall clock */
};

struct range {
    struct source *source;
    struct state_time time;
};

struct marked {
    struct source *source;
    struct content_mark mark;
    uint64_t sent;
};

struct follow_mark {
    struct follow_mark *next; /* of the free ones */
    struct follow_mark *all;  /* of all */
    struct marked *sources;
    size_t sources_len, sources_capacity;
    struct range *ranges;
    size_t ranges_len, ranges_capacity;
};

struct follower {
    struct follower_calls calls;
    enum follow_from from;
    struct names *names;
    struct watch *watch;
    struct state *state;
    bool is_first; /* nothing was ever followed with this state */
    bool is_starting;
    bool is_given_up; /* the start: not all was looked at, and nothing of it goes into the state */
    int64_t began_us; /* of the state, by the wall clock */

    struct table identities, names_by_path, folders, families;
    struct source *all;
    struct agenda agenda; /* of sources: what is not simply read */
    struct roll ready, parked, dirty, touched, over;
    struct roll opened; /* what may be closed next is looked for from the first on */
    uint64_t now_us, read_us, dirty_us, scan;
    size_t open, open_max, files, files_max, seeking, troubled, closed;
    struct source *closed_hand; /* in all: what was closed, and is looked at next */
    uint64_t closed_us;         /* when closed files are looked at next */
    uint64_t full_us;           /* when there was no descriptor, and none to be closed */
    bool is_short;              /* that there are too few descriptors was said */
    bool is_many;               /* that there are too many files was said */
    int scan_depth;
    bool is_drained; /* all that was there was handed out */
    bool is_released;
    uint64_t retry_us;
    struct roll links;     /* names */
    struct roll new_known; /* that are not in the state yet */
    uint64_t unreadable;
    bool has_news; /* what is unreadable or lost is another than in the state */

    struct reader reader;
    struct unpacking *unpacking; /* the archive that is read, or NULL */
    struct judging *judging;     /* the one that is judged, or NULL */
    struct buffer joined, path, ladder;
    struct follow_mark *spare, *marks; /* those that are free, all of them */
    struct range *ranges;
    size_t ranges_len, ranges_capacity;
    bool is_state_broken;
    uint64_t prune_us; /* when the state forgets what is old */
};

/* ---- loop.c ---- */

void follower_say(struct follower *f, const char *format, ...) LM_PRINTF(2, 3);
/* There are too few descriptors: said once. */
void follower_say_short(struct follower *f, const char *path);
/* Says once that no more files can be followed, of which `path` is one. */
void follower_say_many(struct follower *f, const char *path);
/* True if the start is to be given up. */
bool follower_gives_up(struct follower *f);
/* To be read, as soon as it is its turn. */
void follower_ready(struct follower *f, struct source *s);
/* It is not read before it is told of again. */
void follower_not_ready(struct follower *f, struct source *s);
/* Those of the family that waited for another one's end may look again. */
void follower_unpark(struct follower *f, struct family *family);
/* It is in none of the follower's lists any more. */
void follower_forget(struct follower *f, struct source *s);
/* To be looked at from time to time (follower_attend), first in `us`. */
void follower_attend(struct follower *f, struct source *s, uint64_t us);

/* ---- source.c ---- */

/* A file that was just opened or looked at; owned by the follower. */
struct source *source_new(struct follower *f, const struct file_look *look, struct family *family,
                          const char *path, const char *live_path);
/* It was never handed to anybody, or calls.freed() was called. */
void source_free(struct follower *f, struct source *s);
void source_move(struct follower *f, struct source *s, enum source_phase phase);
/* What is not read of it is looked for: by its content alone, since its inode has another one by
 * now; or (has_identity) by that, too: it is only not where it was. */
void source_seek(struct follower *f, struct source *s, bool has_identity);
/* Opens it by its path, if it is still that file, and watches it. Returns 0, or LM_EIO with errno;
 * LM_ENOTFOUND: another file is there. */
int source_open(struct follower *f, struct source *s) LM_MUST_CHECK;
/* It is another file's content from now on: that of a copy. */
void source_set_identity(struct follower *f, struct source *s,
                         const struct file_identity *identity);
/* What it can be found by when the follower starts again: all zeroes for one whose inode has
 * another content by now, or is gone; inode 0 is no file's. */
struct file_identity source_identity(const struct source *s);
void source_take_fd(struct follower *f, struct source *s, int fd);
void source_close(struct follower *f, struct source *s);
/* Its descriptor, which is the caller's from now on. */
int source_give_fd(struct follower *f, struct source *s);
void source_set_path(struct source *s, const char *path);
/* The same of any file, which is looked at: a descriptor, or -1 with errno. */
int source_open_path(struct follower *f, const char *path, struct file_look *look) LM_MUST_CHECK;
/* True if none can be opened at this moment: whoever waits for a descriptor need not try. */
bool source_is_full(const struct follower *f);
/* Looks at some of those that are closed for want of descriptors. False: there are others that have
 * changed, and none left. */
bool source_look_closed(struct follower *f);
/* One that has no descriptor. */
void source_reopen(struct follower *f, struct source *s);
/* The same; if it was closed for want of them: only if it has changed since. */
void source_look_again(struct follower *f, struct source *s);
/* False: its name leads to another file by now, or to none. */
bool source_is_there(const struct source *s);
/* Where it is, if no live name leads to it. */
void source_find_place(struct follower *f, struct source *s);
/* It cannot be read: said once, and tried again. */
void source_failed(struct follower *f, struct source *s, int reason);
void source_works(struct follower *f, struct source *s);
uint64_t source_key(const struct file_identity *identity, uint32_t generation);
struct source *source_by_identity(struct follower *f, const struct file_identity *identity);
/* Another one with the identity of `s`, or NULL. */
struct source *source_other(struct follower *f, const struct source *s);
/* One of the state that was not found yet, and may be that file by another number of its device;
 * its content is still to be compared. The first: whether `s` is such a one. */
bool source_has_moved(const struct source *s, const char *path,
                      const struct file_identity *identity);
struct source *source_moved(struct follower *f, const char *path,
                            const struct file_identity *identity);
struct known *known_by_identity(struct follower *f, const struct file_identity *identity);
struct known *known_add(struct follower *f, struct family *family, const struct known *k);
void known_remove(struct follower *f, struct known *k);
/* The one of the family that was given up and has this number, or (0) this key; or NULL. */
struct known *known_lost(const struct family *family, int64_t number, uint64_t key);
/* What it is a copy of, if not all of that is stored: then what is equal to it may be needed, too.
 */
struct source *known_copied(struct follower *f, struct known *k);

/* ---- reading.c ---- */

enum turn {
    TURN_READ,      /* there are new bytes, maybe a line */
    TURN_NOTHING,   /* no line feed in what is new */
    TURN_TRUNCATED, /* what is before the offset is not what was read there */
    TURN_FAILED,    /* errno */
};

/* Reads what is at the offset. */
enum turn reading_begin(struct follower *f, struct source *s);
/* The next line of what was read; false: no whole one. */
bool reading_next(struct follower *f, struct source *s, struct follow_line *line);
/* Brings the source's marks to what was handed out, as far as that is known. */
void reading_refresh(struct follower *f, struct source *s);
void reading_end(struct follower *f, struct source *s);
/* Hands out `rest`, which is all up to its size, as `text`. */
void reading_hand_out(struct follower *f, struct source *s, struct slice rest, struct slice text,
                      struct follow_line *line);
/* How much of `bytes`, which begin a line or (is_inside) go on with a long one, is handed out at
 * once, with its line feed; 0: it is not whole. Before `searched` there is no line feed. */
size_t reading_cut(struct slice bytes, size_t searched, bool is_inside, bool *is_last);
/* How long it is, unpacked. */
uint64_t reading_size(const struct follower *f, const struct source *s);
/* False: what is before its offset is not what was read there. */
bool reading_holds(const struct follower *f, struct source *s);
/* It begins at `offset`, which is a line's beginning, as if all before were read. 0; LM_EDATA: it
 * is shorter; LM_EIO. */
int reading_skip_to(struct source *s, uint64_t offset, uint64_t chain) LM_MUST_CHECK;

/* Makes its ladder anew of what is in the file before `end`. Returns the chain behind that. */
uint64_t reading_take_ladder(struct follower *f, struct source *s, uint64_t end);
/* It begins at its last line that has no line feed, or at its end. */
void reading_skip_to_end(struct follower *f, struct source *s);
/* Passes over its first `len` bytes, a line that another one's line goes on with. */
void reading_pass(struct follower *f, struct source *s, uint64_t len);

/* ---- family.c ---- */

struct family *family_of(struct follower *f, const char *path);
struct family *family_named(struct follower *f, struct slice name);
/* The name that the lines of the file at `path` came by, or would have: `path`, or the FILE that it
 * was. (A family of a pattern is called by no file's name.) */
const char *family_live_path(const struct follower *f, const struct family *family,
                             const char *path);
/* The newest of its family; behind that one (NULL: the oldest); before that one. */
void family_append(struct source *s);
void family_insert_behind(struct source *s, struct source *older);
void family_insert_before(struct source *s, struct source *newer);
void family_remove(struct source *s);
/* True if something of it was handed out. */
bool family_is_begun(const struct source *s);
/* True if nothing of it may belong together with what the next file begins with. */
bool family_is_whole(const struct source *s);
/* True if it is the source's turn; false: another one's lines come before it. */
bool family_lets_read(struct follower *f, struct source *s);
void families_release(struct follower *f);

/* ---- ending.c ---- */

/* A source whose name leads elsewhere, or that waits for something. */
void ending_attend(struct follower *f, struct source *s);
/* The last line of one that ends: true and a line, or false if there is none. */
bool ending_last_line(struct follower *f, struct source *s, struct follow_line *line);
/* The same of the one before `s`, of which something was just read and nothing handed out, if that
 * is to come now: together with the first line of `s`, if that goes on with it. *waits: nothing of
 * `s` may be handed out yet. */
bool ending_hand_out(struct follower *f, struct source *s, struct follow_line *line, bool *waits);
/* What has no line feed at its end: in f->joined. */
struct slice ending_rest(struct follower *f, struct source *s);
/* Nothing more comes of it. */
void ending_over(struct follower *f, struct source *s);
/* Tells those that are over, once their last line was taken. */
void ending_tell(struct follower *f);

/* ---- place.c ---- */

/* Watches the folders and looks at all that is in them. */
void place_start(struct follower *f);
/* Something happened to a name, or, NULL, to any in the folder. */
void place_look(struct follower *f, const char *folder, const char *name);
void place_look_path(struct follower *f, const char *path);
/* The live name leads to `holder` from now on; NULL: to nothing. */
void place_hold(struct follower *f, struct name *name, struct source *holder);
/* All names that lead to `s` lead to `next`. */
void place_hand_over(struct source *s, struct source *next);
/* None leads to it any more. */
void place_forget(struct source *s);
/* Says why a name cannot be followed, an errno, or (0) that it can. */
void place_trouble(struct follower *f, struct name *name, int reason);
/* Calls file() for each name that cannot be followed, with the reason. */
void place_each_trouble(struct follower *f,
                        void (*file)(const char *path, const char *reason, void *ctx), void *ctx);
/* It is not where it was, and not open: it may be anywhere. */
void place_seek(struct follower *f, struct source *s);
/* A sibling could not be opened. */
void place_scan_again(struct follower *f, const char *path);
/* Looks again at names that cannot be followed. */
void place_retry(struct follower *f);
void places_release(struct follower *f);

/* ---- candidate.c ---- */

/* What a live name leads to, which is no source: one that reads it, or may do so. NULL: there is
 * nothing to be read, or it cannot be opened (said), or another file is there by now. */
struct source *candidate_live(struct follower *f, struct name *name, struct file_look *look);
/* A file with a sibling's name that is no source. */
void candidate_sibling(struct follower *f, const char *path, const struct file_look *seen);
void candidate_attend(struct follower *f, struct source *s);
/* A file that was just remembered as done with has grown since: it is read on, by a descriptor of
 * it, if nothing was found by its name. `fd` is closed, or the file's. */
void candidate_goes_on(struct follower *f, const char *path, int fd);
/* It is read from its beginning. */
void candidate_is_new(struct follower *f, struct source *s);
/* Which was changed first. */
bool candidate_is_older(const struct source *a, const struct source *b);
/* It was truncated: what is in the file from now on is another source. */
void candidate_truncated(struct follower *f, struct source *s);
void candidate_seek(struct follower *f, struct source *s);
/* A copy that goes on, or is written anew, is none: it is read, as far as it is not one of much. */
void candidate_copy_changed(struct follower *f, struct source *c);
/* The server has more of `s` than before: a copy may have nothing more to give. */
void candidate_acknowledged(struct follower *f, struct source *s);

/* What `o` has not handed out is read from its copy `c`, of `size` bytes of text. */
void candidate_adopt(struct follower *f, struct source *o, struct source *c, uint64_t size);
/* One that was given up is looked for once more, since `path` has what is missing. */
struct source *candidate_recall(struct follower *f, struct known *k, const char *path);
/* A copy is remembered as one, and not read. */
void candidate_is_copy(struct follower *f, struct source *c);

/* ---- judge.c ---- */

enum verdict {
    JUDGE_LATER, /* there is not enough of it yet */
    JUDGE_NEW,
    JUDGE_COPY, /* of `of`, or (NULL) of a file that is done with */
};

/* What there is that it may be a copy of. */
void judge_prepare(struct follower *f, struct source *c);
/* What of a family a file may be a copy of: those that are not done with. */
struct source *judge_first(const struct family *family);
struct source *judge_next(const struct source *o);
/* False: `o` was truncated, as is seen by its copy if nothing was handed out yet, or by what may
 * have left before the follower started. */
bool judge_still_has(const struct source *o);
/* Takes note of its beginning, if that is there. */
void judge_take_probe(struct source *c);
/* The hash of the beginning that it is known by; 0: it may have another one by now. */
uint64_t judge_probe(const struct source *o);
/* How long a copy of `o` has to be: as long as that was when `c` appeared. */
uint64_t judge_least(const struct source *c, const struct source *o);
/* True if a text, of `size` bytes and with these lines, is the beginning of what was read of a file
 * up to `offset`; or may be so, since it has hardly more than a line that is not whole. `least`: so
 * much of it has to be equal. */
bool judge_is_part(const struct ladder *part, uint64_t size, const struct ladder *whole,
                   uint64_t offset, uint64_t least);
/* How much that is if all of the file is done with (is_done), or not. */
uint64_t judge_least_part(const struct source *c, bool is_done);
/* … if it was given up, and the other one was changed last then. */
uint64_t judge_least_lost(const struct known *k, int64_t changed_ns);
/* How much of it was read, as far as that is known. */
uint64_t judge_read_to(const struct source *o);
/* is_settled: nobody writes to it, or it has not changed for long. *size: of its text. */
enum verdict judge(struct follower *f, struct source *c, bool is_settled, struct source **of,
                   uint64_t *size);

/* The same of one that the state knows as a copy. */
enum verdict judge_again(struct follower *f, struct source *c, struct source **of, uint64_t *size);
/* False: `o` has been truncated, which it does not know yet. */
bool judge_holds(struct follower *f, struct source *o);

/* ---- unpack.c ---- */

/* Whether a file is an archive: by its first bytes. Returns 0, or LM_EIO with errno. */
int unpack_is_archive(int fd, bool *is_archive) LM_MUST_CHECK;
/* Takes note of that. */
void unpack_look(struct source *s);
/* As reading_begin does. */
enum turn unpack_read(struct follower *f, struct source *s);
/* How long it is, as far as it was unpacked; what of it was not handed out; whether that is all. */
uint64_t unpack_size(const struct follower *f, const struct source *s);
struct slice unpack_rest(const struct follower *f, const struct source *s);
bool unpack_is_over(const struct follower *f, const struct source *s);
/* As judge() does, some of it at a time. *size: of its text. */
enum verdict unpack_judge(struct follower *f, struct source *c, bool is_settled, struct source **of,
                          uint64_t *size);
/* It is not judged or read any more. */
void unpack_forget(struct follower *f, const struct source *s);

/* ---- resume.c ---- */

int resume_load(struct follower *f, struct errbuf *err) LM_MUST_CHECK;
/* A file with the identity of `s` is at `path`. True: it is that one, and read on, or that cannot
 * be told now; false: it has another content. */
bool resume_open(struct follower *f, struct source *s, const char *path);
/* What is not found anywhere is looked for by its content. */
void resume_finish(struct follower *f);
/* Whether a file has what was read of another one, and what may have left of that. */
enum content_verdict resume_compare(int fd, uint64_t size, const struct content_mark *read,
                                    const struct content_mark *ahead);
/* What the state has of `k`, without its texts. */
void resume_row(struct follower *f, const struct known *k, struct state_file *row);
/* Whether a file with the identity of `k` is what that is of. *row: of `k`. */
enum content_verdict resume_compare_known(struct follower *f, const struct known *k, int fd,
                                          const struct file_look *look, struct state_file *row);
/* The times that the state has of its lines. */
int resume_times(struct follower *f, struct source *s, struct errbuf *err) LM_MUST_CHECK;

/* ---- ledger.c ---- */

/* Numbers of rows, for it and the older ones of its family that have none: in their order, in which
 * they are read again after a crash. */
void ledger_number(struct follower *f, struct source *s);
void ledger_touch(struct follower *f, struct source *s);
void ledger_dirty(struct follower *f, struct source *s);
/* What is unreadable or lost has changed. */
void ledger_news(struct follower *f);
/* It is put into the state, with the path that it has now. */
void ledger_known(struct follower *f, struct known *k, const char *path);
/* Lines of [from, to) were read at `us`. */
void ledger_taken(struct follower *f, struct source *s, uint64_t from, uint64_t to, int64_t us);
/* When the line at an offset was read, if the state has that. */
int64_t ledger_read_us(struct follower *f, struct source *s, uint64_t offset, bool *is_known);
/* Writes that the state is none that is new any more, with what was passed over: what is rotated
 * from now on is to be read, though nothing of it was acknowledged. If that cannot be, the next
 * start would pass over what this one had not read. */
int ledger_begin(struct follower *f, struct errbuf *err) LM_MUST_CHECK;
/* Writes what is acknowledged, if it is time. */
void ledger_flush(struct follower *f, bool now);
void ledger_release(struct follower *f);

#endif
