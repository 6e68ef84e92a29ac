/*
 * Fluent's forward protocol and MessagePack, of any bytes: what is taken keeps the rules and limits
 * of a log; a stream that comes in pieces, some of them read twice, gives the same logs and answers
 * as one that comes at once; what a walk takes for whole can be read, to the same end.
 */
#include <string.h>

#include <yyjson.h>

#include "base/hash.h"
#include "base/timestamp.h"
#include "base/utf8.h"
#include "formats/fluent.h"
#include "formats/msgpack.h"
#include "must.h"
#include "record/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { REPLY_MAX = 1 << 20, PIECE_MAX = 64 };

static bool is_text(struct slice s)
{
    return s.len == 0 || (utf8_valid(s) && !memchr(s.data, '\0', s.len));
}

static bool is_json(struct slice s)
{
    yyjson_doc *doc = yyjson_read(s.data, s.len, YYJSON_READ_NUMBER_AS_RAW);
    bool is = yyjson_is_obj(yyjson_doc_get_root(doc));

    yyjson_doc_free(doc);
    return is;
}

/* A connection, and all that came out of it. */
struct connection {
    void *memory;
    char session[STREAM_SESSION_BYTES];
    struct buffer unused, reply;
    bool ended;
    struct format_counts counts;
    uint64_t hash; /* of its logs */
};

/* A record_sink. */
static int check(const struct record *r, void *ctx)
{
    uint64_t *hash = ctx;

    must(is_text(r->level) && is_text(r->message) && is_text(r->attributes));
    must(r->level.len > 0 && r->level.len <= RECORD_LEVEL_MAX);
    must(is_json(r->attributes));
    must(r->key.timestamp_us >= TIMESTAMP_MIN_US && r->key.timestamp_us <= TIMESTAMP_MAX_US);
    must(uuid_is_v7(&r->key.id));
    must(uuid7_ms(&r->key.id) == uuid7_ms_of_timestamp(r->key.timestamp_us));
    *hash = hash_bytes(*hash, slice_of((const char *)r->key.id.bytes, sizeof(r->key.id.bytes)));
    *hash = hash_long(*hash, r->message);
    *hash = hash_long(*hash, r->attributes);
    return 0;
}

static void read_on(struct connection *c, bool twice, bool has_waited, bool is_over)
{
    struct stream_input in = {
        .bytes = buffer_slice(&c->unused),
        .has_waited = has_waited,
        .is_over = is_over,
        .arrival_us = 1,
        .bits = {1, 2},
        .number = c->counts.records,
    };
    struct errbuf why = ERRBUF_INIT;
    struct stream_output out = {.reply = &c->reply, .why = &why};
    char session[STREAM_SESSION_BYTES];
    size_t replied = c->reply.len;
    uint64_t hash = c->hash;

    if (c->ended)
        return;
    memcpy(session, c->session, sizeof(session));
    must(!fluent_forward.read(c->memory, c->session, &in, check, &c->hash, &out));
    if (twice) {
        uint64_t first = c->hash;
        size_t used = out.used;

        memcpy(c->session, session, sizeof(session));
        buffer_truncate(&c->reply, replied);
        c->hash = hash;
        must(!fluent_forward.read(c->memory, c->session, &in, check, &c->hash, &out));
        must(c->hash == first && out.used == used);
    }
    must(out.used <= in.bytes.len);
    must(out.ends == (why.text[0] != '\0'));
    must(!is_over || out.ends || out.used == in.bytes.len);
    c->ended = out.ends;
    c->counts.records += out.counts.records;
    c->counts.refused += out.counts.refused;
    buffer_consume(&c->unused, out.used);
}

static void begin(struct connection *c)
{
    static const struct stream_setup setup = {.hostname = "here"};

    *c = (struct connection){.memory = fluent_forward.memory_new(&setup, NULL)};
    buffer_init(&c->unused, 64 << 20);
    buffer_init(&c->reply, REPLY_MAX);
    fluent_forward.greet(c->memory, c->session, &c->reply);
}

static void end(struct connection *c)
{
    fluent_forward.memory_free(c->memory);
    buffer_release(&c->unused);
    buffer_release(&c->reply);
}

static void check_msgpack(struct slice bytes)
{
    struct msgpack p = msgpack_of(bytes);
    struct msgpack_walk walk = {.left = 1};
    struct msgpack_value v;
    bool whole = msgpack_walk(&walk, bytes) == MSGPACK_WHOLE;

    must((msgpack_next(&p, &v) && msgpack_pass(&p, &v)) == whole);
    if (whole)
        must((size_t)((const char *)p.at - bytes.data) == walk.at && walk.at <= bytes.len);
}

/* The first byte says how long the pieces are, and whether the client pauses behind each. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct connection at_once, in_pieces;

    if (size == 0)
        return 0;
    size_t piece = data[0] % PIECE_MAX + 1;
    bool pauses = data[0] & 0x80;
    struct slice bytes = slice_of((const char *)data + 1, size - 1);

    check_msgpack(bytes);
    begin(&at_once);
    buffer_append_slice(&at_once.unused, bytes);
    read_on(&at_once, false, false, false);
    read_on(&at_once, false, false, true);
    begin(&in_pieces);
    for (size_t at = 0; at < bytes.len; at += piece) {
        size_t len = bytes.len - at < piece ? bytes.len - at : piece;

        buffer_append_slice(&in_pieces.unused, slice_of(bytes.data + at, len));
        read_on(&in_pieces, true, pauses, false);
    }
    read_on(&in_pieces, true, false, true);
    if (!pauses) {
        must(in_pieces.hash == at_once.hash && in_pieces.ended == at_once.ended);
        must(in_pieces.counts.records == at_once.counts.records);
        must(in_pieces.counts.refused == at_once.counts.refused);
        must(slice_equal(buffer_slice(&in_pieces.reply), buffer_slice(&at_once.reply)));
    }
    end(&at_once);
    end(&in_pieces);
    return 0;
}
