/* Logs that are stored, by pages of GET /logs with the filters of the flags. */
#ifndef LOGMILL_CLI_QUERY_H
#define LOGMILL_CLI_QUERY_H

#include "cli/http_client.h"
#include "cli/show.h"

struct query {
    struct http_client *client;
    const struct flags *flags; /* the filters are among them */
    const char *fields;        /* only these attributes; NULL: all */
    bool oldest;               /* the oldest first, else the newest */
    uint64_t limit;            /* 0: all */
    uint64_t found;            /* given to take() so far */
};

/*
 * Searches page by page until there are enough or all has been searched, whatever that takes, and
 * tells on a terminal how far it is.
 * Gives take() the newest logs that match, newest first (or the oldest, oldest first), each until
 * it returns; an error of take() ends it. Returns 0, that error, or http_client_run's.
 */
int query_run(struct query *q, int (*take)(yyjson_val *log, void *ctx), void *ctx,
              struct errbuf *err) LM_MUST_CHECK;

/* Shows them, newest last, when seen() (NULL: nobody) was given each. */
int query_show_last(struct query *q, const struct show *show,
                    void (*seen)(yyjson_val *log, void *ctx), void *ctx,
                    struct errbuf *err) LM_MUST_CHECK;

#endif
