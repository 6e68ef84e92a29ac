/* One log among its neighbours: GET /logs?around=ID. */
#ifndef LOGMILL_CLI_NEAR_H
#define LOGMILL_CLI_NEAR_H

#include "cli/http_client.h"
#include "cli/show.h"

/*
 * Shows what the flags around, before, after and same ask for, newest last (or first, with
 * reverse), the log itself marked where people read it; whatever time that takes. `*found`: logs.
 */
int near_show(struct http_client *client, const struct flags *flags, const struct show *show,
              uint64_t *found, struct errbuf *err) LM_MUST_CHECK;

#endif
