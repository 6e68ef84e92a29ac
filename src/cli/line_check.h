/* What the server will say of a log: its own reader (formats/fastapi.h) reads it here, too. */
#ifndef LOGMILL_CLI_LINE_CHECK_H
#define LOGMILL_CLI_LINE_CHECK_H

#include <yyjson.h>

#include "base/buffer.h"
#include "base/errbuf.h"
#include "formats/fastapi.h"

struct line_check {
    void *memory;         /* of the server's format */
    struct buffer errors; /* what that says */
};

void line_check_init(struct line_check *c);
void line_check_release(struct line_check *c);

/* Reads `json` as the server will. Returns 0; LM_EDATA, `err` set; or LM_ENOMEM. */
int line_check(struct line_check *c, struct slice json, struct log_key *key,
               struct errbuf *err) LM_MUST_CHECK;

/*
 * Appends what a validation's "detail" says of one log, an object of it: "timestamp: Input should
 * be …", and what is allowed if that does not say it.
 */
void line_check_explain(struct errbuf *err, yyjson_val *detail);

#endif
