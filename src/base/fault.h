/*
 * Faults on purpose, for tests. A point is a place where something can fail that the system does
 * for us: an allocation, a write, a sync. The points of each kind are numbered from 1 as the
 * process reaches them; a plan says which of them fail. A test walks: it lets point 1 fail, then 2,
 * and so on, until a run passes without reaching its point.
 *
 *     if (fault_here(FAULT_SYNC) || fsync(fd) != 0)
 *
 * The seam is there only in builds with -Dfaults=true, which the tests use. In all others
 * fault_here() is the constant false and nothing of this is in the binary.
 *
 * The plan comes from the environment, so that the real binary can be tested:
 *
 *     LOGMILL_FAULT=KIND:N[+][:HOW]    sync:3   write:7:enospc   input:1+   write:12:power
 *
 * "+": every point from N on. KIND and HOW are the names below, in lower case. A plan that cannot
 * be understood ends the process. When the (first) fault comes, "fault: KIND N" is said on stderr,
 * with the callers' addresses if LOGMILL_FAULT_TRACE is set; if none has come, the exit says
 * "fault: none of N KIND points".
 *
 * Power loss (HOW power or torn) ends the process at its point, and of the files only that
 * remains which had been synced before: see sqlite/faults.h for what is in them, and
 * fault_name_made for their names. A process that is killed proves less: what it had written, the
 * system keeps.
 *
 * Threads: fault_here may be called from any. fault_plan and fault_on_power_loss only while there
 * is no other.
 */
#ifndef LOGMILL_BASE_FAULT_H
#define LOGMILL_BASE_FAULT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * What fails.
 *   small    allocation of something small (xmalloc and the like), which ends the process
 *   input    allocation of something as large as an input (try_malloc)
 *   library  allocation within SQLite, yyjson or zlib
 *   write    writing to a database file or its log, or cutting it; growth of the log's index (-shm)
 *   sync     fsync of a file or of a directory
 *   read     reading a file that is followed, opening it, looking at it
 *   watch    watching a file or a folder by inotify: there are too many watches
 */
#define FAULT_KINDS(X)                                                                             \
    X(FAULT_SMALL, "small")                                                                        \
    X(FAULT_INPUT, "input")                                                                        \
    X(FAULT_LIBRARY, "library")                                                                    \
    X(FAULT_WRITE, "write")                                                                        \
    X(FAULT_SYNC, "sync")                                                                          \
    X(FAULT_READ, "read")                                                                          \
    X(FAULT_WATCH, "watch")

/*
 * How it fails.
 *   eio     with an input/output error, nothing done (an allocation: with NULL)
 *   enospc  a write: no space left, nothing done
 *   short   a write: half of it is done, then no space is left
 *   power   the power is lost instead; nothing that was not synced remains
 *   torn    the power is lost instead; of what was not synced, some sectors remain, others do not
 */
#define FAULT_WAYS(X)                                                                              \
    X(FAULT_EIO, "eio")                                                                            \
    X(FAULT_ENOSPC, "enospc")                                                                      \
    X(FAULT_SHORT, "short")                                                                        \
    X(FAULT_POWER, "power")                                                                        \
    X(FAULT_TORN, "torn")

#define FAULT_ENUM(name, text) name,
enum fault_kind { FAULT_KINDS(FAULT_ENUM) FAULT_KINDS_LEN };
enum fault_way { FAULT_WAYS(FAULT_ENUM) FAULT_WAYS_LEN };
#undef FAULT_ENUM

/* The exit code of a process that has lost its power. */
enum { FAULT_POWER_LOST = 86 };

struct fault_plan {
    enum fault_kind kind;
    unsigned first; /* number of the point that fails; 0: none */
    bool onwards;   /* and all after it */
    enum fault_way way;
};

#ifdef LOGMILL_FAULTS

/* A point is reached: true if it is to fail, and then errno is set. */
bool fault_here(enum fault_kind kind);

/* Takes the place of the plan there was; all points are counted from 1 again. */
void fault_plan(const struct fault_plan *plan);

/* The plan in force. */
const struct fault_plan *fault_planned(void);

/* How many points have failed by the plan in force. */
unsigned fault_count(void);

/* Called at a power loss, before names go: brings the contents of files to what was synced. */
void fault_on_power_loss(void (*fn)(bool torn));

/*
 * A file or directory has been made (`path` is copied): until its directory is synced, a power loss
 * takes it away. What is removed stays removed.
 */
void fault_name_made(const char *path);

/* The directory has been synced: the names in it are durable. */
void fault_directory_synced(const char *directory);

#else

static inline bool fault_here(enum fault_kind kind)
{
    return false;
}

static inline void fault_name_made(const char *path)
{
}

static inline void fault_directory_synced(const char *directory)
{
}

#endif
#endif
