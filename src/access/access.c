#include "access/access.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "access/guesses.h"
#include "access/keys.h"
#include "access/session.h"
#include "answers/answers.h"
#include "base/base64.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/xalloc.h"
#include "diag/diag.h"
#include "http/accept.h"

/* What no browser is to guess at; and pages of others must not even embed. */
#define NOSNIFF "X-Content-Type-Options: nosniff\r\n"
#define SAME_ORIGIN NOSNIFF "Cross-Origin-Resource-Policy: same-origin\r\n"
#define CROSS_ORIGIN                                                                               \
    NOSNIFF "Cross-Origin-Resource-Policy: cross-origin\r\n"                                       \
            "Access-Control-Expose-Headers: X-Cache, Retry-After\r\n"
#define ALLOWED_HEADERS                                                                            \
    "Access-Control-Allow-Headers: authorization, x-api-key, content-type, content-encoding, "     \
    "last-event-id, mcp-protocol-version\r\n"
/* No two origins share a cached answer. */
#define VARY "Vary: Origin\r\n"
/* RFC 9110, 11.6.1. Of Basic, programs take the key as the password. */
#define CHALLENGE                                                                                  \
    "WWW-Authenticate: Bearer realm=\"logmill\", Basic realm=\"logmill\", charset=\"UTF-8\"\r\n"
/* To a browser, which would do so before our page can. */
#define BROWSER_CHALLENGE "WWW-Authenticate: Bearer realm=\"logmill\"\r\n"

enum { REFUSAL_HEADERS_MAX = 1024 }; /* bytes of lines that are no answer's of a handler */

struct origin {
    struct slice name;       /* "https://app.example" */
    struct buffer answer;    /* the lines of its answers */
    struct buffer unknown;   /* of those that ask for a key */
    struct buffer preflight; /* and of the answer to the question beforehand */
};

struct access {
    bool any_host;
    struct slice hosts[ACCESS_NAMES_MAX];
    size_t hosts_len;
    bool any_origin; /* then origins[0] is "*" */
    struct origin origins[ACCESS_NAMES_MAX];
    size_t origins_len;
    struct keys *keys;
    struct guesses *guesses; /* NULL without keys */
    unsigned anonymous;
    enum access_need ops;
    struct grant *nobody;        /* what all who have no key may, together */
    unsigned share[PLACE_KINDS]; /* of a key that says nothing of it */
    int64_t session_us;          /* a session holds for so long */
};

/* ---- Settings ---- */

/* The next item of a list; empty at its end. */
static struct slice next_item(const char **text)
{
    *text += strspn(*text, ", ");

    struct slice item = slice_of(*text, strcspn(*text, ", "));

    *text += item.len;
    return item;
}

static bool is_name(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '.' || c == '_'))
            return false;
    }
    return s.len > 0;
}

static int add_host(struct access *a, struct slice host, struct errbuf *err)
{
    struct slice name = host;

    if (slice_equal(host, SLICE_LITERAL("*"))) {
        a->any_host = true;
        return 0;
    }
    if (host.len > 2 && memcmp(host.data, "*.", 2) == 0)
        name = slice_of(host.data + 2, host.len - 2);
    if (!is_name(name))
        return errbuf_fail(err, LM_EINVAL,
                           "ALLOWED_HOSTS: \"%.*s\" is not a name such as logs.example.com, "
                           "*.example.com or * (without a port)",
                           (int)host.len, host.data);
    if (a->hosts_len == ACCESS_NAMES_MAX)
        return errbuf_fail(err, LM_ETOOBIG, "ALLOWED_HOSTS: more than %d names", ACCESS_NAMES_MAX);
    a->hosts[a->hosts_len++] = host;
    return 0;
}

/* scheme://host[:port], as browsers send it: nothing behind it. */
static bool is_origin(struct slice s)
{
    const char *rest = s.len > 0 ? memmem(s.data, s.len, "://", 3) : NULL;
    size_t len = rest ? (size_t)(s.data + s.len - (rest + 3)) : 0;

    if (len == 0 || rest == s.data || s.len > ACCESS_ORIGIN_BYTES_MAX)
        return false;
    for (size_t i = 0; i < s.len; i++)
        if (s.data[i] <= ' ' || s.data[i] > '~')
            return false;
    return !memchr(rest + 3, '/', len) && !memchr(rest + 3, '*', len);
}

