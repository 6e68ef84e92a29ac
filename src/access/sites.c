#include "access/sites.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "access/lines.h"
#include "http/http.h"

#define CROSS_ORIGIN                                                                               \
    NOSNIFF "Cross-Origin-Resource-Policy: cross-origin\r\n"                                       \
            "Access-Control-Expose-Headers: X-Cache, Retry-After\r\n"
#define ALLOWED_HEADERS                                                                            \
    "Access-Control-Allow-Headers: authorization, x-api-key, content-type, content-encoding, "     \
    "last-event-id, mcp-protocol-version\r\n"

enum { REFUSAL_HEADERS_MAX = 1024 }; /* bytes of lines that are no answer's of a handler */

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

static int add_host(struct sites *s, struct slice host, struct errbuf *err)
{
    struct slice name = host;

    if (slice_equal(host, SLICE_LITERAL("*"))) {
        s->any_host = true;
        return 0;
    }
    if (host.len > 2 && memcmp(host.data, "*.", 2) == 0)
        name = slice_of(host.data + 2, host.len - 2);
    if (!is_name(name))
        return errbuf_fail(err, LM_EINVAL,
                           "ALLOWED_HOSTS: \"%.*s\" is not a name such as logs.example.com, "
                           "*.example.com or * (without a port)",
                           (int)host.len, host.data);
    if (s->hosts_len == SITES_NAMES_MAX)
        return errbuf_fail(err, LM_ETOOBIG, "ALLOWED_HOSTS: more than %d names", SITES_NAMES_MAX);
    s->hosts[s->hosts_len++] = host;
    return 0;
}

/* scheme://host[:port], as browsers send it: nothing behind it. */
static bool is_origin(struct slice s)
{
    const char *rest = s.len > 0 ? memmem(s.data, s.len, "://", 3) : NULL;
    size_t len = rest ? (size_t)(s.data + s.len - (rest + 3)) : 0;

    if (len == 0 || rest == s.data || s.len > SITES_ORIGIN_BYTES_MAX)
        return false;
    for (size_t i = 0; i < s.len; i++)
        if (s.data[i] <= ' ' || s.data[i] > '~')
            return false;
    return !memchr(rest + 3, '/', len) && !memchr(rest + 3, '*', len);
}

/* Those of `answer`, and more. */
static int add_lines(struct buffer *to, const struct buffer *answer, const char *more)
{
    buffer_init(to, REFUSAL_HEADERS_MAX);
    buffer_append_slice(to, buffer_slice(answer));
    buffer_append_string(to, more);
    return buffer_error(to);
}

static int add_origin(struct sites *s, struct slice name, struct errbuf *err)
{
    if (!slice_equal(name, SLICE_LITERAL("*")) && !is_origin(name))
        return errbuf_fail(err, LM_EINVAL,
                           "CORS_ORIGINS: \"%.*s\" is not an origin such as "
                           "https://app.example.com or *",
                           (int)name.len, name.data);
    if (s->origins_len == SITES_NAMES_MAX)
        return errbuf_fail(err, LM_ETOOBIG, "CORS_ORIGINS: more than %d origins", SITES_NAMES_MAX);

    struct site_origin *o = &s->origins[s->origins_len++];

    o->name = name;
    buffer_init(&o->answer, HTTP_ANSWER_HEADERS_MAX);
    buffer_init(&o->preflight, REFUSAL_HEADERS_MAX);
    buffer_append_string(&o->answer, "Access-Control-Allow-Origin: ");
    buffer_append_slice(&o->answer, name);
    buffer_append_string(&o->answer, "\r\n" VARY);
    buffer_append_slice(&o->preflight, buffer_slice(&o->answer));
    buffer_append_string(&o->answer, CROSS_ORIGIN);
    buffer_append_string(&o->preflight,
                         "Access-Control-Allow-Methods: GET, POST\r\n" ALLOWED_HEADERS
                         "Access-Control-Allow-Private-Network: true\r\n"
                         "Access-Control-Max-Age: 7200\r\n");
    if (buffer_error(&o->answer) || buffer_error(&o->preflight) ||
        add_lines(&o->unknown, &o->answer, BROWSER_CHALLENGE) ||
        add_lines(&o->soon, &o->answer, SOON) || add_lines(&o->later, &o->answer, LATER))
        return errbuf_fail(err, LM_ENOMEM, "CORS_ORIGINS: no memory");
    return 0;
}

