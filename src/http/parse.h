/* From bytes to a message: llhttp's callbacks, and what is kept from one read to the next. */
#ifndef LOGMILL_HTTP_PARSE_H
#define LOGMILL_HTTP_PARSE_H

#include <llhttp.h>

#include "http/message.h"

/* An llhttp parser for requests, strict in everything. */
void parse_init(llhttp_t *parser);

enum parse_progress {
    PARSE_WANTS_MORE, /* all of the data was taken, and copied as far as it is needed */
    PARSE_IS_COMPLETE,
    PARSE_IS_REFUSED /* `refusal` says why; the connection cannot go on after this message */
};

/*
 * Parses on. `*used` gets how many bytes belong to this message. If it is complete, what `m`
 * points to lives as long as `data` does.
 */
enum parse_progress parse_run(struct message *m, llhttp_t *parser, struct slice data, size_t *used);

/* Copies the body of a message that is complete, but for its refusal; false if there is no room. */
bool parse_keep_body(struct message *m);

/*
 * Undoes the content coding of a complete message. If that fails, sets `refusal`.
 */
void parse_finish(struct message *m, struct inflater *inflater);

#endif
