/*
 * logmill send --status: what a follower's state says, beside the follower or without one. A table
 * of the files that are followed and a line of sums; or each as a JSON object on a line.
 */
#ifndef LOGMILL_CLI_FOLLOW_STATUS_H
#define LOGMILL_CLI_FOLLOW_STATUS_H

#include "cli/flags.h"

/* Returns the exit status: 1 if nobody follows by the state at `path`, or it cannot be read. */
int follow_status(const struct flags *flags, const char *path);

#endif
