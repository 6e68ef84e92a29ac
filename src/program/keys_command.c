#include "program/keys_command.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "access/keys.h"
#include "base/clock.h"
#include "base/relative_time.h"
#include "base/timestamp.h"
#include "cli/http_client.h"
#include "cli/sheet.h"
#include "cli/terminal.h"
#include "program/command.h"
#include "json/writer.h"

enum {
    LINE_BYTES_MAX = 1 << 20, /* of a key that is to be added */
    SENDERS_TOLD_MAX = 128,   /* names that a server is believed to have counts of */
};

/* The file while it is being changed; nobody else changes it meanwhile. */
struct edit {
    char path[PATH_MAX]; /* of the file itself, no link to it */
    char directory[PATH_MAX];
    int lock; /* the directory */
    bool is_new;
    struct stat was;
    struct buffer before, after;
    int64_t now_us;
};

/* ---- The file ---- */

static int find_path(struct edit *e, const char *path, struct errbuf *err)
{
    size_t len = strlen(path);
    const char *slash;

    if (len >= sizeof(e->path))
        return errbuf_fail(err, LM_EINVAL, "KEYS_FILE: the path is too long");
    if (!realpath(path, e->path))
        memcpy(e->path, path, len + 1);
    slash = strrchr(e->path, '/');
    if (slash)
        memcpy(e->directory, e->path, (size_t)(slash - e->path) + 1);
    else
        e->directory[0] = '.';
    return 0;
}

