/*
 * The flags of a client command, from tables (base/flag.h) that parse them and make --help, the
 * manual page and the completion scripts (see manual.h).
 */
#ifndef LOGMILL_CLI_FLAGS_H
#define LOGMILL_CLI_FLAGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/errbuf.h"
#include "base/flag.h"

struct flags;

struct client_command {
    const char *name;
    const char *arguments; /* what follows the flags, "[MESSAGE…]", or "" */
    const char *summary;   /* one line */
    const char *text;      /* what the manual says beyond the flags; paragraphs end with "\n" */
    const struct flag *const *tables; /* of its flags; NULL ends them */
    int max_arguments;                /* -1: any number */
    /* The exit status. NULL: it has settings besides its flags, and main.c runs it. */
    int (*run)(const struct flags *flags);
};

enum { FLAGS_MAX = 256 }; /* flags of one command line */

struct flags {
    const struct client_command *command;
    struct {
        const struct flag *flag;
        const char *value;
    } given[FLAGS_MAX];
    int given_len;
    char **args; /* that are no flags */
    int args_len;
};

/*
 * Parses args[0..args_len), moving what is no flag to their front; "--" ends the flags. Where the
 * command has settings, too, flags that are none of its own stay with their values, as if they were
 * no flags. Strings point into `args` and the environment.
 * Returns 0, or LM_EINVAL with one line that names the flag, its value and what is allowed.
 */
int flags_parse(struct flags *flags, const struct client_command *command, char **args,
                int args_len, struct errbuf *err) LM_MUST_CHECK;

/* The value of a flag of the command's tables: as given last, else of its variable, else its
   default, else NULL. */
const char *flags_text(const struct flags *flags, const char *name);
uint64_t flags_number(const struct flags *flags, const char *name); /* 0 if it is not set */
bool flags_has(const struct flags *flags, const char *name);        /* given on the command line */

#endif
