#include "access/access.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "access/borne.h"
#include "access/guesses.h"
#include "access/keys.h"
#include "access/lines.h"
#include "access/session.h"
#include "access/sites.h"
#include "answers/answers.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/xalloc.h"
#include "diag/diag.h"
#include "http/accept.h"

struct access {
    struct sites sites;
    struct keys *keys;
    struct guesses *guesses; /* NULL without keys */
    unsigned anonymous;
    enum access_need ops;
    struct grant *nobody;        /* what all who have no key may, together */
    unsigned share[PLACE_KINDS]; /* of a key that says nothing of it */
    int64_t session_us;          /* a session holds for so long */
};

/* ---- Settings ---- */

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
    struct access *a = xcalloc(1, sizeof(*a));

    a->keys = options->keys;
    a->guesses = a->keys ? guesses_new() : NULL;
    a->anonymous = options->anonymous;
    a->ops = options->ops;
    init_limits(a, options);
    a->session_us = (int64_t)options->session_max_age_s * 1000000;
    if (sites_init(&a->sites, options->hosts, options->origins, err)) {
        access_free(a);
        return NULL;
    }
    return a;
}

void access_free(struct access *a)
{
    if (!a)
        return;
    sites_release(&a->sites);
    guesses_free(a->guesses);
    grant_unref(a->nobody);
    free(a);
}

bool access_allows_origin(const struct access *a, struct slice origin, struct slice host)
{
    return sites_allow_origin(&a->sites, origin, host);
}

struct slice access_answer_headers(const struct access *a)
{
    return a->sites.origins_len > 0 ? SLICE_LITERAL(SAME_ORIGIN VARY) : SLICE_LITERAL(SAME_ORIGIN);
}

/* ---- Pages of others ---- */

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
                         const struct site_origin *origin, struct http_admission *admission)
{
    if (head->host.data && !sites_allow_host(&a->sites, head->host)) {
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
                !sites_allow_origin(&a->sites, head->origin, head->host))) {
        refuse(admission, REFUSED_OTHER_SITE);
        return false;
    }
    return true;
}

/* ---- Keys ---- */

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
                              const struct site_origin *origin)
{
    bool varies = a->sites.origins_len > 0;

    if (origin)
        return buffer_slice(&origin->unknown);
    if (is_browser(head))
        return varies ? SLICE_LITERAL(SAME_ORIGIN VARY BROWSER_CHALLENGE)
                      : SLICE_LITERAL(SAME_ORIGIN BROWSER_CHALLENGE);
    return varies ? SLICE_LITERAL(SAME_ORIGIN VARY CHALLENGE)
                  : SLICE_LITERAL(SAME_ORIGIN CHALLENGE);
}

