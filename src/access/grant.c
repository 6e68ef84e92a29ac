#include "access/grant.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <yyjson.h>

#include "base/hex.h"
#include "base/timestamp.h"
#include "base/xalloc.h"
#include "query/compiled.h"
#include "query/language.h"
#include "query/path.h"
#include "record/limits.h"
#include "json/writer.h"

const char grant_roles[] = "write|read|admin";

static const char *const role_names[GRANT_ROLES] = {
    [GRANT_WRITE] = "write", [GRANT_READ] = "read", [GRANT_ADMIN] = "admin"};

const char *grant_role_name(enum grant_role role)
{
    return role_names[role];
}

bool grant_role_of(struct slice name, enum grant_role *role)
{
    for (int i = 0; i < GRANT_ROLES; i++)
        if (slice_equal(name, slice_of_string(role_names[i]))) {
            *role = (enum grant_role)i;
            return true;
        }
    return false;
}

struct grant *grant_new(void)
{
    struct grant *g = xcalloc(1, sizeof(*g));

    atomic_init(&g->references, 1);
    g->expires_us = INT64_MAX;
    return g;
}

struct grant *grant_ref(struct grant *g)
{
    if (g)
        atomic_fetch_add_explicit(&g->references, 1, memory_order_relaxed);
    return g;
}

void grant_unref(struct grant *g)
{
    if (!g || atomic_fetch_sub_explicit(&g->references, 1, memory_order_acq_rel) != 1)
        return;
    query_unref(g->only);
    free(g->texts);
    free(g);
}

bool grant_holds(const struct grant *g, int64_t now_us)
{
    return now_us < g->expires_us && !atomic_load_explicit(&g->withdrawn, memory_order_relaxed);
}

bool grant_is_same(const struct grant *a, const struct grant *b)
{
    if (CRYPTO_memcmp(a->digest, b->digest, sizeof(a->digest)) != 0 ||
        strcmp(a->name, b->name) != 0 || a->role != b->role || a->set_len != b->set_len ||
        !slice_equal(a->only_text, b->only_text))
        return false;
    for (size_t i = 0; i < a->set_len; i++)
        if (!slice_equal(a->set[i].name, b->set[i].name) ||
            !slice_equal(a->set[i].value, b->set[i].value))
            return false;
    return true;
}

void grant_renew(struct grant *g, const struct grant *by)
{
    g->added_us = by->added_us;
    g->expires_us = by->expires_us;
    g->may.logs.per_s = by->may.logs.per_s;
    g->may.bytes.per_s = by->may.bytes.per_s;
    for (int i = 0; i < PLACE_KINDS; i++)
        g->places[i].max = by->places[i].max;
}

bool grant_equal(const struct grant *a, const struct grant *b)
{
    if (!grant_is_same(a, b) || a->added_us != b->added_us || a->expires_us != b->expires_us ||
        a->may.logs.per_s != b->may.logs.per_s || a->may.bytes.per_s != b->may.bytes.per_s)
        return false;
    for (int i = 0; i < PLACE_KINDS; i++)
        if (a->places[i].max != b->places[i].max)
            return false;
    return true;
}

bool grant_is_name(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '.' || c == '_' || c == '-'))
            return false;
    }
    return name.len > 0 && name.len <= GRANT_NAME_MAX;
}

/* ---- A line ---- */

struct reading {
    struct grant *grant;
    struct errbuf *err;
    size_t texts_len;
    bool has_digest, has_certificate, has_name, has_role;
};

/* A copy that lives as long as the grant; there is room for all texts of the line. */
static struct slice keep(struct reading *r, struct slice text)
{
    char *to = r->grant->texts + r->texts_len;

    if (text.len > 0)
        memcpy(to, text.data, text.len);
    r->texts_len += text.len;
    return slice_of(to, text.len);
}

static int wrong(const struct reading *r, const char *member, const char *allowed)
{
    return errbuf_fail(r->err, LM_EINVAL, "\"%s\": allowed is %s", member, allowed);
}

/* A string without NUL. */
static bool is_text(yyjson_val *value)
{
    return yyjson_is_str(value) && !memchr(yyjson_get_str(value), '\0', yyjson_get_len(value));
}

