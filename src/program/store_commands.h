/* `logmill store info|verify|compact`: looking into the store of DATA_DIR, also while it is used.
 */
#ifndef LOGMILL_PROGRAM_STORE_COMMANDS_H
#define LOGMILL_PROGRAM_STORE_COMMANDS_H

#include "cli/flags.h"
#include "program/config.h"

/* `args`: what is neither flag nor setting. Returns the exit status, as commands do (commands.h).
 */
int store_commands_run(const struct config *config, const struct flags *flags, char **args,
                       int args_len);

#endif
