/*
 * Inputs of the command line: bytes to lines to logs. The first byte of an input chooses the flags
 * and in what pieces it is read. However it is cut, the lines must be the same; and what they
 * become, the server must take, log for log, the same each time.
 */
#include <string.h>

#include "cli/cli.h"
#include "cli/decoder.h"
#include "cli/line.h"
#include "must.h"

enum { OUTPUT_MAX = 64 << 20 };

/* What an input was found to be. */
struct kind {
    bool is_json, is_journal;
};

/* Decodes `input`, `step` bytes at a time. Returns false where it is refused. */
static bool decode(struct slice input, size_t step, bool is_plain, struct buffer *out,
                   struct kind *kind)
{
    struct errbuf err = ERRBUF_INIT;
    struct decoder d;
    int error = 0;

    decoder_init(&d, is_plain);
    for (size_t at = 0; at <= input.len && !error; at += step) {
        size_t len = input.len - at < step ? input.len - at : step;

        error = decoder_feed(&d, slice_of(input.data + at, len), at + step > input.len, out, &err);
    }
    must(!error || (error == LM_EDATA && err.text[0]));
    *kind = (struct kind){decoder_is_json(&d), decoder_is_journal(&d)};
    decoder_release(&d);
    return !error;
}

static void count(void *ctx)
{
    ++*(size_t *)ctx;
}

/* Appends the logs of `lines` to `out`, and returns how many they are. */
static size_t read_lines(struct line_reader *r, struct slice lines, bool is_json,
                         struct buffer *out)
{
    struct line_place place = line_place_begin(r);
    struct line_input in;
    size_t logs = 0;

    place.time_us = 1700000000000000;
    place.is_spread = true;
    line_input_begin_again(&in, &r->forms, &place);
    if (is_json)
        in.chosen.format = LINE_JSON;
    while (lines.len > 0) {
        struct line_part part = {
            .text = slice_cut(&lines, '\n'), .is_first = true, .is_last = true};
        struct errbuf err = ERRBUF_INIT;
        int error = line_append(out, r, &in, &part, count, &logs, &err);

        must(!error || (error == LM_EDATA && err.text[0]));
    }
    line_input_release(&in, &r->gather);
    return logs;
}

static int take(const struct record *r, void *ctx)
{
    return 0;
}

static void check(struct line_reader *r, struct slice body, size_t logs)
{
    struct format_counts counts;
    struct buffer wrong;

    buffer_init(&wrong, OUTPUT_MAX);
    must(logs == 0 ||
         fastapi_lines.parse(body,
                             &(struct format_options){.memory = r->check.memory, .wrong = &wrong},
                             take, NULL, &counts) == 0);
    must(logs == 0 ? body.len == 0 : counts.records == logs);
    buffer_release(&wrong);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char format[] = "--format=auto", json[] = "--format=json", plain[] = "--format=plain";
    static char attr[] = "--attr=host=a";
    char *args[] = {size && data[0] % 3 == 1   ? json
                    : size && data[0] % 3 == 2 ? plain
                                               : format,
                    attr};
    struct slice input = {(const char *)data + 1, size - 1};
    struct buffer lines, again, logs, logs_again;
    struct errbuf err = ERRBUF_INIT;
    struct line_reader r;
    struct flags flags;
    struct kind kind, kind_again;
    bool is_plain = args[0] == plain;
    size_t n;

    if (size < 2)
        return 0;
    must(flags_parse(&flags, client_find("import"), args, 2, &err) == 0);
    must(line_reader_init(&r, &flags, &err) == 0);
    buffer_init(&lines, OUTPUT_MAX);
    buffer_init(&again, OUTPUT_MAX);
    buffer_init(&logs, OUTPUT_MAX);
    buffer_init(&logs_again, OUTPUT_MAX);
    if (decode(input, input.len, is_plain, &lines, &kind)) {
        must(decode(input, 1 + data[0] / 3, is_plain, &again, &kind_again));
        must(kind.is_json == kind_again.is_json && kind.is_journal == kind_again.is_journal);
        /* An entry of a journal that has no time gets that of its reading. */
        must(kind.is_journal ? lines.len == again.len
                             : slice_equal(buffer_slice(&lines), buffer_slice(&again)));
        n = read_lines(&r, buffer_slice(&lines), kind.is_json, &logs);
        must(read_lines(&r, buffer_slice(&lines), kind.is_json, &logs_again) == n);
        must(slice_equal(buffer_slice(&logs), buffer_slice(&logs_again)));
        check(&r, buffer_slice(&logs), n);
    }
    buffer_release(&lines);
    buffer_release(&again);
    buffer_release(&logs);
    buffer_release(&logs_again);
    line_reader_release(&r);
    return 0;
}