static int read_digest(struct reading *r, yyjson_val *value)
{
    struct slice text = json_text(value);

    if (!yyjson_is_str(value) || text.len != 2 * (size_t)KEY_DIGEST_BYTES)
        return wrong(r, "sha256", "the SHA-256 of a key, 64 hexadecimal digits");
    for (size_t i = 0; i < KEY_DIGEST_BYTES; i++) {
        int high = hex_value(text.data[2 * i]), low = hex_value(text.data[2 * i + 1]);

        if (high < 0 || low < 0)
            return wrong(r, "sha256", "the SHA-256 of a key, 64 hexadecimal digits");
        r->grant->digest[i] = (uint8_t)(high << 4 | low);
    }
    r->has_digest = true;
    return 0;
}

#define CERTIFICATE "certificate:"

bool grant_certificate_digest(struct slice name, uint8_t digest[KEY_DIGEST_BYTES])
{
    char text[sizeof(CERTIFICATE) + GRANT_CERTIFICATE_MAX];
    size_t len = sizeof(CERTIFICATE) - 1;

    if (name.len == 0 || name.len > GRANT_CERTIFICATE_MAX)
        return false;
    memcpy(text, CERTIFICATE, len);
    memcpy(text + len, name.data, name.len);
    if (!key_digest(slice_of(text, len + name.len), digest))
        return false;
    for (size_t i = 0; i < KEY_DIGEST_BYTES; i++)
        digest[i] ^= 0xff;
    return true;
}

static int read_certificate(struct reading *r, yyjson_val *value)
{
    struct slice text = json_text(value);

    if (!is_text(value) || !grant_certificate_digest(text, r->grant->digest))
        return errbuf_fail(
            r->err, LM_EINVAL,
            "\"certificate\": allowed is the name in a client's certificate, 1 to %d "
            "bytes, without NUL",
            GRANT_CERTIFICATE_MAX);
    r->grant->certificate = keep(r, text);
    r->has_certificate = true;
    return 0;
}

static int read_name(struct reading *r, yyjson_val *value)
{
    struct slice text = json_text(value);

    if (!yyjson_is_str(value) || !grant_is_name(text))
        return wrong(r, "name", GRANT_NAME_FORM);
    memcpy(r->grant->name, text.data, text.len);
    r->grant->name[text.len] = '\0';
    r->has_name = true;
    return 0;
}

static int read_role(struct reading *r, yyjson_val *value)
{
    if (!yyjson_is_str(value) || !grant_role_of(json_text(value), &r->grant->role))
        return wrong(r, "role", "write, read or admin");
    r->has_role = true;
    return 0;
}

static int read_time(struct reading *r, const char *member, yyjson_val *value, int64_t *us)
{
    struct timestamp_error why;

    if (!yyjson_is_str(value) || timestamp_parse_text(json_text(value), us, &why))
        return wrong(r, member, "a time such as 2027-01-31T12:00:00Z");
    return 0;
}

static int read_expires(struct reading *r, yyjson_val *value)
{
    int64_t us = INT64_MAX;
    int error = read_time(r, "expires", value, &us);

    r->grant->expires_us = us;
    return error;
}

/* Every way to it is known: query/path.h. */
static bool is_path(struct slice name)
{
    size_t names = 0;

    for (bool more = true; more; names++) {
        more = memchr(name.data, '.', name.len);
        if (slice_cut(&name, '.').len == 0)
            return false;
    }
    return names <= PATH_NAMES_MAX;
}

static int read_set(struct reading *r, yyjson_val *value)
{
    struct grant *g = r->grant;
    size_t i, max;
    yyjson_val *name, *text;

    if (!yyjson_is_obj(value) || yyjson_obj_size(value) > GRANT_SET_MAX)
        return errbuf_fail(r->err, LM_EINVAL,
                           "\"set\": allowed is an object of up to %d attributes whose values are "
                           "texts",
                           GRANT_SET_MAX);
    yyjson_obj_foreach(value, i, max, name, text)
    {
        struct slice key = json_text(name);

        if (!is_text(name) || !is_text(text) || key.len == 0 || key.len > GRANT_TEXT_MAX ||
            yyjson_get_len(text) > GRANT_TEXT_MAX)
            return errbuf_fail(r->err, LM_EINVAL,
                               "\"set\": allowed is attributes whose names and values are texts of "
                               "up to %d bytes, without NUL",
                               GRANT_TEXT_MAX);
        if (!is_path(key))
            return errbuf_fail(
                r->err, LM_EINVAL,
                "\"set\": allowed is names without empty parts between their dots, of "
                "which there are up to %d",
                PATH_NAMES_MAX - 1);
        for (size_t k = 0; k < g->set_len; k++)
            if (slice_equal(g->set[k].name, key))
                return wrong(r, "set", "each attribute once");
        g->set[g->set_len].name = keep(r, key);
        g->set[g->set_len++].value = keep(r, json_text(text));
    }
    return 0;
}

