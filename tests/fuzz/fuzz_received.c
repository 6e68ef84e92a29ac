/*
 * Formats of other programs, of any bytes: they are taken or refused, and never by half; what is
 * taken keeps the rules and limits of a log; answers are what they say they are.
 */
#include <string.h>

#include <yyjson.h>

#include "base/timestamp.h"
#include "base/utf8.h"
#include "base/uuid7.h"
#include "formats/bulk.h"
#include "formats/datadog.h"
#include "formats/gelf.h"
#include "formats/hec.h"
#include "formats/journal.h"
#include "formats/jsonline.h"
#include "must.h"
#include "record/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OUTPUT_MAX = 64 << 20, FORMATS = 8 };

static const struct format *const formats[FORMATS] = {
    &jsonline_auto, &jsonline_insert, &bulk_format,  &hec_events,
    &hec_raw,       &datadog_logs,    &gelf_message, &journal_upload,
};

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

/* A record_sink; `ctx` counts them. */
static int check(const struct record *r, void *ctx)
{
    must(is_text(r->level) && is_text(r->message) && is_text(r->attributes));
    must(r->level.len > 0 && r->level.len <= RECORD_LEVEL_MAX);
    must(r->attributes.len == 0 || is_json(r->attributes));
    must(r->key.timestamp_us >= TIMESTAMP_MIN_US && r->key.timestamp_us <= TIMESTAMP_MAX_US);
    must(uuid_is_v7(&r->key.id));
    must(uuid7_ms(&r->key.id) == uuid7_ms_of_timestamp(r->key.timestamp_us));
    ++*(size_t *)ctx;
    return 0;
}

/* The body as an upload in two pieces gives the same as in one. */
static void check_journal(struct slice body, size_t records, int whole)
{
    struct journal_reader *r = journal_reader_new(NULL);
    struct errbuf why = ERRBUF_INIT;
    struct format_counts counts = {0};
    size_t got = 0, half = body.len / 2;

    int error = journal_read(r, slice_of(body.data, half), check, &got, &counts, &why);
    if (!error)
        error = journal_read(r, slice_of(body.data + half, body.len - half), check, &got, &counts,
                             &why);
    if (!error)
        error = journal_finish(r, check, &got, &counts, &why);
    must(error == whole && got == records && counts.records == got);
    journal_reader_free(r);
}

static struct slice parameter(const struct format_request *request, const char *name)
{
    return strcmp(name, "_msg_field") == 0 || strcmp(name, "host") == 0 ? SLICE_LITERAL("m,\xff")
                                                                        : (struct slice){NULL, 0};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct format_request request = {
        .path = {"/i\xff/_bulk", 9}, .parameter = parameter, .header = parameter};
    struct format_counts counts;
    struct buffer wrong, told;
    size_t records = 0;

    if (size == 0)
        return 0;
    const struct format *format = formats[data[0] % FORMATS];
    struct slice body = slice_of((const char *)data + 1, size - 1);
    void *memory = format->memory_new(NULL);
    buffer_init(&wrong, OUTPUT_MAX);
    buffer_init(&told, OUTPUT_MAX);
    int error = format->parse(body,
                              &(struct format_options){
                                  .memory = memory,
                                  .request = data[0] / FORMATS % 2 ? &request : NULL,
                                  .wrong = &wrong,
                                  .told = &told,
                              },
                              check, &records, &counts);
    must(!error || error == LM_EINVAL || (error == LM_EDATA && format == &gelf_message));
    must(counts.records == records);
    if (error == LM_EINVAL) {
        must(wrong.len > 0 && utf8_valid(buffer_slice(&wrong)));
        must(format->refusal.content_type || is_json(buffer_slice(&wrong)));
    }
    if (!error && format->tells_each)
        must(is_json(buffer_slice(&told)));
    if (format == &journal_upload)
        check_journal(body, records, error);
    format->memory_free(memory);
    buffer_release(&wrong);
    buffer_release(&told);
    return 0;
}