static int add_origin(struct access *a, struct slice name, struct errbuf *err)
{
    if (!slice_equal(name, SLICE_LITERAL("*")) && !is_origin(name))
        return errbuf_fail(err, LM_EINVAL,
                           "CORS_ORIGINS: \"%.*s\" is not an origin such as "
                           "https://app.example.com or *",
                           (int)name.len, name.data);
    if (a->origins_len == ACCESS_NAMES_MAX)
        return errbuf_fail(err, LM_ETOOBIG, "CORS_ORIGINS: more than %d origins", ACCESS_NAMES_MAX);

    struct origin *o = &a->origins[a->origins_len++];

    o->name = name;
    buffer_init(&o->answer, HTTP_ANSWER_HEADERS_MAX);
    buffer_init(&o->preflight, REFUSAL_HEADERS_MAX);
    buffer_init(&o->unknown, REFUSAL_HEADERS_MAX);
    buffer_append_string(&o->answer, "Access-Control-Allow-Origin: ");
    buffer_append_slice(&o->answer, name);
    buffer_append_string(&o->answer, "\r\n" VARY);
    buffer_append_slice(&o->preflight, buffer_slice(&o->answer));
    buffer_append_string(&o->answer, CROSS_ORIGIN);
    buffer_append_string(&o->preflight,
                         "Access-Control-Allow-Methods: GET, POST\r\n" ALLOWED_HEADERS
                         "Access-Control-Allow-Private-Network: true\r\n"
                         "Access-Control-Max-Age: 7200\r\n");
    buffer_append_slice(&o->unknown, buffer_slice(&o->answer));
    buffer_append_string(&o->unknown, CHALLENGE);
    if (buffer_error(&o->answer) || buffer_error(&o->preflight) || buffer_error(&o->unknown))
        return errbuf_fail(err, LM_ENOMEM, "CORS_ORIGINS: no memory");
    return 0;
}

static void init_limits(struct access *a, const struct access_options *options)
{
    a->nobody = grant_new();
    a->nobody->may.logs.per_s = options->anonymous_rate;
    a->nobody->may.bytes.per_s = options->anonymous_bytes;
    for (int i = 0; i < PLACE_KINDS; i++) {
        uint64_t share = (uint64_t)options->places[i] * ACCESS_SHARE_PERCENT / 100;

        a->share[i] = share > 0 ? (unsigned)share : 1;
        a->nobody->places[i].max = options->anonymous_places[i];
        if (options->anonymous_places[i] == 0 && !a->keys) /* as it was before there were keys */
            a->nobody->places[i].max = UINT_MAX;
    }
}

struct access *access_new(const struct access_options *options, struct errbuf *err)
{
    const char *hosts = options->hosts, *origins = options->origins;
    struct access *a = xcalloc(1, sizeof(*a));
    struct slice item;

    a->keys = options->keys;
    a->guesses = a->keys ? guesses_new() : NULL;
    a->anonymous = options->anonymous;
    a->ops = options->ops;
    init_limits(a, options);
    a->session_us = (int64_t)options->session_max_age_s * 1000000;
    while (hosts && (item = next_item(&hosts)).len > 0)
        if (add_host(a, item, err))
            goto fail;
    while (origins && (item = next_item(&origins)).len > 0)
        if (add_origin(a, item, err))
            goto fail;
    for (size_t i = 0; i < a->origins_len; i++)
        a->any_origin = a->any_origin || slice_equal(a->origins[i].name, SLICE_LITERAL("*"));
    if (a->any_origin && a->origins_len > 1) {
        errbuf_set(err, "CORS_ORIGINS: * stands alone");
        goto fail;
    }
    return a;
fail:
    access_free(a);
    return NULL;
}

void access_free(struct access *a)
{
    if (!a)
        return;
    for (size_t i = 0; i < a->origins_len; i++) {
        buffer_release(&a->origins[i].answer);
        buffer_release(&a->origins[i].preflight);
        buffer_release(&a->origins[i].unknown);
    }
    guesses_free(a->guesses);
    grant_unref(a->nobody);
    free(a);
}

