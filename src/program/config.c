#include "program/config.h"

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "access/places.h"
#include "access/rate.h"
#include "api/links.h"
#include "base/flag.h"
#include "base/option_value.h"
#include "listen/addresses.h"
#include "worker/level_rules.h"

struct setting {
    struct flag flag; /* its name is derived from `env`; a number where `max` is set, else a text */
    size_t offset;    /* in struct config */
    int (*check)(const char *value, struct errbuf *err); /* of a text that has a form, or NULL */
};

#define SETTING(variable, field, what, ...)                                                        \
    {.flag = {.env = #variable, .value = what, __VA_ARGS__},                                       \
     .offset = offsetof(struct config, field)}
#define TEXT(variable, field, ...) SETTING(variable, field, "TEXT", __VA_ARGS__)
#define NUMBER(variable, field, ...) SETTING(variable, field, "N", __VA_ARGS__)

#define ADDRESSES(variable, field, form, what)                                                     \
    {.flag = {.env = #variable, .value = "TEXT", .help = what},                                    \
     .offset = offsetof(struct config, field),                                                     \
     .check = form}

static const uint64_t GIB = UINT64_C(1) << 30;

/* The default of WEB_CONCURRENCY, which depends on the machine: see web_concurrency(). */
static const char BY_CORES[] = "half the cores, 1 to 8";
static const char BY_CORES_LEFT[] = "the cores less one, 0 to 3";

static int check_levels(const char *value, struct errbuf *err)
{
    struct level_rules rules;

    return level_rules_parse(value, &rules, err);
}

static int check_addresses(const char *value, struct errbuf *err)
{
    struct addresses addresses;

    return addresses_parse(&addresses, value, false, err);
}

static int check_tcp_addresses(const char *value, struct errbuf *err)
{
    struct addresses addresses;

    return addresses_parse(&addresses, value, true, err);
}

static const struct setting settings[] = {
    TEXT(HOST, host, .fallback = "127.0.0.1", .help = "address or host name to listen on"),
    NUMBER(PORT, port, .fallback = "8000", .min = 0, .max = 65535,
           .help = "TCP port to listen on; 0 takes any free one"),
    NUMBER(TLS_PORT, tls_port, .fallback = "0", .min = 0, .max = 65535,
           .help = "TCP port on HOST for HTTPS, while PORT stays plain; 0: with a TLS_CERT_FILE "
                   "PORT itself speaks TLS"),
    TEXT(TLS_CERT_FILE, tls_cert_file,
         .help = "certificate of the server, and those between it and its root (PEM); read again "
                 "when it changes, as are the files below; not set: no TLS"),
    TEXT(TLS_KEY_FILE, tls_key_file, .help = "its private key (PEM, without a passphrase)"),
    TEXT(TLS_CLIENT_CA_FILE, tls_client_ca_file,
         .help = "certificates (PEM) of those who vouch for clients; not set: clients are not "
                 "asked for certificates"),
    TEXT(TLS_CLIENT_CERTIFICATES, tls_client_certificates, .fallback = "required",
         .choices = "required|optional",
         .help = "with a TLS_CLIENT_CA_FILE: whether a client without a certificate is let in"),
    NUMBER(TLS_HANDSHAKE_TIMEOUT, tls_handshake_timeout, .fallback = "10", .min = 1, .max = 600,
           .help = "seconds in which a TLS handshake has to be over; past it the connection is "
                   "closed"),
    TEXT(ALLOWED_HOSTS, allowed_hosts,
         .help =
             "host names by which browsers may call it, besides IP addresses and localhost: "
             "logs.example.com, *.example.com; * for any, which is the default where HOST is no "
             "loopback address"),
    TEXT(CORS_ORIGINS, cors_origins,
         .help = "origins whose pages may send and read logs: https://app.example.com, …; * for "
                 "any; not set: none"),
    TEXT(TRUSTED_PROXIES, trusted_proxies, .fallback = "127.0.0.0/8, ::1",
         .help = "addresses and ranges of reverse proxies whose X-Forwarded-Proto and -For are "
                 "believed; none: nobody's are"),
    TEXT(KEYS_FILE, keys_file,
         .help =
             "file of the keys that may be used, which `logmill keys` makes (docs/security.md); "
             "not set: there are none"),
    TEXT(KEYS, keys, .is_secret = true,
         .help = "what such a file would say, where secrets come by the environment; read at the "
                 "start alone; not beside KEYS_FILE"),
    TEXT(ANONYMOUS, anonymous, .choices = "all|write|read|none",
         .help = "what whoever has no key may do, but never what needs an admin key; not set: all "
                 "without KEYS_FILE and KEYS, none with one of them"),
    NUMBER(ANONYMOUS_RATE, anonymous_rate, .fallback = "0", .min = 0, .max = RATE_MAX,
           .help = "logs a second that all who have no key may send over HTTP, together, to each "
                   "process; past it 429; 0: any number"),
    NUMBER(ANONYMOUS_BYTES, anonymous_bytes, .fallback = "0", .min = 0, .max = RATE_MAX,
           .help = "the same of the bytes of their bodies, unpacked"),
    NUMBER(
        ANONYMOUS_CONNECTIONS, anonymous_connections, .fallback = "0", .min = 0, .max = PLACES_MAX,
        .help = "connections that all who have no key may have at once, together, of each "
                "process; past it 429; 0: with a KEYS_FILE three quarters of MAX_CONNECTIONS, as "
                "a key that says nothing of them; without one all"),
    NUMBER(ANONYMOUS_SCANS, anonymous_scans, .fallback = "0", .min = 0, .max = PLACES_MAX,
           .help = "the same of reads, but those of single logs; 0: likewise, of MAX_READS"),
    NUMBER(ANONYMOUS_TAILS, anonymous_tails, .fallback = "0", .min = 0, .max = PLACES_MAX,
           .help = "the same of live tails; 0: likewise, of MAX_TAILS"),
    NUMBER(SESSION_MAX_AGE, session_max_age_s, .fallback = "43200", .min = 60, .max = 31 * 86400,
           .help = "seconds for which whoever has logged in at the page stays so"),
    TEXT(LINKS, links,
         .help = "attributes whose values the page makes links of: "
                 "trace_id=https://traces.example.com/{value} …, with spaces between; likewise "
                 "each variable LINK_NAME, as LINK_trace_id; not set: none"),
    TEXT(OPS_ACCESS, ops_access, .fallback = "open", .choices = "open|read|admin",
         .help = "who may ask /ready, /metrics, /docs and /openapi.json: everybody, or who has a "
                 "key of this role; /health is always open; rows of /metrics by key are for keys "
                 "that may read everything"),
    TEXT(DATA_DIR, data_dir, .fallback = "logmill-data",
         .help = "directory of the embedded queue and store; made if missing"),
    NUMBER(WEB_CONCURRENCY, web_concurrency, .fallback = BY_CORES, .min = 1, .max = 256,
           .help = "number of HTTP threads"),
    NUMBER(READ_THREADS, read_threads, .fallback = "2", .min = 1, .max = 64,
           .help = "threads that read the store; where there are several, one is kept free of "
                   "searches that take long"),
    NUMBER(READ_HELPERS, read_helpers, .fallback = BY_CORES_LEFT, .min = 0, .max = 16,
           .help = "threads that help counts by fields and patterns in the embedded store, "
                   "where READ_THREADS leave cores free; 0: none"),
    NUMBER(MAX_READS, max_reads, .fallback = "1024", .min = 1, .max = 1000000,
           .help = "reads at once, waiting and under way; one more is answered 503"),
    NUMBER(MAX_READS_PER_CLIENT, max_reads_per_client, .fallback = "256", .min = 1, .max = 1000000,
           .help = "of them, those of one client's address; one more is answered 503"),
    NUMBER(MAX_BODY_BYTES, max_body_bytes, .fallback = "1048576", .min = 1, .max = 256 << 20,
           .help = "largest request body, as sent and as inflated; past it 413"),
    NUMBER(MAX_BATCH_BYTES, max_batch_bytes, .fallback = "16777216", .min = 1, .max = 256 << 20,
           .help = "the same for the protocols of other programs (docs/receiving.md); "
                   "MAX_BODY_BYTES where that is more"),
    NUMBER(MAX_HEADER_BYTES, max_header_bytes, .fallback = "16384", .min = 512, .max = 1 << 20,
           .help = "largest request line and headers together; past it 431"),
    NUMBER(MAX_INFLIGHT_BYTES, max_inflight_bytes, .fallback = "67108864", .min = 65536,
           .max = 64 * GIB,
           .help =
               "bytes held for clients, over all of them: requests, answers, reads, tails; past "
               "it 503"),
    NUMBER(MAX_CONNECTION_BYTES, max_connection_bytes, .fallback = "4194304", .min = 1,
           .max = 64 * GIB,
           .help = "bytes of bodies under way on one connection; past it its next request waits"),
    NUMBER(MAX_CONNECTIONS, max_connections, .fallback = "10000", .min = 1, .max = 1000000,
           .help = "open connections; more are answered 503, but for /health, /ready and /metrics"),
    NUMBER(MAX_TAILS, max_tails, .fallback = "4096", .min = 0, .max = 1000000,
           .help = "live tails at once; more are answered 503"),
    ADDRESSES(SYSLOG_LISTEN, syslog_listen, check_addresses,
              "addresses to take syslog on: udp://127.0.0.1:5514, tcp://127.0.0.1:5514, "
              "tls://127.0.0.1:6514; not set: none"),
    ADDRESSES(
        FLUENT_LISTEN, fluent_listen, check_tcp_addresses,
        "addresses to take Fluent's forward protocol on: tcp://127.0.0.1:24224; not set: none"),
    TEXT(FLUENT_SHARED_KEY, fluent_shared_key, .is_secret = true,
         .help = "shared_key that its clients have to know; not set: none is asked for"),
    ADDRESSES(GELF_LISTEN, gelf_listen, check_addresses,
              "addresses to take GELF on: udp://127.0.0.1:12201, tcp://127.0.0.1:12201; not set: "
              "none"),
    NUMBER(MAX_STREAMS, max_streams, .fallback = "4096", .min = 1, .max = 1000000,
           .help = "open connections of all addresses of these *_LISTEN; one more is closed"),
    NUMBER(UDP_BUFFER_BYTES, udp_buffer_bytes, .fallback = "8388608", .min = 4096, .max = 1 << 30,
           .help = "bytes that the kernel is asked to keep of what comes to each udp:// address; "
                   "past them it drops, and that is counted"),
    NUMBER(KEEPALIVE_TIMEOUT, keepalive_timeout, .fallback = "75", .min = 1, .max = 86400,
           .help = "seconds after which a connection without a request is closed"),
    NUMBER(REQUEST_TIMEOUT, request_timeout, .fallback = "30", .min = 1, .max = 86400,
           .help = "seconds in which a whole request has to arrive; past it 408"),
    NUMBER(UPLOAD_TIMEOUT, upload_timeout, .fallback = "86400", .min = 1, .max = 1000000,
           .help =
               "seconds after which an upload of a journal of which nothing more came is closed"),
    NUMBER(WRITE_TIMEOUT, write_timeout, .fallback = "30", .min = 1, .max = 86400,
           .help = "seconds in which a client has to take 64 KiB of its answer, or the rest; else "
                   "it is cut off"),
    NUMBER(QUERY_TIMEOUT, query_timeout, .fallback = "30", .min = 1, .max = 86400,
           .help = "longest time in seconds that one answer may take; then it has what was found, "
                   "and where to go on"),
    NUMBER(READY_TIMEOUT, ready_timeout, .fallback = "2", .min = 1, .max = 600,
           .help = "seconds in which /ready answers, whatever it asks"),
    NUMBER(SHUTDOWN_TIMEOUT, shutdown_timeout, .fallback = "8", .min = 0, .max = 86400,
           .help = "seconds that a stop may take to answer and store what is in flight"),
    NUMBER(RETENTION_DAYS, retention_days, .fallback = "0", .min = 0, .max = 1000000,
           .help = "logs older than this many days are deleted; 0 keeps them for ever"),
    NUMBER(RETENTION_MB, retention_mb, .fallback = "0", .min = 0, .max = 1024 * 1024 * 1024,
           .help = "MiB past which the oldest logs of the store are deleted; 0: no limit"),
    {.flag = {.env = "RETENTION_DAYS_BY_LEVEL",
              .value = "TEXT",
              .help = "levels whose logs are deleted sooner than RETENTION_DAYS, such as "
                      "debug:3,info:30"},
     .offset = offsetof(struct config, retention_days_by_level),
     .check = check_levels},
    NUMBER(QUEUE_MAX_BYTES, queue_max_bytes, .fallback = "10737418240", .min = 0, .max = 1024 * GIB,
           .help = "bytes that the embedded queue may hold, dead letters included; past it 503, so "
                   "that the store has room to take them; 0: no limit"),
    NUMBER(DEAD_LETTERS_DAYS, dead_letters_days, .fallback = "14", .min = 0, .max = 1000000,
           .help =
               "days after which a dead letter of the embedded queue is told on stderr; 0: never"),
    NUMBER(DEAD_LETTERS_MAX_BYTES, dead_letters_max_bytes, .fallback = "1073741824", .min = 0,
           .max = 1024 * GIB,
           .help = "bytes of all dead letters of the embedded queue past which that is told; 0: "
                   "never"),
    TEXT(DEAD_LETTERS_EXCESS, dead_letters_excess, .fallback = "keep", .choices = "keep|drop",
         .help = "what becomes of dead letters past these: kept, or the oldest are deleted"),
    TEXT(LOG_LEVEL, log_level, .fallback = "info", .choices = "debug|info|warn|error",
         .help = "lowest level of logmill's own diagnostics on stderr"),
    TEXT(LOG_FORMAT, log_format, .fallback = "auto", .choices = "auto|json|text",
         .help = "form of the diagnostics; auto: text on a terminal, JSON elsewhere"),
    NUMBER(WORKER_THREADS, worker_threads, .fallback = "4", .min = 1, .max = 64,
           .help = "threads that store logs; where queue or store is embedded, 2 at most"),
    NUMBER(METRICS_PORT, metrics_port, .fallback = "0", .min = 0, .max = 65535,
           .help = "TCP port on HOST where `logmill worker` serves /metrics, /health and /ready; "
                   "0: none"),
    NUMBER(EMF_INTERVAL, emf_interval, .fallback = "0", .min = 0, .max = 3600,
           .help = "seconds between lines of metrics in CloudWatch's Embedded Metric Format on "
                   "stdout; 0: none"),
    TEXT(EMF_NAMESPACE, emf_namespace, .fallback = "logmill",
         .help = "CloudWatch namespace of these metrics"),
    TEXT(SQS_QUEUE_URL, sqs_queue_url,
         .help = "Amazon SQS queue, or a compatible one; not set: the embedded queue"),
    NUMBER(SQS_MAX_MESSAGE_BYTES, sqs_max_message_bytes, .fallback = "1048576", .min = 1024,
           .max = 1048576,
           .help =
               "largest message sent to SQS; less where the queue takes less, 262144 at most where "
               "it does not tell"),
    NUMBER(SQS_TIMEOUT, sqs_timeout, .fallback = "10", .min = 1, .max = 600,
           .help = "seconds in which SQS has to confirm a send, retries included; then 503"),
    NUMBER(SQS_GATHER_MS, sqs_gather_ms, .fallback = "22", .min = 0, .max = 200,
           .help = "milliseconds for which a log may wait for others to share a message to SQS, "
                   "if others are about; 0: none"),
    TEXT(DATABASE_URL, database_url, .is_secret = true,
         .help = "PostgreSQL, postgresql://user:password@host:port/name; with neither this nor "
                 "DATABASE_HOST: the embedded store"),
    TEXT(DATABASE_HOST, database_host, .help = "PostgreSQL server, or directory of its socket"),
    TEXT(DATABASE_PORT, database_port, .help = "its port"),
    TEXT(DATABASE_NAME, database_name, .help = "name of the database"),
    TEXT(DATABASE_USER, database_user, .help = "role to log in as"),
    TEXT(DATABASE_PASS, database_pass, .is_secret = true, .help = "its password"),
    TEXT(DATABASE_WRITER_USER, database_writer_user,
         .help = "role that `logmill migrate` makes for workers to log in as; it owns the tables"),
    TEXT(DATABASE_WRITER_PASS, database_writer_pass, .is_secret = true,
         .help = "the password it gets"),
    TEXT(DATABASE_READER_USER, database_reader_user,
         .help = "role that `logmill migrate` makes for the api to log in as; it may read, and "
                 "nothing else"),
    TEXT(DATABASE_READER_PASS, database_reader_pass, .is_secret = true,
         .help = "the password it gets"),
    TEXT(DATABASE_INDEXES, database_indexes,
         .help = "indexes that a worker makes in PostgreSQL, separated by commas: message (for "
                 "texts, by pg_trgm) and attributes (for equal values) on days that are over, "
                 "levels (for what is no mere information) on each; not set: none"),
    TEXT(REDIS_URL, redis_url, .is_secret = true,
         .help = "Redis or Valkey cache of the newest logs: redis://user:password@host:port/db, "
                 "rediss:// for TLS, unix:///path"),
    TEXT(REDIS_CA_FILE, redis_ca_file,
         .help = "certificates (PEM) that vouch for a rediss:// server; default: the system's"),
    NUMBER(CACHE_LOGS, cache_logs, .fallback = "10000", .min = 1, .max = 1000000,
           .help = "newest logs that the cache holds"),
    NUMBER(CACHE_REBUILD_SECONDS, cache_rebuild_seconds, .fallback = "5", .min = 1, .max = 3600,
           .help = "longest time for which the cache may give a wrong answer"),
};

enum { SETTINGS_LEN = sizeof(settings) / sizeof(settings[0]), FLAG_SIZE = 64 };

/* DATA_DIR → --data-dir */
static void flag_of(const struct setting *s, char flag[FLAG_SIZE])
{
    size_t n = 2;

    memcpy(flag, "--", 2);
    for (const char *c = s->flag.env; *c && n < FLAG_SIZE - 1; c++)
        flag[n++] = *c == '_' ? '-' : (char)tolower((unsigned char)*c);
    flag[n] = '\0';
}

static uint64_t web_concurrency(void)
{
    long half = sysconf(_SC_NPROCESSORS_ONLN) / 2;

    return half < 1 ? 1 : half > 8 ? 8 : (uint64_t)half;
}

static uint64_t read_helpers(void)
{
    long left = sysconf(_SC_NPROCESSORS_ONLN) - 1;

    return left < 0 ? 0 : left > 3 ? 3 : (uint64_t)left;
}

static int set(struct config *config, const struct setting *s, const char *value,
               struct errbuf *err)
{
    void *field = (char *)config + s->offset;
    uint64_t number = 0;
    int error;

    if (value == BY_CORES) {
        number = web_concurrency();
    } else if (value == BY_CORES_LEFT) {
        number = read_helpers();
    } else {
        struct errbuf reason = ERRBUF_INIT;

        error = flag_check(&s->flag, s->flag.env, value, err);
        if (error)
            return error;
        if (s->check && (error = s->check(value, &reason)))
            return errbuf_fail(err, error, "%s: %s", s->flag.env, reason.text);
    }
    if (!s->flag.max)
        memcpy(field, &value, sizeof(value));
    else if (number || option_value_parse_number(value, &number))
        memcpy(field, &number, sizeof(number));
    return 0;
}

/* The setting whose flag `arg` is, as "--flag" or "--flag=value" (then *value is set). */
static const struct setting *find_flag(const char *arg, const char **value)
{
    size_t len;

    *value = flag_split(arg, &len);
    for (size_t i = 0; i < SETTINGS_LEN; i++) {
        char flag[FLAG_SIZE];

        flag_of(&settings[i], flag);
        if (strlen(flag) == len && memcmp(flag, arg, len) == 0)
            return &settings[i];
    }
    return NULL;
}

/* Moves args[from] down to `to`, and what is between them up by one. */
static void move_to_front(char **args, int to, int from)
{
    char *arg = args[from];

    memmove(&args[to + 1], &args[to], (size_t)(from - to) * sizeof(*args));
    args[to] = arg;
}

int config_load(struct config *config, char **args, int args_len, int *rest_len, struct errbuf *err)
{
    int error;

    memset(config, 0, sizeof(*config));
    *rest_len = 0;
    for (size_t i = 0; i < SETTINGS_LEN; i++) {
        const char *value = getenv(settings[i].flag.env);

        if (!value || !value[0])
            value = settings[i].flag.fallback;
        if (value && (error = set(config, &settings[i], value, err)))
            return error;
    }
    for (int i = 0; i < args_len; i++) {
        const char *value;
        const struct setting *s;

        if (strncmp(args[i], "--", 2) != 0) {
            move_to_front(args, *rest_len, i);
            ++*rest_len;
            continue;
        }
        if (strcmp(args[i], "--take-over") == 0) {
            config->take_over = true;
            continue;
        }
        s = find_flag(args[i], &value);
        if (!s)
            return errbuf_fail(err, LM_EINVAL, "%s: no such flag; logmill --help lists them",
                               args[i]);
        if (s->flag.is_secret)
            return errbuf_fail(err, LM_EINVAL,
                               "%s: to be given as an environment variable only, since every user "
                               "of the machine can see flags",
                               s->flag.env);
        if (!value && ++i < args_len)
            value = args[i];
        if (!value)
            return errbuf_fail(err, LM_EINVAL, "%s: needs a value", args[i - 1]);
        if ((error = set(config, s, value, err)))
            return error;
    }
    return links_append(NULL, config->links, environ, err);
}

static void print_value(const struct config *config, const struct setting *s, FILE *out)
{
    const void *field = (const char *)config + s->offset;

    if (s->flag.max) {
        uint64_t number;

        memcpy(&number, field, sizeof(number));
        fprintf(out, "%llu", (unsigned long long)number);
    } else {
        const char *text;

        memcpy(&text, field, sizeof(text));
        if (text)
            fputs(s->flag.is_secret ? "********" : text, out);
    }
}

void config_print(const struct config *config, FILE *out)
{
    for (size_t i = 0; i < SETTINGS_LEN; i++) {
        fprintf(out, "# %s\n%s=", settings[i].flag.help, settings[i].flag.env);
        print_value(config, &settings[i], out);
        fputc('\n', out);
    }
    for (char **entry = environ; *entry; entry++)
        if (links_variable(*entry))
            fprintf(out, "# a link, as LINKS has them\n%s\n", *entry);
}

void config_print_flags(FILE *out)
{
    for (size_t i = 0; i < SETTINGS_LEN; i++) {
        const struct setting *s = &settings[i];
        char flag[FLAG_SIZE];

        flag_of(s, flag);
        fprintf(out, "  %-22s %s", s->flag.is_secret ? s->flag.env : flag, s->flag.help);
        flag_print_notes(&s->flag, out);
        fputc('\n', out);
    }
}

void config_print_markdown(FILE *out)
{
    fputs("| setting | default | allowed | what it is |\n|---|---|---|---|\n", out);
    for (size_t i = 0; i < SETTINGS_LEN; i++) {
        const struct flag *f = &settings[i].flag;

        fprintf(out, "| `%s` | %s | ", f->env, f->fallback ? f->fallback : "not set");
        if (f->max)
            fprintf(out, "%llu to %llu", (unsigned long long)f->min, (unsigned long long)f->max);
        else if (f->choices)
            for (const char *c = f->choices; *c; c++)
                fputs(*c == '|' ? ", " : (char[]){*c, '\0'}, out);
        else
            fputs("text", out);
        fprintf(out, " | %s |\n", f->help);
    }
}

bool config_port_is_tls(const struct config *config)
{
    return config->tls_cert_file && !config->tls_port;
}

bool config_needs_certificates(const struct config *config)
{
    return config->tls_client_ca_file && strcmp(config->tls_client_certificates, "optional") != 0;
}
