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
 *                   browsers' questions beforehand are answered here. What another page sends (any
 *                   method but GET, HEAD and OPTIONS) is refused (403), since browsers say
 *                   Sec-Fetch-Site only over https and to localhost.
 *
 * Programs that are no browser send none of this but Host.
 *
 * And who may do what at all: by the key that a request bears (access/keys.h), or by what is
 * allowed to those without one. What a route needs stands in the table of routes (enum
 * access_need). A key stands in the first of these places that has a text with its prefix; other
 * texts, as agents send that have to send something, count as no key:
 *
 *   Authorization   Bearer KEY, Splunk KEY, Token KEY; Basic, as the password; ApiKey KEY, or the
 *                   base64 of ID:KEY
 *   X-API-Key, DD-API-KEY
 *   dd-api-key=KEY in the query, or /v1/input/KEY: of Datadog's routes alone (ACCESS_KEY_IN_PATH),
 *                   some of whose clients can do nothing else
 *
 * If there is none of these, a cookie counts that access_log_in has made (access/session.h): only
 * of what our own page asks, or a person who typed an address. A request of another page of the
 * same site, or of an origin allowed, is one without a cookie.
 *
 * Without that cookie the client's certificate counts, if its name is a key's.
 *
 * A browser is not told to ask for a key by itself, since our page does: the challenge of Basic is
 * for programs. The page is open to who takes HTML, which are files that tell nothing.
 */
#ifndef LOGMILL_ACCESS_ACCESS_H
#define LOGMILL_ACCESS_ACCESS_H

#include <stdbool.h>

#include "access/grant.h"
#include "answers/answers.h"
#include "base/errbuf.h"
#include "http/http.h"

/* What whoever asks a route must be allowed: http_route.needs. */
enum access_need {
    ACCESS_UNSAID, /* no route has it */
    ACCESS_OPEN,   /* nothing: it tells nobody anything */
    ACCESS_ANY,    /* anything at all */
    ACCESS_WRITE,
    ACCESS_READ,
    ACCESS_ADMIN,
    ACCESS_OPS, /* what OPS_ACCESS says */
    ACCESS_NEEDS,
    ACCESS_KEY_IN_PATH = 16, /* a flag beside these */
};

enum access_anonymous { ANONYMOUS_NONE, ANONYMOUS_WRITE = 1, ANONYMOUS_READ = 2 };

/* What became of a request. */
enum access_verdict {
    ACCESS_LET_IN,
    ACCESS_OTHER, /* refused, or answered, for another reason than its key */
    ACCESS_NO_KEY,
    ACCESS_WRONG_KEY,
    ACCESS_WRONG_ROLE,
    ACCESS_GUESSES,    /* its address tries keys: access/guesses.h */
    ACCESS_CONNECTIONS /* its key has as many as it may */
};

struct keys;
struct access;

struct access_options {
    const char *hosts, *origins; /* see access_new */
    struct keys *keys;           /* NULL: there are none; must outlive it */
    unsigned anonymous;          /* of enum access_anonymous, together */
    enum access_need ops;        /* OPEN, READ or ADMIN */
    /* What all who have no key may send a second, together; 0: any number. */
    uint64_t anonymous_rate, anonymous_bytes;
    uint64_t session_max_age_s; /* so long somebody who has logged in stays so */
    /* What all of them may have at once; 0: as much as a key that says nothing of it, or anything,
     * if there are no keys. */
    unsigned anonymous_places[PLACE_KINDS];
    unsigned places[PLACE_KINDS]; /* that there are: a key that says nothing has its share */
};

/* Bytes of a body that is taken of whoever asks: where keys are, more is judged by one first. */
enum { ACCESS_OPEN_BODY_MAX = 4096 };

/* Of all connections, scans and tails, a key that says nothing of them may have so much. */
enum { ACCESS_SHARE_PERCENT = 75 };

/*
 * options->hosts: names with commas or spaces between, "*.example.com" for all below one, or "*"
 * for any. origins: "https://app.example:8443", likewise, or "*"; NULL or "": none. The texts must
 * outlive it. NULL with `err` naming the setting and what is wrong.
 */
