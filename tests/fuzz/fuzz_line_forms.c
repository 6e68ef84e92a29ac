/*
 * Other programs' lines to logs. The first byte of an input chooses the format, the second whether
 * lines are put together. What they become, the server must take, log for log, the same each time,
 * whether the input ends there or goes on; and of a line that is a text nothing may be lost. If
 * they are those of a file, it must not matter where whoever follows it ends and begins again, nor
 * where another file goes on with it.
 */
#include <string.h>

#include "base/utf8.h"
#include "cli/cli.h"
#include "cli/line.h"
#include "must.h"

enum { OUTPUT_MAX = 64 << 20, ARGS_MAX = 3 };

static void count(void *ctx)
{
    ++*(size_t *)ctx;
}

/* Appends the logs of `input` to `out`, and returns how many they are. */
static size_t read_lines(struct line_reader *r, struct slice input, bool is_over,
                         struct buffer *out)
{
    struct line_place place;
    struct line_input in;
    uint64_t number = 0;
    size_t logs = 0;
    struct errbuf err = ERRBUF_INIT;
    int64_t us;

    line_reader_set_now(r, 1795867200000000);
    place = line_place_begin(r);
    place.time_us = 1700000000000000;
    place.is_spread = true;
    line_input_begin_again(&in, &r->forms, &place);
    while (input.len > 0) {
        struct line_part part = {
            .text = slice_cut(&input, '\n'), .is_first = true, .is_last = true, .number = ++number};

        (void)line_own_time(r, &in, part.text, &us);
        int error = line_append(out, r, &in, &part, count, &logs, &err);
        must(!error || (error == LM_EDATA && err.text[0]));
        must(r->log_number <= number);
    }
    if (is_over) {
        int error = line_flush(out, r, &in, count, &logs, &err);
        must(!error || (error == LM_EDATA && err.text[0]));
        must(!line_is_open(&in));
    }
    line_input_release(&in, &r->gather);
    return logs;
}

static int add_message(const struct record *record, void *ctx)
{
    *(size_t *)ctx += record->message.len;
    return 0;
}

/* The server takes `body`; returns the bytes of all messages. */
static size_t take(struct line_reader *r, struct slice body, size_t logs)
{
    struct format_counts counts = {0};
    struct buffer wrong;
    size_t bytes = 0;

    buffer_init(&wrong, OUTPUT_MAX);
    must(logs == 0 ||
         fastapi_lines.parse(body,
                             &(struct format_options){.memory = r->check.memory, .wrong = &wrong},
                             add_message, &bytes, &counts) == 0);
    must(counts.records == logs);
    buffer_release(&wrong);
    return bytes;
}

/* ---- Files that are followed ---- */

struct file {
    struct line_input input;
    uint64_t held_from;
};

static void begin_file(struct line_reader *r, struct file *f, uint64_t key)
{
    line_input_begin_file(&f->input, &r->forms, key, "/var/log/x", &f->held_from);
}

/* Appends the logs of the lines of `input` that begin in [from, to). Returns where it ended. */
static size_t follow(struct line_reader *r, struct file *f, struct slice input, size_t from,
                     size_t to, struct buffer *out)
{
    struct errbuf err = ERRBUF_INIT;
    size_t logs = 0;

    while (from < input.len && from < to) {
        struct slice rest = slice_of(input.data + from, input.len - from);
        struct line_part part = {.text = slice_cut(&rest, '\n'),
                                 .is_first = true,
                                 .is_last = true,
                                 .number = from,
                                 .read_us = 1700000000000000 + (int64_t)from};
        int error = line_append(out, r, &f->input, &part, count, &logs, &err);

        must(!error || error == LM_EDATA);
        must(f->held_from == line_input_held_from(&f->input));
        must(line_is_open(&f->input) || f->held_from == UINT64_MAX);
        from += part.text.len + 1;
    }
    return from;
}

static void flush(struct line_reader *r, struct file *f, struct buffer *out)
{
    struct errbuf err = ERRBUF_INIT;
    size_t logs = 0;
    int error = line_flush(out, r, &f->input, count, &logs, &err);

    must(!error || error == LM_EDATA);
    must(f->held_from == UINT64_MAX);
}