struct slice access_answer_headers(const struct access *a)
{
    return a->origins_len > 0 ? SLICE_LITERAL(SAME_ORIGIN VARY) : SLICE_LITERAL(SAME_ORIGIN);
}

/* ---- Host ---- */

/* The host of "name:port", "[::1]:port"; without the dot at the end of an absolute name. */
static struct slice host_of(struct slice header)
{
    if (header.len > 0 && header.data[0] == '[') {
        const char *end = memmem(header.data, header.len, "]:", 2);

        return end ? slice_of(header.data, (size_t)(end - header.data) + 1) : header;
    }

    const char *end = header.len > 0 ? memchr(header.data, ':', header.len) : NULL;

    if (end)
        header.len = (size_t)(end - header.data);
    if (header.len > 1 && header.data[header.len - 1] == '.')
        header.len--;
    return header;
}

/* Four numbers below 256. By hand: it is asked for each request, and inet_pton costs more. */
static bool is_ipv4(struct slice host)
{
    unsigned numbers = 0, digits = 0, value = 0;

    for (size_t i = 0; i < host.len; i++) {
        char c = host.data[i];

        if (c >= '0' && c <= '9') {
            value = 10 * value + (unsigned)(c - '0');
            if (++digits > 3 || value > 255)
                return false;
        } else if (c == '.' && digits > 0 && ++numbers < 4) {
            digits = value = 0;
        } else {
            return false;
        }
    }
    return numbers == 3 && digits > 0;
}

/* In brackets. */
static bool is_ipv6(struct slice host)
{
    char text[INET6_ADDRSTRLEN + 1];
    struct in6_addr address;

    if (host.len < 4 || host.data[0] != '[' || host.data[host.len - 1] != ']' ||
        host.len - 2 >= sizeof(text))
        return false;
    memcpy(text, host.data + 1, host.len - 2);
    text[host.len - 2] = '\0';
    return inet_pton(AF_INET6, text, &address) == 1;
}

/* Whether `host` ends with `end`, after at least one byte more. */
static bool is_below(struct slice host, struct slice end)
{
    return host.len > end.len &&
           slice_equal_ascii_nocase(slice_of(host.data + host.len - end.len, end.len), end);
}

static bool is_allowed_host(const struct access *a, struct slice header)
{
    struct slice host = host_of(header);

    /* No name can be an address, so no page's name can be pointed here by being one. */
    if (is_ipv4(host) || is_ipv6(host) ||
        slice_equal_ascii_nocase(host, SLICE_LITERAL("localhost")) ||
        is_below(host, SLICE_LITERAL(".localhost")))
        return true;
    for (size_t i = 0; i < a->hosts_len; i++) {
        struct slice name = a->hosts[i];

        if (name.data[0] == '*' ? is_below(host, slice_of(name.data + 1, name.len - 1))
                                : slice_equal_ascii_nocase(host, name))
            return true;
    }
    return false;
}

/* ---- Pages of others ---- */

static const struct origin *find_origin(const struct access *a, struct slice name)
{
    if (!name.data)
        return NULL;
    if (a->any_origin)
        return &a->origins[0];
    for (size_t i = 0; i < a->origins_len; i++)
        if (slice_equal_ascii_nocase(a->origins[i].name, name))
            return &a->origins[i];
    return NULL;
}

/* Whether pages of `origin` are ours, which `host` is. */
static bool is_of_host(struct slice origin, struct slice host)
{
    const char *begin = origin.len > 0 ? memmem(origin.data, origin.len, "://", 3) : NULL;

    if (!begin) /* "null", as from a file */
        return false;
    begin += 3;
    return slice_equal_ascii_nocase(slice_of(begin, (size_t)(origin.data + origin.len - begin)),
                                    host);
}

bool access_allows_origin(const struct access *a, struct slice origin, struct slice host)
{
    return !origin.data || find_origin(a, origin) || is_of_host(origin, host);
}

/* What a browser says of whoever asks: our page, or a person who typed an address. Of browsers that
 * say nothing of it the cookie's SameSite=Strict has to do. */
