/*
 * Files in memory, as SQLite sees files (https://www.sqlite.org/vfs.html): what a machine's disk
 * and its processes are to the store, with all that can happen to them, and nothing of it by
 * itself. One thread.
 *
 * A disk holds sectors of 512 bytes. What was written since a file was last synced is there for
 * every process that reads the file, but not yet on the disk: when the power is cut it goes, or
 * some sectors of it do and others do not, in any order.
 *
 * Processes are numbers. A file is opened by the process that is named at that time; its locks are
 * that process's, and go with it.
 */
#ifndef LOGMILL_SIMULATION_MEMORY_FILES_H
#define LOGMILL_SIMULATION_MEMORY_FILES_H

#include "../unit/store/dice.h"

/* Makes these the default of SQLite; once, before anything is opened. */
void memory_files_register(void);

/* A new machine: no files, everything works. SQLite's own chance follows `seed`. */
void memory_files_begin(uint64_t seed);

/* All that comes next is done by process `process`, 0 to 31. */
void memory_files_process(unsigned process);

/* ---- What fails ---- */

/* The power is cut, or (`kill`) the process ends, in the middle of the `n`-th change to a file from
 * now on, or sync; nothing that it does afterwards has any effect. */
void memory_files_end_at(uint64_t n, bool kill);

/* The `n`-th reading from now on fails. */
void memory_files_fail_read_at(uint64_t n);

/* Neither is to come any more. */
void memory_files_calm(void);

/*
 * True if the process that is named has ended, or the machine: whatever it has open is to be
 * closed, which has no effect, before it is revived.
 */
bool memory_files_ended(void);

/* The process ends, if it has not yet. */
void memory_files_kill(unsigned process);

/* It starts again; it has nothing open. */
void memory_files_revive(unsigned process);

/*
 * The power is cut, whether it was before or not: all processes have ended. It comes back when all
 * is closed: with what is on the disk, and if `torn`, some of the sectors that were written.
 */
void memory_files_cut_power(void);
void memory_files_restore_power(struct dice *dice, bool torn);

/* How many changes and syncs there were since memory_files_begin, and files that are open. */
uint64_t memory_files_changes(void);
unsigned memory_files_open(void);

#endif
