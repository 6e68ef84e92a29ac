/* What commands share: how they end. */
#ifndef LOGMILL_PROGRAM_COMMAND_H
#define LOGMILL_PROGRAM_COMMAND_H

#include "base/errbuf.h"

enum { COMMAND_FAILED = 1, COMMAND_USAGE = 2 }; /* exit statuses */

/* Tells why, and returns COMMAND_FAILED. */
int command_fail(const struct errbuf *err);

/* 0 if there are no arguments, else COMMAND_USAGE, told. */
int command_no_arguments(char **args, int args_len);

#endif
