/* logmill send --follow and --status: lines of files that others write and rotate. */
#ifndef LOGMILL_CLI_FOLLOW_H
#define LOGMILL_CLI_FOLLOW_H

#include "cli/flags.h"

/* True if one of the two is given. */
bool follow_is_meant(const struct flags *flags);

/* Returns 0, or LM_EINVAL with `err` set: flags of theirs that do not go together, or without
 * them, or with what is followed. */
int follow_check(const struct flags *flags, struct errbuf *err) LM_MUST_CHECK;

/* Returns the exit status. */
int follow_run(const struct flags *flags);

#endif