static bool asks_time(const struct query *q)
{
    for (uint32_t i = 0; q && i < q->len; i++)
        if (q->nodes[i].kind == QUERY_TEST && q->nodes[i].field == QUERY_TIMESTAMP)
            return true;
    return false;
}

static int read_only(struct reading *r, yyjson_val *value)
{
    struct grant *g = r->grant;
    struct query_mistake mistake = {0};
    struct query_compiled *compiled = NULL;

    if (!is_text(value))
        return wrong(r, "only", "a text: a query, as docs/query.md has it");
    g->only_text = keep(r, json_text(value));

    int error = query_parse(g->only_text, 0, NULL, &g->only, &mistake);
    if (!error && g->only)
        error = query_compiled_new(g->only, &compiled);
    query_compiled_free(compiled);
    if (error == LM_EINVAL)
        return errbuf_fail(r->err, error, "\"only\": %s%s%s",
                           mistake.message[0] ? mistake.message : "a regular expression is none",
                           mistake.allowed[0] ? "; allowed: " : "", mistake.allowed);
    if (error)
        return error;
    if (!g->only)
        return wrong(r, "only",
                     "a query that asks for something; without \"only\" a key reads "
                     "everything");
    if (asks_time(g->only))
        return wrong(r, "only", "a query without times, which would stay what they are");
    return 0;
}

static int read_rate(struct reading *r, const char *member, yyjson_val *value, struct rate *rate)
{
    if (!yyjson_is_uint(value) || yyjson_get_uint(value) == 0 || yyjson_get_uint(value) > RATE_MAX)
        return errbuf_fail(r->err, LM_EINVAL,
                           "\"%s\": allowed is a whole number a second, 1 to %llu", member,
                           (unsigned long long)RATE_MAX);
    rate->per_s = yyjson_get_uint(value);
    return 0;
}

static int read_places(struct reading *r, enum place kind, yyjson_val *value)
{
    if (!yyjson_is_uint(value) || yyjson_get_uint(value) == 0 ||
        yyjson_get_uint(value) > PLACES_MAX)
        return errbuf_fail(r->err, LM_EINVAL, "\"%s\": allowed is a whole number, 1 to %d",
                           place_names[kind], PLACES_MAX);
    r->grant->places[kind].max = (unsigned)yyjson_get_uint(value);
    return 0;
}

static int read_member(struct reading *r, struct slice name, yyjson_val *value)
{
    struct grant *g = r->grant;

    if (slice_equal(name, SLICE_LITERAL("sha256")))
        return read_digest(r, value);
    if (slice_equal(name, SLICE_LITERAL("certificate")))
        return read_certificate(r, value);
    if (slice_equal(name, SLICE_LITERAL("name")))
        return read_name(r, value);
    if (slice_equal(name, SLICE_LITERAL("role")))
        return read_role(r, value);
    if (slice_equal(name, SLICE_LITERAL("added")))
        return read_time(r, "added", value, &g->added_us);
    if (slice_equal(name, SLICE_LITERAL("expires")))
        return read_expires(r, value);
    if (slice_equal(name, SLICE_LITERAL("set")))
        return read_set(r, value);
    if (slice_equal(name, SLICE_LITERAL("only")))
        return read_only(r, value);
    if (slice_equal(name, SLICE_LITERAL("rate")))
        return read_rate(r, "rate", value, &g->may.logs);
    if (slice_equal(name, SLICE_LITERAL("bytes")))
        return read_rate(r, "bytes", value, &g->may.bytes);
    for (int i = 0; i < PLACE_KINDS; i++)
        if (slice_equal(name, slice_of_string(place_names[i])))
            return read_places(r, (enum place)i, value);
    return errbuf_fail(
        r->err, LM_EINVAL,
        "\"%.*s\": allowed are sha256, certificate, name, role, added, expires, set, only, "
        "rate, bytes, connections, scans, tails",
        name.len < GRANT_NAME_MAX ? (int)name.len : GRANT_NAME_MAX, name.data);
}

