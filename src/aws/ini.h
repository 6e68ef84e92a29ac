/* The format of the shared AWS files (~/.aws/config, ~/.aws/credentials): sections of settings. */
#ifndef LOGMILL_AWS_INI_H
#define LOGMILL_AWS_INI_H

#include "base/slice.h"

struct aws_ini_item {
    struct slice section; /* what stands between the brackets, without space around it */
    struct slice key;     /* empty: the section begins */
    struct slice value;
};

typedef void aws_ini_fn(const struct aws_ini_item *item, void *ctx);

/*
 * Gives `fn` each section and each of its settings, in order; views into `text`. Comments (# or ;
 * at the start of a line, or after a space), lines that belong to the setting above them (indented)
 * and lines that are nothing of all this are passed over, as the AWS SDKs do.
 */
void aws_ini_parse(struct slice text, aws_ini_fn *fn, void *ctx);

#endif