int sites_init(struct sites *s, const char *hosts, const char *origins, struct errbuf *err)
{
    struct slice item;
    int error = 0;

    *s = (struct sites){0};
    while (!error && hosts && (item = next_item(&hosts)).len > 0)
        error = add_host(s, item, err);
    while (!error && origins && (item = next_item(&origins)).len > 0)
        error = add_origin(s, item, err);
    for (size_t i = 0; i < s->origins_len; i++)
        s->any_origin = s->any_origin || slice_equal(s->origins[i].name, SLICE_LITERAL("*"));
    if (!error && s->any_origin && s->origins_len > 1)
        error = errbuf_fail(err, LM_EINVAL, "CORS_ORIGINS: * stands alone");
    if (error)
        sites_release(s);
    return error;
}

void sites_release(struct sites *s)
{
    for (size_t i = 0; i < s->origins_len; i++) {
        buffer_release(&s->origins[i].answer);
        buffer_release(&s->origins[i].preflight);
        buffer_release(&s->origins[i].unknown);
        buffer_release(&s->origins[i].soon);
        buffer_release(&s->origins[i].later);
    }
    *s = (struct sites){0};
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

bool sites_allow_host(const struct sites *s, struct slice header)
{
    struct slice host = host_of(header);

    if (s->any_host)
        return true;
    /* No name can be an address, so no page's name can be pointed here by being one. */
    if (is_ipv4(host) || is_ipv6(host) ||
        slice_equal_ascii_nocase(host, SLICE_LITERAL("localhost")) ||
        is_below(host, SLICE_LITERAL(".localhost")))
        return true;
    for (size_t i = 0; i < s->hosts_len; i++) {
        struct slice name = s->hosts[i];

        if (name.data[0] == '*' ? is_below(host, slice_of(name.data + 1, name.len - 1))
                                : slice_equal_ascii_nocase(host, name))
            return true;
    }
    return false;
}

/* ---- Pages of others ---- */

const struct site_origin *sites_find_origin(const struct sites *s, struct slice name)
{
    if (!name.data)
        return NULL;
    if (s->any_origin)
        return &s->origins[0];
    for (size_t i = 0; i < s->origins_len; i++)
        if (slice_equal_ascii_nocase(s->origins[i].name, name))
            return &s->origins[i];
    return NULL;
}

/* Whether pages of `origin` are ours, which `host` is. */
static bool is_of_host(struct slice origin, struct slice host)
{
    const char *begin = origin.len > 0 ? memmem(origin.data, origin.len, "://", 3) : NULL;

    struct slice scheme = slice_of(origin.data, begin ? (size_t)(begin - origin.data) : 0);

    if (!slice_equal_ascii_nocase(scheme, SLICE_LITERAL("http")) &&
        !slice_equal_ascii_nocase(scheme, SLICE_LITERAL("https"))) /* "null", as from a file */
        return false;
    begin += 3;
    return slice_equal_ascii_nocase(slice_of(begin, (size_t)(origin.data + origin.len - begin)),
                                    host);
}

bool sites_allow_origin(const struct sites *s, struct slice origin, struct slice host)
{
    return !origin.data || sites_find_origin(s, origin) || is_of_host(origin, host);
}

bool sites_is_own(struct slice fetch_site, struct slice origin, struct slice host)
{
    return (!fetch_site.data || slice_equal(fetch_site, SLICE_LITERAL("same-origin")) ||
            slice_equal(fetch_site, SLICE_LITERAL("none"))) &&
           (!origin.data || is_of_host(origin, host));
}