static int edit_open(struct edit *e, const char *path, struct errbuf *err)
{
    *e = (struct edit){.lock = -1, .now_us = clock_wall_us()};
    buffer_init(&e->before, KEYS_FILE_BYTES_MAX + (1 << 20));
    buffer_init(&e->after, KEYS_FILE_BYTES_MAX + 2 * (1 << 20));

    int error = find_path(e, path, err);
    if (error)
        return error;
    e->lock = open(e->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (e->lock < 0 || flock(e->lock, LOCK_EX) || fstat(e->lock, &e->was))
        return errbuf_fail(err, LM_EIO, "cannot lock %s, where KEYS_FILE is: %s", e->directory,
                           strerror(errno));
    error = keys_file_read(e->path, &e->before, &e->was, err);
    e->is_new = error == LM_ENOTFOUND;
    return e->is_new ? 0 : error;
}

static int write_all(int fd, struct slice text)
{
    while (text.len > 0) {
        ssize_t n = write(fd, text.data, text.len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -1;
        text = slice_of(text.data + n, text.len - (size_t)n);
    }
    return 0;
}

/* The new file has the owner of the one before it, or of its directory: whoever serves reads it. */
static int write_beside(const struct edit *e, const char *beside)
{
    int fd, failed;

    /* One that is there, from a kill or somebody else's, may be open elsewhere. */
    if (unlink(beside) && errno != ENOENT)
        return -1;
    fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -1;
    failed = fchmod(fd, 0600) || (geteuid() == 0 && fchown(fd, e->was.st_uid, e->was.st_gid)) ||
             write_all(fd, buffer_slice(&e->after)) || fsync(fd);
    return close(fd) || failed ? -1 : 0;
}

/* What is in `after` takes the place of the file. */
static int edit_write(struct edit *e, struct errbuf *err)
{
    char beside[PATH_MAX + 8];

    if (buffer_error(&e->after))
        return errbuf_fail(err, LM_ETOOBIG, "%s would have more than %d bytes", e->path,
                           KEYS_FILE_BYTES_MAX);
    snprintf(beside, sizeof(beside), "%s.new", e->path);
    if (write_beside(e, beside) || rename(beside, e->path) || fsync(e->lock)) {
        int why = errno;

        (void)unlink(beside);
        return errbuf_fail(err, LM_EIO, "cannot write %s: %s", e->path, strerror(why));
    }
    return 0;
}

static void edit_close(struct edit *e)
{
    if (e->lock >= 0)
        close(e->lock);
    buffer_release(&e->before);
    buffer_release(&e->after);
}

/* ---- Lines ---- */

/*
 * Goes through the keys of the file: what `each` does not copy of their lines, and all between
 * them, is copied to `after`. Returns 0 or an error.
 */
static int walk(struct edit *e, void (*each)(struct edit *e, struct grant *g, void *ctx), void *ctx,
                struct errbuf *err)
{
    struct errbuf why = ERRBUF_INIT;
    struct slice rest = buffer_slice(&e->before), line;
    const char *copied = rest.data;
    struct grant *g;
    unsigned number = 0;
    int result;

    while ((result = keys_file_next(&rest, &number, &line, &g, &why)) == 1) {
        if (line.data > copied)
            buffer_append(&e->after, copied, (size_t)(line.data - copied));
        each(e, g, ctx);
        grant_unref(g);
        copied = rest.data;
    }
    if (result)
        return errbuf_fail(err, result, "%s, %s", e->path, why.text);
    if (copied)
        buffer_append(&e->after, copied, (size_t)(e->before.data + e->before.len - copied));
    return 0;
}

struct named {
    const char *name;
    size_t found;
    struct slice certificate; /* that no other may have; empty: none */
    bool has_certificate;
};

static void copy_and_find(struct edit *e, struct grant *g, void *ctx)
{
    struct named *n = ctx;

    n->found += strcmp(g->name, n->name) == 0;
    n->has_certificate |= g->certificate.len > 0 && slice_equal(g->certificate, n->certificate);
    grant_append_line(&e->after, g);
}

/* Makes a key for `g`, appends its line, and prints it when the file is written. */
static int write_new(struct edit *e, struct grant *g, struct errbuf *err)
{
    char text[KEY_TEXT_SIZE];
    int error = key_make(text, err);

    if (!error && !key_digest(slice_of_string(text), g->digest))
        error = errbuf_fail(err, LM_EUNAVAILABLE, "OpenSSL has no SHA-256");
    if (error)
        return error;
    grant_append_line(&e->after, g);
    error = edit_write(e, err);
    if (!error && (puts(text) < 0 || fflush(stdout)))
        error = errbuf_fail(err, LM_EIO,
                            "cannot write to standard output: %s; the key is in %s, and nobody "
                            "knows it: revoke it",
                            strerror(errno), e->path);
    explicit_bzero(text, sizeof(text));
    return error;
}

/* ---- What is asked for ---- */

/* "90d": so many microseconds; false: it has another form. */
static bool read_length(const char *text, int64_t now_us, int64_t *length_us)
{
    size_t digits = strspn(text, "0123456789");
    int64_t ago_us;

    if (digits == 0 || strlen(text) != digits + 1 || !strchr("smhdw", text[digits]) ||
        relative_time_parse(slice_of_string(text), now_us, NULL, &ago_us))
        return false;
    *length_us = now_us - ago_us;
    return *length_us > 0;
}

static int wrong_length(struct errbuf *err, const char *flag)
{
    return errbuf_fail(err, LM_EINVAL, "--%s: a length of time such as 90d, 12h or 4w", flag);
}

/* "5000/s", "10MB/s", "64KiB": so many a second; false: it has another form. */
static bool read_rate(const char *text, bool is_bytes, uint64_t *per_s)
{
    static const struct {
        const char *name;
        uint64_t times;
        bool is_bytes;
    } units[] = {
        {"", 1, true},          {"", 1, false},         {"B", 1, true},
        {"k", 1000, false},     {"KB", 1000, true},     {"kB", 1000, true},
        {"M", 1000000, false},  {"MB", 1000000, true},  {"GB", 1000000000, true},
        {"KiB", 1 << 10, true}, {"MiB", 1 << 20, true}, {"GiB", 1 << 30, true},
    };
    size_t digits = strspn(text, "0123456789");
    size_t unit_len = strcspn(text + digits, "/");
    const char *rest = text + digits + unit_len;

    if (digits == 0 || digits > 12 || (*rest && strcmp(rest, "/s") != 0))
        return false;
    for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
        if (units[i].is_bytes == is_bytes && strlen(units[i].name) == unit_len &&
            strncmp(text + digits, units[i].name, unit_len) == 0) {
            *per_s = strtoull(text, NULL, 10) * units[i].times;
            return *per_s > 0 && *per_s <= RATE_MAX;
        }
    return false;
}

static int append_rate(struct buffer *b, const struct flags *flags, const char *name,
                       struct errbuf *err)
{
    const char *text = flags_text(flags, name);
    bool is_bytes = strcmp(name, "bytes") == 0;
    uint64_t per_s;

    if (!text)
        return 0;
    if (!read_rate(text, is_bytes, &per_s))
        return errbuf_fail(err, LM_EINVAL, "--%s: a number a second, 1 to 10^12, such as %s", name,
                           is_bytes ? "10MB/s, 512KiB/s or 1000000/s" : "5000/s or 10k/s");
    buffer_appendf(b, ",\"%s\":%llu", name, (unsigned long long)per_s);
    return 0;
}

/* The line without its digest, as `add` was asked for, to be parsed by whoever parses lines. */
static int append_asked(struct buffer *b, const struct flags *flags, const char *name,
                        int64_t now_us, struct errbuf *err)
{
    const char *expires = flags_text(flags, "expires"), *only = flags_text(flags, "only");
    const char *role = flags_text(flags, "role");
    int64_t length_us;
    size_t set_len = 0;

    if (!role)
        return errbuf_fail(err, LM_EINVAL, "--role is needed: write, read or admin");
    buffer_append_string(b, "{\"name\":");
    json_append_string(b, slice_of_string(name));
    buffer_appendf(b, ",\"role\":\"%s\"", role);
    if (expires) {
        if (!read_length(expires, now_us, &length_us) || length_us > TIMESTAMP_MAX_US - now_us)
            return wrong_length(err, "expires");
        buffer_append_string(b, ",\"expires\":\"");
        timestamp_append(b, (now_us + length_us) / 1000000 * 1000000);
        buffer_append_char(b, '"');
    }
    for (int i = 0; i < flags->given_len; i++) {
        const char *value = flags->given[i].value;

        if (strcmp(flags->given[i].flag->name, "set") != 0)
            continue;

        size_t name_len = strcspn(value, "=");

        buffer_append_string(b, set_len++ == 0 ? ",\"set\":{" : ",");
        json_append_string(b, slice_of(value, name_len));
        buffer_append_char(b, ':');
        json_append_string(b, slice_of_string(value + name_len + 1));
    }
    if (set_len > 0)
        buffer_append_char(b, '}');
    if (only) {
        buffer_append_string(b, ",\"only\":");
        json_append_string(b, slice_of_string(only));
    }

    int error = append_rate(b, flags, "rate", err);

    if (!error)
        error = append_rate(b, flags, "bytes", err);
    if (error)
        return error;
    for (int i = 0; i < PLACE_KINDS; i++)
        if (flags_text(flags, place_names[i]))
            buffer_appendf(b, ",\"%s\":%llu", place_names[i],
                           (unsigned long long)flags_number(flags, place_names[i]));
    if (flags_text(flags, "certificate")) {
        buffer_append_string(b, ",\"certificate\":");
        json_append_string(b, slice_of_string(flags_text(flags, "certificate")));
        buffer_append_char(b, '}');
        return 0;
    }
    buffer_append_string(b, ",\"sha256\":\"");
    for (int i = 0; i < KEY_DIGEST_BYTES; i++)
        buffer_append_string(b, "00");
    buffer_append_string(b, "\"}");
    return 0;
}

static const char COMMENT[] = "# The keys of logmill, a line each: made and changed by `logmill "
                              "keys`. The texts of the keys\n"
                              "# are not in it. A server reads it anew within a second or two.\n";

static int add_key(struct edit *e, const struct flags *flags, const char *name, struct errbuf *err)
{
    struct named n = {.name = name};
    struct grant *g = NULL;
    struct buffer line;

    buffer_init(&line, LINE_BYTES_MAX);
    if (e->is_new)
        buffer_append_string(&e->after, COMMENT);

    int error = append_asked(&line, flags, name, e->now_us, err);
    if (!error)
        error = grant_parse(buffer_slice(&line), &g, err);
    if (!error) {
        n.certificate = g->certificate;
        error = walk(e, copy_and_find, &n, err);
    }
    if (!error && n.found > 0)
        error = errbuf_fail(err, LM_EINVAL,
                            "there is a key of the name %s: `logmill keys rotate "
                            "%s` makes a new one in its place",
                            name, name);
    if (!error && n.has_certificate)
        error = errbuf_fail(err, LM_EINVAL, "there is a key of a certificate of this name");
    if (!error)
        g->added_us = e->now_us / 1000000 * 1000000;
    if (!error && g->certificate.len > 0) {
        grant_append_line(&e->after, g);
        error = edit_write(e, err);
        if (!error)
            terminal_say("keys", "%s is whoever has a certificate of the name %s", name,
                         flags_text(flags, "certificate"));
    } else if (!error) {
        error = write_new(e, g, err);
        if (!error)
            terminal_say("keys", "this is the key of %s; it is shown this once", name);
    }
    grant_unref(g);
    buffer_release(&line);
    return error;
}

static void leave_out(struct edit *e, struct grant *g, void *ctx)
{
    struct named *n = ctx;

    if (strcmp(g->name, n->name) == 0)
        n->found++;
    else
        grant_append_line(&e->after, g);
}

static int unknown(const struct edit *e, const char *name, struct errbuf *err)
{
    return errbuf_fail(err, LM_ENOTFOUND,
                       "%s has no key of the name %s; `logmill keys list` lists "
                       "them",
                       e->path, name);
}

static int revoke_key(struct edit *e, const struct flags *flags, const char *name,
                      struct errbuf *err)
{
    struct named n = {.name = name};
    int error = walk(e, leave_out, &n, err);

    if (!error && n.found == 0)
        error = unknown(e, name, err);
    if (!error && e->after.len == 0) /* an empty file would be taken for half of one */
        buffer_append_string(&e->after, COMMENT);
    if (!error)
        error = edit_write(e, err);
    if (!error)
        terminal_say("keys", "%s is revoked: within two seconds no server takes it", name);
    return error;
}

struct renewal {
    struct named named;
    int64_t until_us;
    struct grant *last; /* of those of the name: the newest */
    int64_t length_us;  /* for which it was to hold; INT64_MAX: for ever */
};

/* Those that there are end with the overlap, if not before. */
static void end_old(struct edit *e, struct grant *g, void *ctx)
{
    struct renewal *r = ctx;

    if (strcmp(g->name, r->named.name) == 0) {
        r->named.found++;
        grant_unref(r->last);
        r->last = grant_ref(g);
        r->length_us = g->expires_us == INT64_MAX
                           ? INT64_MAX
                           : g->expires_us - (g->added_us ? g->added_us : e->now_us);
        if (g->expires_us > r->until_us)
            g->expires_us = r->until_us;
    }
    grant_append_line(&e->after, g);
}

static int rotate_key(struct edit *e, const struct flags *flags, const char *name,
                      struct errbuf *err)
{
    struct renewal r = {.named = {.name = name}};
    const char *expires = flags_text(flags, "expires");
    int64_t overlap_us, length_us = 0;

    if (!read_length(flags_text(flags, "overlap"), e->now_us, &overlap_us))
        return wrong_length(err, "overlap");
    if (expires && !read_length(expires, e->now_us, &length_us))
        return wrong_length(err, "expires");
    r.until_us = (e->now_us + overlap_us) / 1000000 * 1000000;

    int error = walk(e, end_old, &r, err);
    if (!error && !r.last)
        error = unknown(e, name, err);
    if (!error && r.last && r.last->certificate.len > 0)
        error = errbuf_fail(err, LM_EINVAL,
                            "%s is a certificate's: whoever vouches for it makes a new one", name);
    if (!error && r.last) {
        if (!expires)
            length_us = r.length_us;
        if (length_us <= 0)
            error = errbuf_fail(
                err, LM_EINVAL,
                "the key of %s has expired: --expires says how long a new one holds", name);
        r.last->expires_us =
            length_us == INT64_MAX ? INT64_MAX : (e->now_us + length_us) / 1000000 * 1000000;
        r.last->added_us = e->now_us / 1000000 * 1000000;
        if (!error)
            error = write_new(e, r.last, err);
    }
    if (!error)
        terminal_say("keys", "this is the new key of %s; the one before is taken for another %s",
                     name, flags_text(flags, "overlap"));
    grant_unref(r.last);
    return error;
}

/* ---- list ---- */

static void add_time(struct sheet *t, int64_t us, int64_t none)
{
    char text[TIMESTAMP_TEXT_LEN];

    timestamp_format(us, text);
    sheet_add(t, us == none ? SLICE_LITERAL("") : slice_of(text, 16));
}

static void add_rate(struct sheet *t, const struct rate *r)
{
    char text[32];

    snprintf(text, sizeof(text), "%llu/s", (unsigned long long)r->per_s);
    sheet_add(t, r->per_s > 0 ? slice_of_string(text) : SLICE_LITERAL(""));
}

/* "connections=20 tails=4" */
static void add_places(struct sheet *t, const struct grant *g)
{
    struct buffer text;

    buffer_init_small(&text);
    for (int i = 0; i < PLACE_KINDS; i++)
        if (g->places[i].max > 0)
            buffer_appendf(&text, "%s%s=%u", text.len > 0 ? " " : "", place_names[i],
                           g->places[i].max);
    sheet_add(t, buffer_slice(&text));
    buffer_release(&text);
}

/* ---- What a server has counted ---- */

static const char *const COUNTS[] = {"logmill_key_logs_total", "logmill_key_bytes_total",
                                     "logmill_key_refused_total"};
enum { COUNTS_LEN = sizeof(COUNTS) / sizeof(*COUNTS) };

struct sender {
    struct slice name; /* in the server's answer */
    uint64_t counts[COUNTS_LEN];
    bool is_listed;
};

struct senders {
    struct http_client *client; /* NULL: no server was named */
    struct sender table[SENDERS_TOLD_MAX];
    size_t len;
    bool is_told; /* the server tells of them, if there are any */
};

static struct sender *find_sender(struct senders *s, struct slice name)
{
    for (size_t i = 0; i < s->len; i++)
        if (slice_equal(s->table[i].name, name))
            return &s->table[i];
    return NULL;
}

/* NAME{key="shop",…} 7 */
static void take_sample(struct senders *s, struct slice line)
{
    struct slice metric = slice_cut(&line, '{');
    struct slice label = slice_cut(&line, '"');
    struct slice name = slice_cut(&line, '"');
    const char *space = line.len > 0 ? memrchr(line.data, ' ', line.len) : NULL;
    struct sender *one;

    s->is_told |= metric.len > 0 && memmem(metric.data, metric.len, COUNTS[0], strlen(COUNTS[0]));
    if (!space || !slice_equal(label, SLICE_LITERAL("key=")))
        return;
    one = find_sender(s, name);
    if (!one && s->len < SENDERS_TOLD_MAX) {
        one = &s->table[s->len++];
        one->name = name;
    }
    for (int i = 0; one && i < COUNTS_LEN; i++)
        if (slice_equal(metric, slice_of_string(COUNTS[i])))
            for (const char *c = space + 1; c < line.data + line.len && *c >= '0' && *c <= '9'; c++)
                one->counts[i] = 10 * one->counts[i] + (uint64_t)(*c - '0');
}

static int ask_server(struct senders *s, const struct flags *flags, struct errbuf *err)
{
    struct slice text, line;

    if (!flags_text(flags, "url"))
        return 0;
    s->client = http_client_new(flags, err);

    int error = s->client ? http_client_run(s->client,
                                            &(struct http_client_request){.path = "/metrics"}, err)
                          : LM_EINVAL;
    if (error)
        return error;
    text = http_client_answer(s->client);
    while (text.len > 0) {
        line = slice_cut(&text, '\n');
        take_sample(s, line);
    }
    if (!s->is_told)
        return errbuf_fail(err, LM_EINVAL,
                           "%s tells what each key has sent only to one that may read everything: "
                           "an admin's, or a reader's without --only, in LOGMILL_KEY or --key-file",
                           flags_text(flags, "url"));
    return 0;
}

static void add_counts(struct sheet *t, const struct sender *one)
{
    for (int i = 0; i < COUNTS_LEN; i++) {
        char text[24] = "";

        if (one)
            snprintf(text, sizeof(text), "%llu", (unsigned long long)one->counts[i]);
        sheet_add(t, slice_of_string(text));
    }
}

/* Of those that are no keys of the file: who had none, whose are revoked, and all others. */
static void add_others(struct sheet *t, const struct senders *s, size_t columns)
{
    for (size_t i = 0; i < s->len; i++) {
        if (s->table[i].is_listed)
            continue;
        sheet_add(t, s->table[i].name);
        for (size_t k = 1; k < columns; k++)
            sheet_add(t, SLICE_LITERAL(""));
        add_counts(t, &s->table[i]);
    }
}

/* ---- list: the rows ---- */

struct listing {
    struct sheet sheet;
    struct senders senders;
};

static void add_row(struct edit *e, struct grant *g, void *ctx)
{
    struct listing *l = ctx;
    struct sheet *t = &l->sheet;
    struct sender *one = find_sender(&l->senders, slice_of_string(g->name));
    struct buffer set;

    buffer_init_small(&set);
    for (size_t i = 0; i < g->set_len; i++) {
        buffer_append_string(&set, i > 0 ? " " : "");
        buffer_append_slice(&set, g->set[i].name);
        buffer_append_char(&set, '=');
        buffer_append_slice(&set, g->set[i].value);
    }
    sheet_add(t, slice_of_string(g->name));
    sheet_add(t, slice_of_string(grant_role_name(g->role)));
    add_time(t, g->added_us, 0);
    add_time(t, g->expires_us, INT64_MAX);
    sheet_add(t, g->expires_us <= e->now_us ? SLICE_LITERAL("expired") : SLICE_LITERAL("valid"));
    sheet_add(t, g->certificate);
    add_rate(t, &g->may.logs);
    add_rate(t, &g->may.bytes);
    add_places(t, g);
    sheet_add(t, buffer_slice(&set));
    sheet_add(t, g->only_text);
    if (l->senders.client)
        add_counts(t, one && !one->is_listed ? one : NULL); /* of a name, not of each of its keys */
    if (one)
        one->is_listed = true;
    buffer_release(&set);
}

static int print_sheet(const struct sheet *t, struct errbuf *err)
{
    struct buffer out;
    int error = 0;

    buffer_init_small(&out);
    sheet_append_columns(t, &out);
    if (fwrite(out.data, 1, out.len, stdout) != out.len || fflush(stdout))
        error = errbuf_fail(err, LM_EIO, "cannot write to standard output: %s", strerror(errno));
    buffer_release(&out);
    return error;
}

static int list_keys(struct edit *e, const struct flags *flags, const char *name,
                     struct errbuf *err)
{
    static const char *const head[] = {"NAME", "ROLE", "ADDED", "EXPIRES", "STATE", "CERTIFICATE",
                                       "RATE", "BYTES", "AT ONCE", "SET", "ONLY",
                                       /* of the server */
                                       "SENT", "SENT BYTES", "REFUSED"};
    enum { ALL = sizeof(head) / sizeof(*head), COLUMNS = ALL - COUNTS_LEN };
    struct listing l = {0};
    struct errbuf unasked = ERRBUF_INIT;
    int error, not_asked;
    size_t columns;

    if (e->is_new)
        return errbuf_fail(err, LM_ENOTFOUND, "there is no %s; `logmill keys add` makes it",
                           e->path);
    not_asked = ask_server(&l.senders, flags, &unasked);
    columns = l.senders.client ? ALL : COLUMNS;
    sheet_init(&l.sheet, columns, COLUMNS);
    for (size_t i = 0; i < columns; i++)
        sheet_add(&l.sheet, slice_of_string(head[i]));
    error = walk(e, add_row, &l, err);
    add_others(&l.sheet, &l.senders, COLUMNS);
    if (!error)
        error = print_sheet(&l.sheet, err);
    if (!error && not_asked)
        error = errbuf_fail(err, not_asked, "%s", unasked.text);
    sheet_release(&l.sheet);
    http_client_free(l.senders.client);
    return error;
}

/* ---- All ---- */

static const struct verb {
    const char *name;
    bool has_name;
    int (*run)(struct edit *e, const struct flags *flags, const char *name, struct errbuf *err);
    const char *flags; /* that it takes */
} verbs[] = {
    {"add", true, add_key, "role certificate expires set only rate bytes connections scans tails"},
    {"list", false, list_keys, "url ca-file key-file"},
    {"revoke", true, revoke_key, ""},
    {"rotate", true, rotate_key, "overlap expires"},
};

static const struct verb *find_verb(char **args, int args_len)
{
    for (size_t i = 0; args_len > 0 && i < sizeof(verbs) / sizeof(*verbs); i++)
        if (strcmp(verbs[i].name, args[0]) == 0 && args_len == 1 + verbs[i].has_name)
            return &verbs[i];
    return NULL;
}

static bool takes(const struct verb *verb, const char *flag)
{
    const char *at = strstr(verb->flags, flag);

    return at && (at == verb->flags || at[-1] == ' ');
}

int keys_command(const struct config *config, const struct flags *flags, char **args, int args_len)
{
    const struct verb *verb = find_verb(args, args_len);
    struct errbuf err = ERRBUF_INIT;
    struct edit e;

    if (!verb) {
        terminal_say("keys", "allowed are add NAME, list, revoke NAME, rotate NAME");
        return COMMAND_USAGE;
    }
    for (int i = 0; i < flags->given_len; i++)
        if (!takes(verb, flags->given[i].flag->name)) {
            terminal_say("keys", "--%s is no flag of %s", flags->given[i].flag->name, verb->name);
            return COMMAND_USAGE;
        }
    if (!config->keys_file) {
        terminal_say("keys",
                     "KEYS_FILE is not set: the path of the file of keys, as the server has "
                     "it");
        return COMMAND_USAGE;
    }
    if (verb->has_name && !grant_is_name(slice_of_string(args[1]))) {
        terminal_say("keys", "the name of a key has %s", GRANT_NAME_FORM);
        return COMMAND_USAGE;
    }

    int error = edit_open(&e, config->keys_file, &err);
    if (!error)
        error = verb->run(&e, flags, verb->has_name ? args[1] : NULL, &err);
    edit_close(&e);
    if (error && !err.text[0])
        errbuf_set(&err, "%s", lm_error_text(error));
    return error ? command_fail(&err) : 0;
}
