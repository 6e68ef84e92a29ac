/*
 * What each command does. All take the settings and the arguments that are no flags, and return the
 * exit status: 0, 1 if something failed (said on stderr), 2 for wrong usage.
 */
#ifndef LOGMILL_PROGRAM_COMMANDS_H
#define LOGMILL_PROGRAM_COMMANDS_H

#include "program/config.h"

/* Run until SIGTERM or SIGINT; a second signal ends the process at once. */
int commands_serve(const struct config *config, char **args, int args_len);
int commands_api(const struct config *config, char **args, int args_len);
int commands_worker(const struct config *config, char **args, int args_len);

/* Succeeds if an api (or serve) answers on PORT, or a worker on METRICS_PORT; `api`, `worker`: that
   one alone. */
int commands_health(const struct config *config, char **args, int args_len);

int commands_migrate(const struct config *config, char **args, int args_len);
int commands_dead_letters(const struct config *config, char **args, int args_len);
int commands_config(const struct config *config, char **args, int args_len);

#endif
