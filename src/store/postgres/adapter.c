#include "store/postgres/adapter.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "store/postgres/internal.h"

enum { SILENCE_MS = 60000 };

static bool is_set(const char *value)
{
    return value != NULL && value[0] != '\0';
}

/*
 * True where a secret might be taken for another part: in postgres://u:p@ss@host/db the host would
 * be ss@host, and an error would show it. libpq takes what stands before the first @ for user and
 * password, unless a / comes first; no other @ is to come before the parameters.
 */
static bool url_is_ambiguous(const char *url)
{
    const char *authority = strstr(url, "://");
    const char *rest;

    if (authority == NULL)
        return false;
    rest = authority + 3 + strcspn(authority + 3, "@/");
    return *rest != '\0' && memchr(rest + 1, '@', strcspn(rest + 1, "?")) != NULL;
}

static int check_url(const char *url, struct errbuf *err)
{
    char *reason = NULL; /* libpq's, which may show a piece of the password: not passed on */
    PQconninfoOption *parsed = PQconninfoParse(url, &reason);
    bool right = parsed != NULL && !url_is_ambiguous(url);

    for (PQconninfoOption *o = parsed; o != NULL && o->keyword != NULL; o++)
        if (strcmp(o->keyword, "port") == 0 && o->val != NULL &&
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

    while (a->keywords[i] != NULL)
        i++;
    a->keywords[i] = keyword;
    a->values[i] = xstrdup(value);
}

static void fill_address(struct store_postgres_address *a, const struct store_postgres_options *o)
{
    const struct {
        const char *keyword, *value;
    } parts[] = {{"host", o->host},
                 {"port", o->port},
                 {"dbname", o->name},
                 {"user", o->user},
                 {"password", o->password}};

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
    a->silence_ms = o->silence_ms != 0 ? o->silence_ms : SILENCE_MS;
}

static void free_store(struct store *base)
{
    struct store_postgres *s = (struct store_postgres *)base;

    for (size_t i = 0; s->address.keywords[i] != NULL; i++)
        free(s->address.values[i]);
    free(s);
}

const struct store_ops store_postgres_ops = {
    .migrate = store_postgres_schema_migrate,
    .free = free_store,
    .writer_new = store_postgres_writer_new,
    .writer_free = store_postgres_writer_free,
    .append = store_postgres_writer_append,
    .expire = store_postgres_writer_expire,
    .clock_read = store_postgres_writer_clock_read,
    .clock_write = store_postgres_writer_clock_write,
    .reader_new = store_postgres_reader_new,
    .reader_free = store_postgres_reader_free,
    .scan_next = store_postgres_scan_next,
    .scan_count = store_postgres_scan_count,
    .get = store_postgres_pages_get,
    .follow_end = store_postgres_follow_end,
    .follow = store_postgres_follow,
    .cancel = store_postgres_reader_cancel,
};

struct store *store_postgres_new(const struct store_postgres_options *options, struct errbuf *err)
{
    struct store_postgres *s;

    if (is_set(options->url) && check_url(options->url, err) != 0)
        return NULL;
    s = xcalloc(1, sizeof(*s));
    s->base.ops = &store_postgres_ops;
    fill_address(&s->address, options);
    return &s->base;
}
