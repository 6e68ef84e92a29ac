/*
 * A flag, as a row of a table: what it is called, what it takes and what it is for. The settings of
 * the server (program/config.c) and the flags of the client's commands (cli/flags.h) are such rows,
 * so that both are parsed, checked and shown alike.
 */
#ifndef LOGMILL_BASE_FLAG_H
#define LOGMILL_BASE_FLAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/errbuf.h"

/* A flag whose `value` is NULL takes none. */
struct flag {
    const char *name;     /* "not-level": --not-level; NULL ends a table */
    const char *value;    /* "N", "FILE": what --help calls its value; NULL: a switch */
    const char *choices;  /* "a|b|c", or NULL: any text */
    const char *fallback; /* the default, as it would be given; NULL: none */
    const char *env;      /* the environment variable that stands for it, or NULL */
    uint64_t min, max;    /* a whole number, if max is not 0 */
    bool is_pair;         /* its value is NAME=VALUE */
    bool is_secret;       /* it may hold a password: given by `env` alone, masked when shown */
    char letter;          /* 'n': -n; 0: none */
    const char *help;
};

/*
 * Does the flag take `value`? Returns 0, or LM_EINVAL with one line that begins with `shown` and
 * tells what is allowed.
 */
int flag_check(const struct flag *f, const char *shown, const char *value,
               struct errbuf *err) LM_MUST_CHECK;

/* Splits "--name" or "--name=value": sets the length of "--name", and returns the value or NULL. */
const char *flag_split(const char *arg, size_t *name_len);

/* Prints what --help says behind the flag's own words: " (a|b|c) [default]". */
void flag_print_notes(const struct flag *f, FILE *out);

#endif