static enum access_verdict refuse_key(const struct access *a, const struct http_head *head,
                                      const struct site_origin *origin, enum refusal why,
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

/* When it is over is not told more exactly. */
static enum access_verdict refuse_guesses(const struct site_origin *origin,
                                          struct http_admission *admission)
{
    refuse(admission, REFUSED_GUESSES);
    admission->answer_headers =
        origin ? buffer_slice(&origin->later) : SLICE_LITERAL(SAME_ORIGIN VARY LATER);
    return ACCESS_GUESSES;
}

/* Whoever bears no key is who its certificate says, if that is a key's. */
static struct grant *find_certificate(const struct access *a, const struct http_head *head)
{
    return head->certificate ? keys_find_certificate(a->keys, slice_of_string(head->certificate))
                             : NULL;
}

/* Its connection counts for `g` from now on, if that may have another. */
static enum access_verdict admit_connection(const struct access *a, struct grant *g,
                                            const struct http_head *head,
                                            const struct site_origin *origin,
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
    admission->answer_headers =
        origin ? buffer_slice(&origin->soon) : SLICE_LITERAL(SAME_ORIGIN VARY SOON);
    admission->closes = true;
    return ACCESS_CONNECTIONS;
}

/* ---- Sessions ---- */

/* What is in a cookie lets do, with a reference, and since when; NULL: it does not hold. */
static struct grant *open_session(const struct access *a, struct slice text, struct session *s)
{
    uint8_t begin[KEY_BEGIN_BYTES];
    int64_t now_us = clock_wall_us();
    struct grant *g = session_begin(text, begin) ? keys_find_begun(a->keys, begin) : NULL;

    if (g && session_open(text, g->digest, s) && s->made_us <= now_us + SESSION_SKEW_US &&
        now_us - s->made_us < a->session_us && grant_holds(g, now_us))
        return g;
    grant_unref(g);
    return NULL;
}

/* What the first cookie that holds lets do. `*any`: there is one, and it is not another page that
 * asks. */
static struct grant *find_session(const struct access *a, const struct http_head *head,
                                  struct session *s, bool *any)
{
    char room[SESSION_NAME_MAX];
    struct slice rest = head->cookie;

    *any = false;
    if (!head->cookie.data || !sites_is_own(head->fetch_site, head->origin, head->host))
        return NULL;
    struct slice name = session_cookie_name(room, head->host, head->is_https);
    for (unsigned i = 0; i < SESSION_COOKIES_MAX; i++) {
        struct slice text = session_next_cookie(&rest, name);
        if (!text.data)
            return NULL;

        struct grant *g = open_session(a, text, s);

        *any = true;
        if (g)
            return g;
    }
    return NULL;
}

static enum access_verdict admit_session(const struct access *a, const struct http_head *head,
                                         const struct site_origin *origin, enum access_need need,
                                         struct grant *g, const struct session *s,
                                         struct http_admission *admission)
{
    if (g && may(g, need)) {
        admission->who = g;
        admission->until_us = s->made_us + a->session_us;
        if (!origin)
            admission->answer_headers = a->sites.origins_len > 0
                                            ? SLICE_LITERAL(SAME_ORIGIN VARY NO_STORE)
                                            : SLICE_LITERAL(SAME_ORIGIN NO_STORE);
        return admit_connection(a, g, head, origin, admission);
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

/* Whoever asks for what is open to all, with a reference: more may be told by it; NULL: nobody. */
static struct grant *find_who(const struct access *a, const struct http_head *head)
{
    struct borne borne;
    struct session session;
    bool any;
    struct grant *g;

    borne_find(&borne, head, false);
    g = borne.key.data ? keys_find(a->keys, borne.key) : find_session(a, head, &session, &any);
    if (!borne.key.data && !any)
        g = find_certificate(a, head);
    if (g && grant_holds(g, clock_wall_us()))
        return g;
    grant_unref(g);
    return NULL;
}

static enum access_verdict admit_key(const struct access *a, const struct http_head *head,
                                     const struct site_origin *origin,
                                     struct http_admission *admission)
{
    enum access_need need = need_of(a, head);
    struct borne borne;

    if (need == ACCESS_OPEN) {
        if (a->keys && head->route && head->route->needs == ACCESS_OPS)
            admission->who = find_who(a, head);
        admission->max_body_bytes = a->keys ? ACCESS_OPEN_BODY_MAX : SIZE_MAX;
        return ACCESS_LET_IN;
    }
    if (!a->keys && need != ACCESS_ADMIN && may_anonymous(a, need))
        return admit_connection(a, a->nobody, head, origin, admission);
    if (!a->keys)
        return refuse_key(a, head, origin,
                          need == ACCESS_ADMIN ? REFUSED_NO_ADMIN : REFUSED_NO_KEYS, admission);
    borne_find(&borne, head, head->route && (head->route->needs & ACCESS_KEY_IN_PATH));

    struct grant *g = NULL;
    bool has_certificate = false;

    if (!borne.key.data) {
        struct session session;
        bool any;

        g = find_session(a, head, &session, &any);
        if (any)
            return admit_session(a, head, origin, need, g, &session, admission);
        g = find_certificate(a, head);
        has_certificate = g;
        if (!g && may_anonymous(a, need))
            return admit_connection(a, a->nobody, head, origin, admission);
    }

    /* Also of no key, so that the answer to one that is wrong takes as long. */
    if (!g)
        g = keys_find(a->keys, borne.key);
    if (!g && borne.key.data &&
        guesses_stop(a->guesses, head->client, (int64_t)clock_monotonic_us()))
        return refuse_guesses(origin, admission);

    enum refusal why = !borne.key.data && !has_certificate      ? REFUSED_NO_KEY
                       : !g || !grant_holds(g, clock_wall_us()) ? REFUSED_KEY
                                                                : REFUSED_ROLE;

    if (why == REFUSED_ROLE && may(g, need)) {
        admission->who = g;
        return admit_connection(a, g, head, origin, admission);
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
    const struct site_origin *origin = sites_find_origin(&a->sites, head->origin);

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
    return sites_is_own(http_request_header(req, "Sec-Fetch-Site"),
                        http_request_header(req, "Origin"), http_request_header(req, "Host"));
}

/* The key's, with a reference; NULL: `*why` says why not. */
static struct grant *find_to_log_in(struct access *a, uint64_t client, struct slice key,
                                    enum refusal *why)
{
    int64_t now_us = (int64_t)clock_monotonic_us();
    struct grant *g = keys_find(a->keys, key);

    if (g && grant_holds(g, clock_wall_us()))
        return g;
    *why = !g && guesses_stop(a->guesses, client, now_us) ? REFUSED_GUESSES : REFUSED_KEY;
    if (!g && guesses_add(a->guesses, client, key, now_us))
        say_who_guesses(client);
    grant_unref(g);
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

bool access_may_operate(const struct access *a, const struct grant *g)
{
    return g ? may(g, a->ops) : may_anonymous(a, a->ops);
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
    int64_t now_us = clock_wall_us();

    return !g || (grant_holds(g, now_us) && now_us < http_request_until_us(req));
}

bool access_by_session(const struct http_request *req)
{
    return http_request_until_us(req) != INT64_MAX;
}

bool access_sees_all(const struct access *a, const struct http_request *req)
{
    const struct grant *g = access_grant(req);

    return !a->keys || (g && may(g, ACCESS_READ) && !g->only);
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
