/*
 * What becomes of a message once its head is complete: which handler it is for, or why it is
 * refused (RFC 9110, 9112; FastAPI's 404, 405 and 307).
 */
#ifndef LOGMILL_HTTP_HEAD_H
#define LOGMILL_HTTP_HEAD_H

#include "http/message.h"

/*
 * Sets path, query, route, handler, coding, body_state and, if it is refused, refusal.
 */
void head_judge(struct message *m, const llhttp_t *parser);

/* Finds path and query in the target again, after the head has been moved. */
void head_locate(struct message *m);

#endif