static bool is_own(struct slice fetch_site, struct slice origin, struct slice host)
{
    return (!fetch_site.data || slice_equal(fetch_site, SLICE_LITERAL("same-origin")) ||
            slice_equal(fetch_site, SLICE_LITERAL("none"))) &&
           (!origin.data || is_of_host(origin, host));
}

/* A person follows a link, or types an address: the page that linked sees nothing of it. */
static bool is_navigation_to_page(const struct http_head *head)
{
    return head->is_get && head->route && (head->route->flags & HTTP_ROUTE_PAGE) &&
           slice_equal(head->fetch_mode, SLICE_LITERAL("navigate")) &&
           slice_equal(head->fetch_dest, SLICE_LITERAL("document"));
}

static void refuse(struct http_admission *admission, enum refusal why)
{
    admission->status = answers_status(why);
    admission->detail = answers_text(why);
}

/* Host, and pages of others. False: it is answered by that. */
static bool admit_sender(const struct access *a, const struct http_head *head,
                         const struct origin *origin, struct http_admission *admission)
{
    if (!a->any_host && head->host.data && !is_allowed_host(a, head->host)) {
        refuse(admission, REFUSED_HOST);
        return false;
    }
    if (!head->origin.data && !head->fetch_site.data) /* no browser, or its own page */
        return true;
    if (origin && head->is_options && head->asks_method.data) {
        admission->status = 204;
        admission->answer_headers = buffer_slice(&origin->preflight);
        return false;
    }
    if (origin) {
        admission->answer_headers = buffer_slice(&origin->answer);
    } else if ((slice_equal(head->fetch_site, SLICE_LITERAL("cross-site")) &&
                !is_navigation_to_page(head)) ||
               (!head->is_get && !head->is_options &&
                !access_allows_origin(a, head->origin, head->host))) {
        refuse(admission, REFUSED_OTHER_SITE);
        return false;
    }
    return true;
}

/* ---- Keys ---- */

enum { CREDENTIALS_MAX = 512 }; /* bytes of what has been in base64 */

/* A key that a request bears, if it bears one: in `room` if it was coded. */
struct borne {
    struct slice key;
    char room[CREDENTIALS_MAX];
};

/* Takes `text` for the key, if it was meant as one. */
static bool take(struct borne *b, struct slice text)
{
    if (!key_is_meant(text))
        return false;
    b->key = text;
    return true;
}

/* What is behind the first colon of what `text` is the base64 of. */
static bool take_coded(struct borne *b, struct slice text)
{
    struct buffer decoded;

    buffer_init_over(&decoded, b->room, sizeof(b->room));
    if (text.len > sizeof(b->room) || base64_append_decoded(&decoded, text))
        return false;

    struct slice rest = buffer_slice(&decoded);

    (void)slice_cut(&rest, ':');
    return take(b, rest);
}

static bool take_authorization(struct borne *b, struct slice header)
{
    struct slice scheme = slice_cut(&header, ' ');
    struct slice rest = slice_trim(header);

    if (slice_equal_ascii_nocase(scheme, SLICE_LITERAL("Basic")))
        return take_coded(b, rest);
    if (slice_equal_ascii_nocase(scheme, SLICE_LITERAL("ApiKey")))
        return take(b, rest) || take_coded(b, rest);
    return (slice_equal_ascii_nocase(scheme, SLICE_LITERAL("Bearer")) ||
            slice_equal_ascii_nocase(scheme, SLICE_LITERAL("Splunk")) ||
            slice_equal_ascii_nocase(scheme, SLICE_LITERAL("Token"))) &&
           take(b, rest);
}

/* A key has no sign that is escaped in a URL. */
static bool take_parameter(struct borne *b, struct slice query)
{
    while (query.len > 0) {
        struct slice value = slice_cut(&query, '&');
        struct slice name = slice_cut(&value, '=');

        if (slice_equal(name, SLICE_LITERAL("dd-api-key")) && take(b, value))
            return true;
    }
    return false;
}

static void find_key(struct borne *b, const struct http_head *head)
{
    bool in_path = head->route && (head->route->needs & ACCESS_KEY_IN_PATH);

    b->key = slice_of(NULL, 0);
    if (head->authorization.data && take_authorization(b, head->authorization))
        return;
    if ((head->api_key.data && take(b, head->api_key)) ||
        (head->datadog_key.data && take(b, head->datadog_key)))
        return;
    if (in_path && !take(b, head->param))
        (void)take_parameter(b, head->query);
}

