/*
 * `logmill keys`: makes, lists, takes back and renews the keys in KEYS_FILE (access/keys.h). A key
 * is shown once, when it is made. The file is written anew beside itself and takes its place when
 * it is on the disk; two that write it wait for each other. Comments and the order of lines stay.
 */
#ifndef LOGMILL_PROGRAM_KEYS_COMMAND_H
#define LOGMILL_PROGRAM_KEYS_COMMAND_H

#include "cli/cli.h"
#include "program/config.h"

/* Returns the exit status. */
int keys_command(const struct config *config, const struct flags *flags, char **args, int args_len);

#endif