/* Each line of `some` is one of `all`. */
static void must_be_among(struct slice some, struct slice all)
{
    while (some.len > 0) {
        struct slice log = slice_cut(&some, '\n');

        must(memmem(all.data, all.len, log.data, log.len + 1));
    }
}

static void check_file(struct line_reader *r, struct slice input, size_t to)
{
    struct buffer all, begun, twice;
    struct file f, next;
    uint64_t guessed;

    buffer_init(&all, OUTPUT_MAX);
    buffer_init(&begun, OUTPUT_MAX);
    buffer_init(&twice, OUTPUT_MAX);
    begin_file(r, &f, 1);
    (void)follow(r, &f, input, 0, input.len, &all);
    flush(r, &f, &all);
    /* Ended there, and begun again. */
    begin_file(r, &f, 1);
    size_t at = follow(r, &f, input, 0, to, &begun);
    size_t from = f.held_from < at ? f.held_from : at;
    const char *form = line_input_form(&f.input, &guessed);
    line_input_release(&f.input, &r->gather);
    begin_file(r, &next, 1);
    line_chosen_again(&next.input.chosen, form, guessed);
    (void)follow(r, &next, input, from, input.len, &begun);
    flush(r, &next, &begun);
    must_be_among(buffer_slice(&all), buffer_slice(&begun));
    must_be_among(buffer_slice(&begun), buffer_slice(&all));
    /* With what was held back in other hands. */
    begin_file(r, &f, 1);
    begin_file(r, &next, 1);
    at = follow(r, &f, input, 0, to, &twice);
    line_input_goes_on(&f.input, &next.input);
    next.input.chosen = f.input.chosen;
    (void)follow(r, &next, input, at, input.len, &twice);
    flush(r, &next, &twice);
    must(f.held_from == UINT64_MAX);
    must(slice_equal(buffer_slice(&all), buffer_slice(&twice)));
    must(!r->gather.earliest && r->gather.held == 0);
    buffer_release(&all);
    buffer_release(&begun);
    buffer_release(&twice);
}

static size_t bytes_of_texts(struct slice input)
{
    size_t bytes = 0;

    while (input.len > 0) {
        struct slice line = slice_cut(&input, '\n');

        if (slice_trim(line).len > 0)
            bytes += line.len - (line.data[line.len - 1] == '\r');
    }
    return bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char formats[][20] = {
        "--format=auto",    "--format=json", "--format=logfmt", "--format=nginx", "--format=syslog",
        "--format=journal", "--format=cri",  "--format=docker", "--format=raw",
    };
    static char zone[] = "--zone=UTC", multiline[] = "--multiline";
    static char pattern[] = "--multiline-first=[0-9]{2}";
    char *args[ARGS_MAX] = {formats[0], zone, multiline};
    struct buffer logs, again, begun;
    struct errbuf err = ERRBUF_INIT;
    struct line_reader r;
    struct flags flags;

    if (size < 2)
        return 0;
    struct slice input = {(const char *)data + 2, size - 2};
    args[0] = formats[data[0] % (sizeof(formats) / sizeof(*formats))];
    args[2] = data[1] % 4 == 3 ? pattern : multiline;
    bool is_joined = data[1] % 2;
    must(flags_parse(&flags, client_find("import"), args, is_joined ? ARGS_MAX : ARGS_MAX - 1,
                     &err) == 0);
    must(line_reader_init(&r, &flags, &err) == 0);
    buffer_init(&logs, OUTPUT_MAX);
    buffer_init(&again, OUTPUT_MAX);
    buffer_init(&begun, OUTPUT_MAX);
    size_t n = read_lines(&r, input, true, &logs);
    size_t bytes = take(&r, buffer_slice(&logs), n);
    if (r.forms.chosen.format == LINE_PLAIN && !is_joined && utf8_valid(input))
        must(bytes >= bytes_of_texts(input)); /* more: U+0000 becomes U+FFFD */
    must(read_lines(&r, input, true, &again) == n);
    must(slice_equal(buffer_slice(&logs), buffer_slice(&again)));
    must(read_lines(&r, input, false, &begun) <= n);
    must(memcmp(logs.data ? logs.data : "", begun.data ? begun.data : "", begun.len) == 0);
    if (input.len > 0)
        check_file(&r, input, data[1] / 4 % input.len);
    buffer_release(&logs);
    buffer_release(&again);
    buffer_release(&begun);
    line_reader_release(&r);
    return 0;
}