static bool may_anonymous(const struct access *a, enum access_need need)
{
    switch (need) {
    case ACCESS_ANY:
        return a->anonymous != ANONYMOUS_NONE;
    case ACCESS_WRITE:
        return (a->anonymous & ANONYMOUS_WRITE) != 0;
    case ACCESS_READ:
        return (a->anonymous & ANONYMOUS_READ) != 0;
    default:
        return need == ACCESS_OPEN;
    }
}

static bool may(const struct grant *g, enum access_need need)
{
    switch (need) {
    case ACCESS_OPEN:
    case ACCESS_ANY:
        return true;
    case ACCESS_WRITE:
        return g->role != GRANT_READ;
    case ACCESS_READ:
        return g->role != GRANT_WRITE;
    default:
        return g->role == GRANT_ADMIN;
    }
}

/* A browser, as far as it can be told: not all of them say so by Sec-Fetch over plain HTTP. */
static bool is_browser(const struct http_head *head)
{
    return head->fetch_site.data || head->fetch_mode.data || head->requested_with.data ||
           accept_names(head->accept, SLICE_LITERAL("text/html"));
}

static struct slice challenge(const struct access *a, const struct http_head *head,
                              const struct origin *origin)
{
    bool varies = a->origins_len > 0;

    if (origin)
        return buffer_slice(&origin->unknown);
    if (is_browser(head))
        return varies ? SLICE_LITERAL(SAME_ORIGIN VARY BROWSER_CHALLENGE)
                      : SLICE_LITERAL(SAME_ORIGIN BROWSER_CHALLENGE);
    return varies ? SLICE_LITERAL(SAME_ORIGIN VARY CHALLENGE)
                  : SLICE_LITERAL(SAME_ORIGIN CHALLENGE);
}

static enum access_verdict refuse_key(const struct access *a, const struct http_head *head,
                                      const struct origin *origin, enum refusal why,
                                      struct http_admission *admission)
{
    refuse(admission, why);
    if (admission->status == 401)
        admission->answer_headers = challenge(a, head, origin);
    return why == REFUSED_NO_KEY                          ? ACCESS_NO_KEY
           : why == REFUSED_KEY || why == REFUSED_SESSION ? ACCESS_WRONG_KEY
                                                          : ACCESS_WRONG_ROLE;
}

/* The address as people write it: of IPv6 its network. */
static const char *write_client(uint64_t client, char text[ACCESS_CLIENT_SIZE])
{
    static_assert(ACCESS_CLIENT_SIZE >= INET6_ADDRSTRLEN + 4, "a network is an address and /64");
    text[0] = '\0';
    if (client <= UINT32_MAX) {
        const struct in_addr v4 = {.s_addr = htonl((uint32_t)client)};

        (void)inet_ntop(AF_INET, &v4, text, ACCESS_CLIENT_SIZE);
    } else {
        struct in6_addr v6 = IN6ADDR_ANY_INIT;

        memcpy(v6.s6_addr, &client, sizeof(client));
        (void)inet_ntop(AF_INET6, &v6, text, INET6_ADDRSTRLEN);
        memcpy(text + strlen(text), "/64", 4);
    }
    return text;
}

static void say_who_guesses(uint64_t client)
{
    char text[ACCESS_CLIENT_SIZE];

    diag(DIAG_WARN, "an address has sent many keys that are not valid: it is refused for a minute",
         DIAG_STR("address", write_client(client, text)));
}

/* GUESSES_WINDOW_S: when it is over is not told more exactly. */
static enum access_verdict refuse_guesses(struct http_admission *admission)
{
    refuse(admission, REFUSED_GUESSES);
    admission->answer_headers = SLICE_LITERAL(SAME_ORIGIN VARY "Retry-After: 60\r\n");
    return ACCESS_GUESSES;
}

/* Whoever bears no key is who its certificate says, if that is a key's. */
static struct grant *find_certificate(const struct access *a, const struct http_head *head)
{
    return head->certificate ? keys_find_certificate(a->keys, slice_of_string(head->certificate))
                             : NULL;
}

