/*
 * Who may use the API from a browser. A person's browser reaches what the person's machine reaches,
 * so any page that it shows could send requests here; what protects is told by the head of a
 * request, before a byte of its body is read:
 *
 *   Host            A page may point its own name at our address (DNS rebinding), and is then "the
 *                   same origin" to the browser. So, if not every host is allowed, Host is an IP
 *                   address, localhost, a name below localhost, or one of `hosts`; else 421.
 *   Sec-Fetch-Site  What a page of another site asks for is refused (403), but for a person's
 *                   following a link to one of our pages, and for the origins allowed.
 *   Origin          The pages of the origins allowed may read answers and send logs (CORS); their
 *                   browsers' questions beforehand are answered here.
 *
 * Programs that are no browser send none of this but Host.
 */
#ifndef LOGMILL_ACCESS_ACCESS_H
#define LOGMILL_ACCESS_ACCESS_H

#include <stdbool.h>

#include "base/errbuf.h"
#include "http/http.h"

enum { ACCESS_NAMES_MAX = 64, ACCESS_ORIGIN_BYTES_MAX = 128 };

struct access;

/*
 * `hosts`: names with commas or spaces between, "*.example.com" for all below one, or "*" for any.
 * `origins`: "https://app.example:8443", likewise, or "*"; NULL or "": none. The texts must outlive
 * it. NULL with `err` naming the setting and what is wrong.
 */
struct access *access_new(const char *hosts, const char *origins, struct errbuf *err);
void access_free(struct access *a);

/* Lines that an answer has if access_admit says nothing else: for http_server_options. */
struct slice access_answer_headers(const struct access *a);

/*
 * For routes whose protocol wants each Origin to be judged, also where a browser does not say from
 * what site it asks: whether pages of `origin` may (data NULL: it is none) at `host`, the header.
 */
bool access_allows_origin(const struct access *a, struct slice origin, struct slice host);

/* For http_hooks. Any thread. */
void access_admit(const struct access *a, const struct http_head *head,
                  struct http_admission *admission);

#endif
