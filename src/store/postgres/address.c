#include "store/postgres/address.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <libpq-fe.h>

#include "base/xalloc.h"

enum { SILENCE_MS = 60000 };

static bool is_set(const char *value)
{
    return value && value[0] != '\0';
}

/*
 * True if a secret might be taken for another part: in postgres://u:p@ss@host/db the host would
 * be ss@host, and an error would show it. libpq takes what stands before the first @ for user and
 * password, unless a / comes first; no other @ is to come before the parameters.
 */
static bool url_is_ambiguous(const char *url)
{
    const char *authority = strstr(url, "://");

    if (!authority)
        return false;
    const char *rest = authority + 3 + strcspn(authority + 3, "@/");
    return *rest != '\0' && memchr(rest + 1, '@', strcspn(rest + 1, "?"));
}

static int check_url(const char *url, struct errbuf *err)
{
    char *reason = NULL; /* libpq's, which may show a piece of the password: not passed on */
    PQconninfoOption *parsed = PQconninfoParse(url, &reason);
    bool right = parsed && !url_is_ambiguous(url);

    for (PQconninfoOption *o = parsed; o && o->keyword; o++)
        if (strcmp(o->keyword, "port") == 0 && o->val &&
            o->val[strspn(o->val, "0123456789,")] != '\0')
            right = false;
    PQconninfoFree(parsed);
    PQfreemem(reason);
    if (right)
        return 0;
    return errbuf_fail(err, LM_EINVAL,
                       "not a connection URI or string that libpq understands; allowed is "
                       "postgresql://USER:PASSWORD@HOST:PORT/NAME?sslmode=…, with what is special "
                       "in a part percent-encoded");
}

/* Later parameters go before earlier ones, and before what a URL among them says. */
static void add(struct store_postgres_address *a, const char *keyword, const char *value)
{
    size_t i = 0;

    while (a->keywords[i])
        i++;
    a->keywords[i] = keyword;
    a->values[i] = xstrdup(value);
}

int store_postgres_address_init(struct store_postgres_address *a,
                                const struct store_postgres_options *o, struct errbuf *err)
{
    const struct {
        const char *keyword, *value;
    } parts[] = {{"host", o->host},
                 {"port", o->port},
                 {"dbname", o->name},
                 {"user", o->user},
                 {"password", o->password}};

    *a = (struct store_postgres_address){0};
    if (is_set(o->url)) {
        int error = check_url(o->url, err);

        if (error)
            return error;
    }
    /* Ours, before the user's. libpq itself would wait for ever for a host that does not answer. */
    if (!is_set(getenv("PGCONNECT_TIMEOUT")))
        add(a, "connect_timeout", "5");
    add(a, "fallback_application_name", "logmill");
    add(a, "keepalives_idle", "15");
    add(a, "keepalives_interval", "5");
    add(a, "keepalives_count", "3");
    add(a, "tcp_user_timeout", "30000");
    /* Only the first dbname may be a URL. */
    if (is_set(o->url))
        add(a, "dbname", o->url);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        if (is_set(parts[i].value))
            add(a, parts[i].keyword, parts[i].value);
    add(a, "client_encoding", "UTF8");
    a->silence_ms = o->silence_ms ? o->silence_ms : SILENCE_MS;
    return 0;
}

void store_postgres_address_copy(struct store_postgres_address *to,
                                 const struct store_postgres_address *from)
{
    *to = (struct store_postgres_address){.silence_ms = from->silence_ms};
    for (size_t i = 0; from->keywords[i]; i++) {
        to->keywords[i] = from->keywords[i];
        to->values[i] = xstrdup(from->values[i]);
    }
}

void store_postgres_address_release(struct store_postgres_address *a)
{
    for (size_t i = 0; a->keywords[i]; i++)
        free(a->values[i]);
}