#define SOON SAME_ORIGIN VARY "Retry-After: 1\r\n"

/* Its connection counts for `g` from now on, if that may have another. */
static enum access_verdict admit_connection(const struct access *a, struct grant *g,
                                            const struct http_head *head,
                                            struct http_admission *admission)
{
    struct places *places = &g->places[PLACE_CONNECTION];
    bool is_watched = head->route && (head->route->flags & HTTP_ROUTE_RESERVED);

    if (head->holder == g || is_watched || places->max == UINT_MAX)
        return ACCESS_LET_IN;
    if (places_take(places, a->share[PLACE_CONNECTION])) {
        admission->holder = grant_ref(g);
        return ACCESS_LET_IN;
    }
    refuse(admission, g == a->nobody ? REFUSED_ANONYMOUS_CONNECTIONS : REFUSED_KEY_CONNECTIONS);
    admission->answer_headers = SLICE_LITERAL(SOON);
    admission->closes = true;
    return ACCESS_CONNECTIONS;
}

/* ---- Sessions ---- */

/* The cookie by which it is asked; data NULL: there is none, or it is another page that asks. */
static struct slice session_of(const struct http_head *head)
{
    char name[SESSION_NAME_MAX];

    if (!head->cookie.data || !is_own(head->fetch_site, head->origin, head->host))
        return slice_of(NULL, 0);
    return session_find_cookie(head->cookie, session_cookie_name(name, head->host, head->is_https));
}

/* What its key lets it do, with a reference; NULL: it does not hold. */
static struct grant *find_session(const struct access *a, struct slice text)
{
    uint8_t begin[KEY_BEGIN_BYTES];
    struct session s;
    int64_t now_us = clock_wall_us();
    struct grant *g = session_begin(text, begin) ? keys_find_begun(a->keys, begin) : NULL;

    if (g && session_open(text, g->digest, &s) && s.made_us <= now_us + SESSION_SKEW_US &&
        now_us - s.made_us < a->session_us && grant_holds(g, now_us))
        return g;
    grant_unref(g);
    return NULL;
}

static enum access_verdict admit_session(const struct access *a, const struct http_head *head,
                                         const struct origin *origin, enum access_need need,
                                         struct slice session, struct http_admission *admission)
{
    struct grant *g = find_session(a, session);

    if (g && may(g, need)) {
        admission->who = g;
        return admit_connection(a, g, head, admission);
    }

    enum refusal why = g ? REFUSED_ROLE : REFUSED_SESSION;

    grant_unref(g);
    return refuse_key(a, head, origin, why, admission);
}

/* What is needed for what it asks for. */
static enum access_need need_of(const struct access *a, const struct http_head *head)
{
    if (!head->route)
        return ACCESS_OPEN;

    enum access_need need = (enum access_need)(head->route->needs & ~(unsigned)ACCESS_KEY_IN_PATH);

    /* The page asks for the key. */
    if (need == ACCESS_ANY && (head->route->flags & HTTP_ROUTE_PAGE) &&
        accept_names(head->accept, SLICE_LITERAL("text/html")))
        return ACCESS_OPEN;
    return need == ACCESS_OPS ? a->ops : need;
}

static enum access_verdict admit_key(const struct access *a, const struct http_head *head,
                                     const struct origin *origin, struct http_admission *admission)
{
    enum access_need need = need_of(a, head);
    struct borne borne;

    if (need == ACCESS_OPEN)
        return ACCESS_LET_IN;
    if (!a->keys && need != ACCESS_ADMIN && may_anonymous(a, need))
        return admit_connection(a, a->nobody, head, admission);
    if (!a->keys)
        return refuse_key(a, head, origin,
                          need == ACCESS_ADMIN ? REFUSED_NO_ADMIN : REFUSED_NO_KEYS, admission);
    find_key(&borne, head);

    struct grant *g = NULL;
    bool has_certificate = false;

    if (!borne.key.data) {
        struct slice session = session_of(head);

        if (session.data)
            return admit_session(a, head, origin, need, session, admission);
        g = find_certificate(a, head);
        has_certificate = g;
        if (!g && may_anonymous(a, need))
            return admit_connection(a, a->nobody, head, admission);
    }

    if (borne.key.data && guesses_stop(a->guesses, head->client, (int64_t)clock_monotonic_us()) &&
        !keys_remember(borne.key))
        return refuse_guesses(admission);

    /* Also of no key, so that the answer to one that is wrong takes as long. */
    if (!g)
        g = keys_find(a->keys, borne.key);

    enum refusal why = !borne.key.data && !has_certificate      ? REFUSED_NO_KEY
                       : !g || !grant_holds(g, clock_wall_us()) ? REFUSED_KEY
                                                                : REFUSED_ROLE;

    if (why == REFUSED_ROLE && may(g, need)) {
        admission->who = g;
        return admit_connection(a, g, head, admission);
    }
    if (!g && borne.key.data &&
        guesses_add(a->guesses, head->client, borne.key, (int64_t)clock_monotonic_us()))
        say_who_guesses(head->client);
    grant_unref(g);
    return refuse_key(a, head, origin, why, admission);
}

