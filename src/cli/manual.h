/* What the tables of the client's commands say: help, the manual page, completion scripts. */
#ifndef LOGMILL_CLI_MANUAL_H
#define LOGMILL_CLI_MANUAL_H

#include <stdio.h>

#include "cli/flags.h"

void manual_print_help(const struct client_command *command, FILE *out);

/*
 * The manual page logmill(1), as roff (man(7)), and completion for bash and zsh. `commands` (a name
 * of NULL ends them) are those of the client; the scripts ask `logmill help` for the others.
 */
void manual_print_man(const struct client_command *commands, FILE *out);
void manual_print_bash(const struct client_command *commands, FILE *out);
void manual_print_zsh(const struct client_command *commands, FILE *out);

#endif
