/*
 * `logmill backup` and `logmill restore`: what is in DATA_DIR, as one file (archive.h).
 *
 * A backup may be taken while serve, or api and worker, run. It holds every log that was
 * acknowledged before it began: a log goes from queue.db to logs.db, and leaves the one when it is
 * durable in the other. So the queue is copied first, and the store after it; a log may be in both
 * copies then, and is stored once, as always. What is acknowledged meanwhile may be in it.
 *
 * A restore goes into a DATA_DIR without data: its files get their names when all of the archive
 * has been read, compared and checked, and all of it is on the disk. Until it is done they are
 * called NAME.restoring, and serve does not start (data_dir_lock).
 */
#ifndef LOGMILL_PROGRAM_BACKUP_H
#define LOGMILL_PROGRAM_BACKUP_H

#include "program/config.h"

/* Each a command (commands.h). */
int backup_command(const struct config *config, char **args, int args_len);
int backup_restore_command(const struct config *config, char **args, int args_len);

#endif
