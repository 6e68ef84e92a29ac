/*
 * Syslog of any bytes, as a datagram, a line of a file, and a stream. What comes is a log, or is
 * counted; what is a log keeps the rules and limits of one. The first bytes of an input choose in
 * what pieces a stream comes, and how often that waits; the rest is what comes. However it is cut,
 * the logs are the same.
 */
#include <stdlib.h>
#include <string.h>

#include <yyjson.h>

#include "base/timestamp.h"
#include "base/utf8.h"
#include "base/uuid7.h"
#include "formats/syslog.h"
#include "formats/syslog_frames.h"
#include "must.h"
#include "record/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CHOICES = 4, SUM_START = 17 };

static const int64_t ARRIVAL_US = INT64_C(1795867200) * 1000000;

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

struct seen {
    size_t records;
    uint64_t sum; /* of all that they say, ids and times too */
};

static uint64_t sum_of(uint64_t sum, struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        sum = sum * 31 + (unsigned char)s.data[i];
    return sum * 31 + s.len;
}

/* A record_sink; `ctx` is a struct seen. */
static int check(const struct record *r, void *ctx)
{
    struct seen *seen = ctx;

    must(is_text(r->level) && is_text(r->message) && is_text(r->attributes));
    must(r->level.len > 0 && r->level.len <= RECORD_LEVEL_MAX);
    must(r->attributes.len == 0 || is_json(r->attributes));
    must(r->key.timestamp_us >= TIMESTAMP_MIN_US && r->key.timestamp_us <= TIMESTAMP_MAX_US);
    must(uuid_is_v7(&r->key.id));
    must(uuid7_ms(&r->key.id) == uuid7_ms_of_timestamp(r->key.timestamp_us));
    seen->records++;
    seen->sum = sum_of(sum_of(sum_of(seen->sum, r->level), r->message), r->attributes);
    seen->sum = sum_of(seen->sum, slice_of((const char *)&r->key, sizeof(r->key)));
    return 0;
}

/* A connection: what has come of `all`, and what of it was used. */
struct connection {
    const struct stream_format *format;
    void *memory;
    struct slice all;
    size_t come, used;
    char session[STREAM_SESSION_BYTES];
    struct seen seen;
    size_t refused;
    bool ended;
};

static void connect_to(struct connection *c, const struct stream_format *format, struct slice all)
{
    *c = (struct connection){.format = format, .all = all, .seen = {.sum = SUM_START}};
    c->memory = format->memory_new(&(struct stream_setup){.hostname = "h"}, NULL);
}

/* Reads all that has come and was not used, from memory of exactly its size. */
static void read_on(struct connection *c, bool has_waited)
{
    struct errbuf why = ERRBUF_INIT;
    struct stream_output out = {.why = &why};
    size_t len = c->come - c->used;
    char *exact = malloc(len ? len : 1);

    must(exact);
    if (len)
        memcpy(exact, c->all.data + c->used, len);
    struct stream_input in = {
        .bytes = {exact, len},
        .is_over = c->come == c->all.len,
        .has_waited = has_waited,
        .arrival_us = ARRIVAL_US,
        .bits = {1, 2},
        .number = c->seen.records,
    };
    size_t before = c->seen.records;
    must(c->format->read(c->memory, c->session, &in, check, &c->seen, &out) == 0);
    must(out.used <= len);
    must(out.counts.records == c->seen.records - before);
    must(!in.is_over || out.used == len);
    must(!out.ends || why.text[0]);
    c->used += out.used;
    c->refused += out.counts.refused;
    c->ended = out.ends;
    free(exact);
}

static void come_whole(struct connection *c)
{
    c->come = c->all.len;
    read_on(c, false);
    c->format->memory_free(c->memory);
}

/* In pieces of up to `step` bytes, which grow by one each. */
static void come_in_pieces(struct connection *c, size_t step, bool waits)
{
    for (size_t n = step + 1; c->come < c->all.len && !c->ended; n = n % (step + 1) + 1) {
        c->come += n < c->all.len - c->come ? n : c->all.len - c->come;
        read_on(c, waits && n % 2 == 0);
    }
    c->format->memory_free(c->memory);
}

static void read_stream(struct slice all, size_t step)
{
    enum { READS = 64 };
    struct connection whole, pieces, waiting;

    step += all.len / READS;
    connect_to(&whole, &syslog_stream, all);
    come_whole(&whole);
    connect_to(&pieces, &syslog_stream, all);
    come_in_pieces(&pieces, step, false);
    must(whole.ended == pieces.ended);
    must(whole.ended || (whole.seen.records == pieces.seen.records &&
                         whole.seen.sum == pieces.seen.sum && whole.refused == pieces.refused));
    connect_to(&waiting, &syslog_stream, all);
    come_in_pieces(&waiting, step, true);
}

static void read_file_line(struct slice line)
{
    struct syslog s;
    struct record_draft d;
    struct record record;
    struct errbuf why = ERRBUF_INIT;
    struct seen seen = {.sum = SUM_START};

    syslog_init(&s);
    record_draft_init(&d);
    (void)syslog_put(&s, line, &(struct syslog_source){.arrival_us = ARRIVAL_US, .is_file = true},
                     &d);
    int error = record_draft_finish(&d, ARRIVAL_US, &record, &why);
    must(!error || error == LM_EINVAL || error == LM_EDATA);
    if (!error)
        (void)check(&record, &seen);
    record_draft_release(&d);
    syslog_release(&s);
}

/* Each byte many times: messages that are too long to be taken whole. */
static void read_stretched(struct slice text)
{
    enum { STRETCHED = SYSLOG_MESSAGE_MAX + SYSLOG_MESSAGE_MAX / 4, ENDS = 64 };
    char *data = malloc(STRETCHED + 2 * ENDS);
    size_t len = text.len < ENDS ? text.len : ENDS;

    must(data);
    memcpy(data, text.data, len);
    for (size_t i = 0; i < STRETCHED; i++)
        data[len + i] = text.data[text.len - 1 - i / (STRETCHED / text.len + 1) % text.len];
    memcpy(data + len + STRETCHED, text.data, len);
    read_stream(slice_of(data, STRETCHED + 2 * len), SYSLOG_MESSAGE_MAX / 3);
    free(data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct connection datagram;

    if (size < 3)
        return 0;
    struct slice rest = slice_of((const char *)data + 2, size - 2);
    switch (data[0] % CHOICES) {
    case 0:
        connect_to(&datagram, &syslog_datagram, rest);
        come_whole(&datagram);
        must(datagram.seen.records + datagram.refused <= 1);
        break;
    case 1:
        read_file_line(rest);
        break;
    case 2:
        if (data[1] == 'L' && rest.len <= 64)
            read_stretched(rest);
        else
            read_stream(rest, data[1]);
        break;
    default:
        read_stream(rest, data[1] % 8);
        break;
    }
    return 0;
}
