/*
 * The points of base/fault.h within SQLite: its allocations (library), what it writes to files and
 * cuts off them, the growth of its shared memory's file (write), its syncs (sync). Only in builds
 * with -Dfaults=true; in others this is nothing.
 *
 * Power loss. If the plan says power or torn, each write first notes what the disk still holds:
 * the content before it of every sector it touches, and the size of the file, since the file was
 * last synced. A sync forgets that. At the loss the files get their sectors and sizes back, all of
 * them (power) or each by chance (torn: the system may have written some, in any order). Sectors
 * are whole: SQLite relies on that, and disks give it.
 *
 * The model holds for the process that writes; one process at a time may use the files meanwhile.
 */
#ifndef LOGMILL_SQLITE_FAULTS_H
#define LOGMILL_SQLITE_FAULTS_H

#include <sqlite3.h>

enum { SQLITE_FAULTS_SECTOR_BYTES = 512 };

#ifdef LOGMILL_FAULTS

/* To be called before SQLite is initialised; afterwards it has no effect. */
void sqlite_faults_allocator(void);

/* `system`, with points in its files. Not registered. Always the same; NULL if `system` is. */
sqlite3_vfs *sqlite_faults_vfs(sqlite3_vfs *system);

#else

static inline void sqlite_faults_allocator(void)
{
}

static inline sqlite3_vfs *sqlite_faults_vfs(sqlite3_vfs *system)
{
    return system;
}

#endif
#endif
