/*
 * OTLP and Loki's push, in protobuf and JSON, and snappy's blocks, of any bytes. The first byte of
 * an input chooses which; the rest is parsed. Requests are taken or refused; what is taken keeps
 * the rules and limits of a log, and is the same when the request comes again.
 */
#include <string.h>

#include <yyjson.h>

#include "base/timestamp.h"
#include "base/utf8.h"
#include "base/uuid7.h"
#include "formats/loki.h"
#include "formats/otlp.h"
#include "formats/snappy.h"
#include "must.h"
#include "record/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OUTPUT_MAX = 1 << 20, SUM_START = 17, CHOICES = 6, LITERAL_MAX = 60 };

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
    uint64_t sum; /* of all that a record says, but for the ids and times of arrival */
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
    return 0;
}

static void parse(const struct format *format, struct slice body)
{
    void *memory = format->memory_new(NULL);
    struct seen before = {0};
    int result = 0;

    for (int i = 0; i < 2; i++) { /* with memory that is cold, and warm */
        struct seen seen = {.sum = SUM_START};
        struct format_counts counts;
        struct buffer wrong;

        buffer_init(&wrong, OUTPUT_MAX);
        int error = format->parse(body, &(struct format_options){.memory = memory, .wrong = &wrong},
                                  check, &seen, &counts);
        must(!error || error == LM_EINVAL || error == LM_EDATA);
        must(counts.records == seen.records);
        must(error != LM_EINVAL || wrong.len > 0);
        must(i == 0 ||
             (error == result && seen.records == before.records && seen.sum == before.sum));
        result = error;
        before = seen;
        buffer_release(&wrong);
    }
    format->memory_free(memory);
}

static void decompress(struct slice block)
{
    struct buffer out;

    buffer_init(&out, OUTPUT_MAX);
    int error = snappy_decompress(block, &out);
    must(!error || error == LM_EINVAL || error == LM_ETOOBIG);
    must(out.len <= OUTPUT_MAX);
    buffer_release(&out);
}

/* A push whose block is sound: literals alone. */
static void parse_in_block(struct slice push)
{
    struct buffer block;
    size_t len = push.len;

    buffer_init(&block, SIZE_MAX / 2);
    for (; len >= 0x80; len >>= 7)
        buffer_append_char(&block, (char)(len | 0x80));
    buffer_append_char(&block, (char)len);
    while (push.len) {
        size_t n = push.len < LITERAL_MAX ? push.len : LITERAL_MAX;

        buffer_append_char(&block, (char)((n - 1) << 2));
        buffer_append(&block, push.data, n);
        push = slice_of(push.data + n, push.len - n);
    }
    parse(&loki_protobuf, buffer_slice(&block));
    buffer_release(&block);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct format *const formats[] = {&otlp_protobuf, &otlp_json, &loki_protobuf,
                                                   &loki_json};

    if (size == 0)
        return 0;
    struct slice rest = slice_of((const char *)data + 1, size - 1);
    switch (data[0] % CHOICES) {
    case 4:
        decompress(rest);
        break;
    case 5:
        parse_in_block(rest);
        break;
    default:
        parse(formats[data[0] % CHOICES], rest);
        break;
    }
    return 0;
}
