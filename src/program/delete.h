/*
 * `logmill delete`: deletes the logs of a filter from the store of the settings, for ever. Without
 * --yes it counts them, and prints the line that deletes them.
 */
#ifndef LOGMILL_PROGRAM_DELETE_H
#define LOGMILL_PROGRAM_DELETE_H

#include "cli/flags.h"
#include "program/config.h"

/* `args`: what is neither flag nor setting. Returns the exit status, as commands do (commands.h).
 */
int delete_command(const struct config *config, const struct flags *flags, char **args,
                   int args_len);

/*
 * Messages that had logs which were erased are done with, but what they were written on may still
 * hold them: overwrites that in the embedded queue's file, beside whoever uses it. Without such a
 * queue it does nothing.
 */
int delete_scrub_queue(const struct config *config, struct errbuf *err) LM_MUST_CHECK;

#endif
