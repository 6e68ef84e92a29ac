/*
 * What a browser gets, from the files built into the program (web/assets.h): at / and
 * /assets/{file} the page to read and follow logs, at /docs, /docs/{file} and /openapi.json the
 * API, described and tried out. Any other file there is routed here as well.
 */
#ifndef LOGMILL_API_WEB_ROUTES_H
#define LOGMILL_API_WEB_ROUTES_H

#include "http/http.h"

/*
 * Answers with the file at the request's path: 200, 304 if If-None-Match names it, or 404.
 * Sent compressed to who takes gzip, inflated to who does not.
 */
http_handler web_routes_get;

/* True if Accept-Encoding `header` (data NULL: none was sent) lets us answer in gzip. */
bool web_routes_accepts_gzip(struct slice header);

/* True if If-None-Match `header` (data NULL: none was sent) names `etag`, a weak one. */
bool web_routes_etag_matches(struct slice header, const char *etag);

#endif