enum access_verdict access_admit(const struct access *a, const struct http_head *head,
                                 struct http_admission *admission)
{
    const struct origin *origin = find_origin(a, head->origin);

    if (!admit_sender(a, head, origin, admission))
        return ACCESS_OTHER;
    return admit_key(a, head, origin, admission);
}

void access_forget(void *who)
{
    grant_unref(who);
}

void access_left(void *holder)
{
    access_give_place(holder, PLACE_CONNECTION);
}

/* ---- Logging in ---- */

bool access_is_own(const struct http_request *req)
{
    return is_own(http_request_header(req, "Sec-Fetch-Site"), http_request_header(req, "Origin"),
                  http_request_header(req, "Host"));
}

/* The key's, with a reference; NULL: `*why` says why not. */
static struct grant *find_to_log_in(struct access *a, uint64_t client, struct slice key,
                                    enum refusal *why)
{
    int64_t now_us = (int64_t)clock_monotonic_us();

    if (guesses_stop(a->guesses, client, now_us)) {
        *why = REFUSED_GUESSES;
        return NULL;
    }

    struct grant *g = keys_find(a->keys, key);

    if (g && grant_holds(g, clock_wall_us()))
        return g;
    if (!g && guesses_add(a->guesses, client, key, now_us))
        say_who_guesses(client);
    grant_unref(g);
    *why = REFUSED_KEY;
    return NULL;
}

bool access_log_in(struct access *a, const struct http_request *req, struct slice key,
                   struct buffer *cookie, struct grant **g, enum refusal *why)
{
    char name[SESSION_NAME_MAX], room[SESSION_TEXT_MAX], client[ACCESS_CLIENT_SIZE];
    bool is_https = http_request_is_https(req);
    struct buffer text;

    *g = NULL;
    *why = REFUSED_LOG_IN_NO_KEYS;
    if (a->keys)
        *g = find_to_log_in(a, http_request_client(req), key, why);
    if (!*g)
        return false;
    buffer_init_over(&text, room, sizeof(room));
    if (session_append(&text, key, (*g)->digest, clock_wall_us())) {
        grant_unref(*g);
        *g = NULL;
        *why = REFUSED_LOG_IN_FORM;
        return false;
    }
    session_append_cookie(cookie,
                          session_cookie_name(name, http_request_header(req, "Host"), is_https),
                          buffer_slice(&text), (uint64_t)a->session_us / 1000000, is_https);
    OPENSSL_cleanse(room, sizeof(room));
    diag(DIAG_INFO, "somebody has logged in", DIAG_STR("key", (*g)->name),
         DIAG_STR("address", access_client(req, client)));
    return true;
}

void access_log_out(const struct http_request *req, struct buffer *cookie)
{
    char name[SESSION_NAME_MAX];
    bool is_https = http_request_is_https(req);

    session_append_cookie(cookie,
                          session_cookie_name(name, http_request_header(req, "Host"), is_https),
                          slice_of("", 0), 0, is_https);
}

const char *access_client(const struct http_request *req, char text[ACCESS_CLIENT_SIZE])
{
    return write_client(http_request_client(req), text);
}

bool access_has_keys(const struct access *a)
{
    return a->keys;
}

unsigned access_anonymous(const struct access *a)
{
    return a->anonymous;
}

