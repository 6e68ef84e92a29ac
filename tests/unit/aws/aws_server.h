/*
 * A service of AWS's JSON protocol that a test plays itself, on a free port of 127.0.0.1. The
 * environment gets a region and credentials, and the service as that of SQS. All failures fail the
 * test.
 */
#ifndef LOGMILL_TESTS_AWS_SERVER_H
#define LOGMILL_TESTS_AWS_SERVER_H

#include <yyjson.h>

#include "base/buffer.h"

/*
 * Answers a call: appends JSON to `answer` and returns the status; or returns 0, and the connection
 * hangs until the client ends it. Calls come one at a time, on threads of the server's.
 */
typedef int aws_server_fn(const char *action, yyjson_val *request, struct buffer *answer,
                          void *ctx);

struct aws_server *aws_server_new(aws_server_fn *fn, void *ctx);
const char *aws_server_url(const struct aws_server *s);

/* Connections that there are hang from now on; new ones do not. */
void aws_server_hang(struct aws_server *s);

void aws_server_free(struct aws_server *s);

/* The text under `name`, or "". */
const char *aws_server_text(yyjson_val *request, const char *name);

#endif