static int read_members(struct reading *r, yyjson_val *root)
{
    static const char *const needed[] = {"sha256", "name", "role"};
    size_t i, max;
    yyjson_val *name, *value;

    yyjson_obj_foreach(root, i, max, name, value)
    {
        if (yyjson_obj_getn(root, yyjson_get_str(name), yyjson_get_len(name)) != value)
            return errbuf_fail(r->err, LM_EINVAL, "each member stands once");

        int error = read_member(r, json_text(name), value);
        if (error)
            return error;
    }

    const bool has[] = {r->has_digest || r->has_certificate, r->has_name, r->has_role};

    for (size_t k = 0; k < 3; k++)
        if (!has[k])
            return errbuf_fail(r->err, LM_EINVAL, "\"%s\" is missing", needed[k]);
    if (r->has_digest && r->has_certificate)
        return errbuf_fail(r->err, LM_EINVAL, "either \"sha256\" or \"certificate\", not both");
    if (r->grant->set_len > 0 && r->grant->role != GRANT_WRITE)
        return errbuf_fail(r->err, LM_EINVAL, "\"set\" is for keys whose role is write");
    if (r->grant->only && r->grant->role != GRANT_READ)
        return errbuf_fail(r->err, LM_EINVAL, "\"only\" is for keys whose role is read");
    if ((r->grant->may.logs.per_s || r->grant->may.bytes.per_s) && r->grant->role == GRANT_READ)
        return errbuf_fail(r->err, LM_EINVAL,
                           "\"rate\" and \"bytes\" are for keys whose role is write or admin");
    if ((r->grant->places[PLACE_SCAN].max || r->grant->places[PLACE_TAIL].max) &&
        r->grant->role == GRANT_WRITE)
        return errbuf_fail(r->err, LM_EINVAL,
                           "\"scans\" and \"tails\" are for keys whose role is read or admin");
    return 0;
}

int grant_parse(struct slice line, struct grant **g, struct errbuf *err)
{
    struct reading r = {.grant = grant_new(), .err = err};
    yyjson_read_err why;
    yyjson_doc *doc = yyjson_read_opts((char *)(uintptr_t)line.data, line.len, 0, json_alc(), &why);
    int error = 0;

    *g = NULL;
    r.grant->texts = xmalloc(line.len + 1);
    if (!doc)
        error = why.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION
                    ? LM_ENOMEM
                    : errbuf_fail(err, LM_EINVAL, "no JSON, or cut off: %s", why.msg);
    else if (!yyjson_is_obj(yyjson_doc_get_root(doc)))
        error = errbuf_fail(err, LM_EINVAL, "allowed is a JSON object");
    else
        error = read_members(&r, yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    if (error)
        grant_unref(r.grant);
    else
        *g = r.grant;
    return error;
}

static void append_time(struct buffer *b, const char *member, int64_t us)
{
    buffer_appendf(b, ",\"%s\":\"", member);
    timestamp_append(b, us);
    buffer_append_char(b, '"');
}

static void append_rate(struct buffer *b, const char *member, const struct rate *rate)
{
    if (rate->per_s > 0)
        buffer_appendf(b, ",\"%s\":%llu", member, (unsigned long long)rate->per_s);
}

void grant_append_line(struct buffer *b, const struct grant *g)
{
    buffer_appendf(b, "{\"name\":\"%s\",\"role\":\"%s\"", g->name, role_names[g->role]);
    if (g->added_us)
        append_time(b, "added", g->added_us);
    if (g->expires_us != INT64_MAX)
        append_time(b, "expires", g->expires_us);
    for (size_t i = 0; i < g->set_len; i++) {
        buffer_append_string(b, i == 0 ? ",\"set\":{" : ",");
        json_append_string(b, g->set[i].name);
        buffer_append_char(b, ':');
        json_append_string(b, g->set[i].value);
    }
    if (g->set_len > 0)
        buffer_append_char(b, '}');
    if (g->only_text.len > 0) {
        buffer_append_string(b, ",\"only\":");
        json_append_string(b, g->only_text);
    }
    append_rate(b, "rate", &g->may.logs);
    append_rate(b, "bytes", &g->may.bytes);
    for (int i = 0; i < PLACE_KINDS; i++)
        if (g->places[i].max > 0)
            buffer_appendf(b, ",\"%s\":%u", place_names[i], g->places[i].max);
    if (g->certificate.len > 0) {
        buffer_append_string(b, ",\"certificate\":");
        json_append_string(b, g->certificate);
        buffer_append_string(b, "}\n");
        return;
    }
    buffer_append_string(b, ",\"sha256\":\"");
    for (size_t i = 0; i < KEY_DIGEST_BYTES; i++)
        buffer_appendf(b, "%02x", g->digest[i]);
    buffer_append_string(b, "\"}\n");
}