/* ---- Who asks ---- */

const struct grant *access_grant(const struct http_request *req)
{
    return http_request_who(req);
}

const char *access_name(const struct http_request *req)
{
    const struct grant *g = access_grant(req);

    return g ? g->name : NULL;
}

struct query *access_only(const struct http_request *req)
{
    const struct grant *g = access_grant(req);

    return g ? g->only : NULL;
}

bool access_holds(const struct http_request *req)
{
    const struct grant *g = access_grant(req);

    return !g || grant_holds(g, clock_wall_us());
}

/* ---- How much ---- */

/* Whose limits those of `req` are. */
static struct grant *holder_of(const struct access *a, const struct http_request *req)
{
    struct grant *g = http_request_who(req);

    return g ? g : a->nobody;
}

static struct allowance *allowance_of(const struct access *a, const struct http_request *req)
{
    return &holder_of(a, req)->may;
}

static int64_t now_ns(void)
{
    return (int64_t)clock_monotonic_us() * 1000;
}

static bool is_enough(const struct access *a, const struct allowance *may, enum allowance_lack lack,
                      struct access_excess *excess)
{
    bool is_anonymous = may == &a->nobody->may;

    if (lack == ALLOWANCE_LOGS) {
        excess->why = is_anonymous ? REFUSED_ANONYMOUS_LOGS : REFUSED_RATE_LOGS;
        excess->number = may->logs.per_s;
    } else if (lack == ALLOWANCE_BYTES) {
        excess->why = is_anonymous ? REFUSED_ANONYMOUS_BYTES : REFUSED_RATE_BYTES;
        excess->number = may->bytes.per_s;
    }
    return lack == ALLOWANCE_ENOUGH;
}

bool access_send(struct access *a, const struct http_request *req, uint64_t logs, uint64_t bytes,
                 struct access_excess *excess)
{
    struct allowance *may = allowance_of(a, req);

    return is_enough(a, may, allowance_take(may, logs, bytes, now_ns(), &excess->wait_s), excess);
}

bool access_may_send(struct access *a, const struct http_request *req, uint64_t logs,
                     uint64_t bytes, struct access_excess *excess)
{
    const struct allowance *may = allowance_of(a, req);

    return is_enough(a, may, allowance_look(may, logs, bytes, now_ns(), &excess->wait_s), excess);
}

void access_sent(struct access *a, const struct http_request *req, uint64_t logs, uint64_t bytes)
{
    allowance_charge(allowance_of(a, req), logs, bytes, now_ns());
}

struct grant *access_take_place(struct access *a, const struct http_request *req, enum place kind,
                                struct access_excess *excess)
{
    static const enum refusal words[PLACE_KINDS][2] = {
        [PLACE_CONNECTION] = {REFUSED_KEY_CONNECTIONS, REFUSED_ANONYMOUS_CONNECTIONS},
        [PLACE_SCAN] = {REFUSED_KEY_SCANS, REFUSED_ANONYMOUS_SCANS},
        [PLACE_TAIL] = {REFUSED_KEY_TAILS, REFUSED_ANONYMOUS_TAILS},
    };
    struct grant *g = holder_of(a, req);

    if (places_take(&g->places[kind], a->share[kind]))
        return grant_ref(g);
    *excess = (struct access_excess){.why = words[kind][g == a->nobody],
                                     .number = places_max(&g->places[kind], a->share[kind]),
                                     .wait_s = 1};
    return NULL;
}

void access_give_place(struct grant *holder, enum place kind)
{
    if (!holder)
        return;
    places_give(&holder->places[kind]);
    grant_unref(holder);
}

uint64_t access_asker(const struct http_request *req)
{
    const struct grant *g = access_grant(req);
    uint64_t client = http_request_client(req);

    return g ? hash_mix(client ^ hash_bytes(HASH_BASIS, slice_of_string(g->name))) : client;
}

bool access_knows_all(const struct http_route *routes)
{
    for (; routes->method; routes++) {
        unsigned need = routes->needs & ~(unsigned)ACCESS_KEY_IN_PATH;

        if (need == ACCESS_UNSAID || need >= ACCESS_NEEDS)
            return false;
    }
    return true;
}
