/*
 * GET /logs as a download: every log that matches, newest first, as NDJSON or CSV (RFC 4180), in
 * constant memory: a page is read from the store when the client has taken the one before.
 *
 * What is stored while a download runs may or may not be in it; nothing is in it twice. Where the
 * store fails in the middle, the connection is broken off, so that the client sees that it has not
 * got all.
 */
#ifndef LOGMILL_API_DOWNLOAD_H
#define LOGMILL_API_DOWNLOAD_H

#include "http/http.h"
#include "http/mailbox.h"
#include "http/query_string.h"
#include "read/scheduler.h"

enum download_format { DOWNLOAD_NONE, DOWNLOAD_NDJSON, DOWNLOAD_CSV };

enum {
    DOWNLOAD_PAGE_LOGS = 2000,        /* read from the store at a time at most, … */
    DOWNLOAD_PAGE_BYTES = 256 * 1024, /* … and so many bytes and one log */
};

/*
 * What the client asks for: by the parameter `format` (ndjson, csv or json), or else by its header
 * Accept (data NULL: none), RFC 9110, section 12.5.1: application/x-ndjson or text/csv where it
 * likes that better than application/json. DOWNLOAD_NONE: JSON, a page as usual.
 */
enum download_format download_format(struct slice accept, const struct query_string *params);

/* Answers `req`. On the loop's thread of `box`. */
void download_start(struct read_scheduler *readers, struct mailbox *box, struct http_request *req,
                    enum download_format format);

#endif
