#include "cache/redis/url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/slice.h"
#include "base/xalloc.h"

static int refuse(struct errbuf *err, const char *reason)
{
    errbuf_set(err, "%s", reason);
    return LM_EINVAL;
}

/* The text of `s` with %XX decoded, or NULL if that is not done rightly or gives a NUL. */
static char *decode(struct slice s)
{
    char *out = xmalloc(s.len + 1);
    size_t len = 0;

    for (size_t i = 0; i < s.len; i++) {
        char c = s.data[i];

        if (c == '%') {
            int high = i + 2 < s.len ? hex_value(s.data[i + 1]) : -1;
            int low = i + 2 < s.len ? hex_value(s.data[i + 2]) : -1;

            if (high < 0 || low < 0)
                goto fail;
            c = (char)(high * 16 + low);
            i += 2;
        }
        if (c == '\0')
            goto fail;
        out[len++] = c;
    }
    out[len] = '\0';
    return out;
fail:
    free(out);
    return NULL;
}

/* Reads all of `s` as a number up to `max`; false if it is none. */
static bool parse_number(struct slice s, unsigned max, unsigned *value)
{
    unsigned long n = 0;

    if (s.len == 0 || s.len > 6)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] < '0' || s.data[i] > '9')
            return false;
        n = n * 10 + (unsigned long)(s.data[i] - '0');
    }
    *value = (unsigned)n;
    return n <= max;
}

/* [USER][:PASSWORD], which stood before the "@". */
static int parse_login(struct slice s, struct redis_url *u, struct errbuf *err)
{
    const char *colon = memchr(s.data, ':', s.len);
    size_t user_len = colon ? (size_t)(colon - s.data) : s.len;

    if (!colon)
        return refuse(err, "a user needs a password: user:password@host");
    if (user_len > 0 && !(u->user = decode(slice_of(s.data, user_len))))
        return refuse(err, "the user is not rightly %-encoded");
    if (user_len + 1 == s.len && user_len == 0)
        return 0; /* ":@" is nobody */
    u->password = decode(slice_of(colon + 1, s.len - user_len - 1));
    if (!u->password)
        return refuse(err, "the password is not rightly %-encoded");
    return 0;
}

/* HOST[:PORT] */
static int parse_host(struct slice s, struct redis_url *u, struct errbuf *err)
{
    const char *end = s.data + s.len;
    const char *host = s.data, *host_end, *port;

    if (s.len > 0 && host[0] == '[') {
        host++;
        host_end = memchr(host, ']', (size_t)(end - host));
        if (!host_end)
            return refuse(err, "\"[\" without \"]\" around the address");
        port = host_end + 1;
    } else {
        host_end = memchr(s.data, ':', s.len);
        if (!host_end)
            host_end = end;
        port = host_end;
    }
    if (host == host_end || host_end - host >= REDIS_URL_HOST_MAX ||
        memchr(host, '\0', (size_t)(host_end - host)))
        return refuse(err, "there is no host in it, or one that is too long");
    u->host = xmalloc((size_t)(host_end - host) + 1);
    memcpy(u->host, host, (size_t)(host_end - host));
    u->host[host_end - host] = '\0';
    u->port = REDIS_URL_PORT_DEFAULT;
    if (port < end &&
        (*port != ':' ||
         !parse_number(slice_of(port + 1, (size_t)(end - port - 1)), 65535, &u->port) ||
         u->port == 0))
        return refuse(err, "what follows the host is not a port from 1 to 65535");
    return 0;
}

static void name_host(struct redis_url *u)
{
    size_t size = strlen(u->host) + sizeof("[]:65535");

    u->name = xmalloc(size);
    snprintf(u->name, size, strchr(u->host, ':') ? "[%s]:%u" : "%s:%u", u->host, u->port);
}

/* HOST[:PORT][/DB] */
static int parse_place(struct slice rest, struct redis_url *u, struct errbuf *err)
{
    const char *slash = memchr(rest.data, '/', rest.len);
    size_t host_len = slash ? (size_t)(slash - rest.data) : rest.len;
    int error = parse_host(slice_of(rest.data, host_len), u, err);

    if (error)
        return error;
    if (slash && host_len + 1 < rest.len &&
        !parse_number(slice_of(slash + 1, rest.len - host_len - 1), REDIS_URL_DB_MAX, &u->db))
        return refuse(err, "what follows the \"/\" is not the number of a database");
    name_host(u);
    return 0;
}

static int parse_path(struct slice rest, struct redis_url *u, struct errbuf *err)
{
    u->path = rest.len > 1 && rest.data[0] == '/' ? decode(rest) : NULL;
    if (!u->path)
        return refuse(err, "there is no path of a socket in it: unix:///path");
    u->name = xstrdup(u->path);
    return 0;
}

int redis_url_parse(const char *text, struct redis_url *u, struct errbuf *err)
{
    bool is_path = strncmp(text, "unix://", 7) == 0;
    int error = 0;

    *u = (struct redis_url){.tls = strncmp(text, "rediss://", 9) == 0};
    if (!is_path && !u->tls && strncmp(text, "redis://", 8) != 0)
        return refuse(err, "it does not begin with redis://, rediss:// or unix://");
    struct slice rest = slice_of_string(strstr(text, "://") + 3);
    /* The last one: a password that was not encoded may hold others. */
    const char *at = strrchr(rest.data, '@');
    if (at) {
        error = parse_login(slice_of(rest.data, (size_t)(at - rest.data)), u, err);
        rest = slice_of(at + 1, rest.len - (size_t)(at + 1 - rest.data));
    }
    if (!error)
        error = is_path ? parse_path(rest, u, err) : parse_place(rest, u, err);
    if (error)
        redis_url_release(u);
    return error;
}

void redis_url_release(struct redis_url *u)
{
    if (u->password)
        explicit_bzero(u->password, strlen(u->password));
    free(u->path);
    free(u->host);
    free(u->user);
    free(u->password);
    free(u->name);
    *u = (struct redis_url){0};
}
