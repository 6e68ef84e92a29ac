/*
 * What may stand where somebody types a word of a query: names of fields, and their values, as the
 * server has them. For the completion scripts, which run `logmill completion word -- WORD`.
 */
#ifndef LOGMILL_CLI_COMPLETE_H
#define LOGMILL_CLI_COMPLETE_H

#include "cli/flags.h"

enum {
    COMPLETE_TIMEOUT_MS = 1000, /* nobody waits longer for what may be of no use */
    COMPLETE_VALUES = 50,
};

/* Prints the words that begin so, a line each; nothing if there is no server, or for any other
 * reason. */
void complete_print(const struct flags *flags, const char *word);

#endif
