/* The key that a request bears, in one of the places that access/access.h lists. Internal to
 * access/. */
#ifndef LOGMILL_ACCESS_BORNE_H
#define LOGMILL_ACCESS_BORNE_H

#include "base/slice.h"
#include "http/http.h"

enum { CREDENTIALS_MAX = 512 }; /* bytes of what has been in base64 */

struct borne {
    struct slice key; /* data NULL: none; in the head, or in `room` if it was coded */
    char room[CREDENTIALS_MAX];
};

/* `in_path`: it may stand in the path or the query, too. */
void borne_find(struct borne *b, const struct http_head *head, bool in_path);

#endif
