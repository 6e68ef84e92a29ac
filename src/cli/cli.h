/*
 * The commands with flags of their own: those that talk to a logmill server over HTTP (send, query,
 * stats, fields, patterns, tail, import, export, mcp), two that print (completion, man), and those
 * that open the store of the settings themselves, of which here are only the flags and the manual
 * (delete, store).
 */
#ifndef LOGMILL_CLI_CLI_H
#define LOGMILL_CLI_CLI_H

#include "cli/flags.h"

enum { CLIENT_USAGE = 2 }; /* the exit status of a wrong command line */

/* All of them; a name of NULL ends them. */
extern const struct client_command client_commands[];

/* The command of that name, or NULL. */
const struct client_command *client_find(const char *name);

/*
 * Parses what follows its name. False if that was all, for it was wrong or asked for --help:
 * `*status` is the exit status then.
 */
bool client_parse(const struct client_command *command, char **args, int args_len,
                  struct flags *flags, int *status);

/* Runs it with what follows its name, --help included. Returns the exit status. */
int client_run(const struct client_command *command, char **args, int args_len);

/* Each a `run` of one command. */
int client_send(const struct flags *flags);
int client_query(const struct flags *flags);
int client_stats(const struct flags *flags);
int client_mcp(const struct flags *flags);
int client_fields(const struct flags *flags);
int client_patterns(const struct flags *flags);
int client_tail(const struct flags *flags);
int client_import(const struct flags *flags);
int client_export(const struct flags *flags);

#endif