struct access *access_new(const struct access_options *options, struct errbuf *err);
void access_free(struct access *a);

/* Lines that an answer has if access_admit says nothing else: for http_server_options. */
struct slice access_answer_headers(const struct access *a);

/*
 * For routes whose protocol wants each Origin to be judged, also where a browser does not say from
 * what site it asks: whether pages of `origin` may (data NULL: it is none) at `host`, the header.
 */
bool access_allows_origin(const struct access *a, struct slice origin, struct slice host);

/* For http_hooks. Any thread. */
enum access_verdict access_admit(const struct access *a, const struct http_head *head,
                                 struct http_admission *admission);
void access_forget(void *who);
void access_left(void *holder);

/* ---- Logging in ---- */

/* Whether it is our own page that asks, or no page at all. */
bool access_is_own(const struct http_request *req);

/*
 * Somebody logs in with `key`: true, with `cookie` appended, the value of Set-Cookie, and `*g`, one
 * reference; else `*why` says why not. Wrong keys count as elsewhere (access/guesses.h).
 */
bool access_log_in(struct access *a, const struct http_request *req, struct slice key,
                   struct buffer *cookie, struct grant **g, enum refusal *why);

/* Appends the value of Set-Cookie by which a browser forgets it. */
void access_log_out(const struct http_request *req, struct buffer *cookie);

/* The address of whoever asks, for people: of IPv6 its network. */
enum { ACCESS_CLIENT_SIZE = 50 };
const char *access_client(const struct http_request *req, char text[ACCESS_CLIENT_SIZE]);

bool access_has_keys(const struct access *a);
unsigned access_anonymous(const struct access *a); /* of enum access_anonymous, together */

/* Whether who has `g` (NULL: no key) may do what ACCESS_OPS needs. */
bool access_may_operate(const struct access *a, const struct grant *g);

/* ---- Who asks ---- */

/* What the key of `req` lets it do; NULL: it has none. */
const struct grant *access_grant(const struct http_request *req);

/* The name of that key; NULL: it has none. Lives as long as the request. */
const char *access_name(const struct http_request *req);

/* What it may read, and nothing else; NULL: everything. Lives as long as the request. */
struct query *access_only(const struct http_request *req);

/* Whether it is a cookie that says who asks `req`. */
bool access_by_session(const struct http_request *req);

/* Whether it may know of all there is, and of all who send: it may read everything, or there are no
 * keys. */
bool access_sees_all(const struct access *a, const struct http_request *req);

/* Whether it may go on with what it has begun: its key has neither expired nor been revoked, nor
 * has its session ended. */
bool access_holds(const struct http_request *req);

/* Why something may not be had now, and in how many seconds it could be. */
struct access_excess {
    enum refusal why;
    uint64_t number; /* of its text */
    uint64_t wait_s;
};

/*
 * Whether so many logs, which came in a body of so many bytes, may be sent with the key of `req` as
 * of now: then they count as sent; else `excess` says why not. access_may_send only asks.
 */
bool access_send(struct access *a, const struct http_request *req, uint64_t logs, uint64_t bytes,
                 struct access_excess *excess);
bool access_may_send(struct access *a, const struct http_request *req, uint64_t logs,
                     uint64_t bytes, struct access_excess *excess);

/* They count as sent, whether they may or not: of what comes without an end. */
void access_sent(struct access *a, const struct http_request *req, uint64_t logs, uint64_t bytes);

/*
 * Takes a place for the key of `req`: until access_give_place, which may come after the end of the
 * request. NULL with `excess`: it has as many as it may.
 */
struct grant *access_take_place(struct access *a, const struct http_request *req, enum place kind,
                                struct access_excess *excess) LM_MUST_CHECK;
void access_give_place(struct grant *holder, enum place kind); /* NULL does nothing */

/* For fairness, as http_request_client: whoever asks by another key is another, too. */
uint64_t access_asker(const struct http_request *req);

/* False if a route of the table (a NULL method ends it) does not say what it needs. */
bool access_knows_all(const struct http_route *routes);

#endif
