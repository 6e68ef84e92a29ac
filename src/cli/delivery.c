#include "cli/delivery.h"

#include <string.h>

#include "base/clock.h"
#include "cli/terminal.h"

int delivery_init(struct delivery *d, const struct flags *flags, struct errbuf *err)
{
    *d = (struct delivery){.source = "line", .begun_us = clock_monotonic_us()};
    parcel_init(&d->batch);
    int error = line_reader_init(&d->lines, flags, err);
    line_input_begin(&d->input, &d->lines.forms);
    return error ? error : dispatch_init(&d->out, flags, err);
}

void delivery_release(struct delivery *d)
{
    dispatch_release(&d->out);
    line_input_release(&d->input, &d->lines.gather);
    line_reader_release(&d->lines);
    parcel_release(&d->batch);
}

static void refuse(struct delivery *d, uint64_t number, const char *reason)
{
    dispatch_refuse(&d->out, d->source, number, reason);
}

static void added(void *ctx)
{
    struct delivery *d = ctx;

    parcel_source(&d->batch, d->source);
    parcel_add(&d->batch, d->lines.log_number);
}

/* Something of the input's was added, or could not be. */
static void look(struct delivery *d, int error, const struct errbuf *err, uint64_t repaired_before)
{
    uint64_t number = d->lines.log_number;

    if (error)
        refuse(d, number, err->text[0] ? err->text : lm_error_text(error));
    if (repaired_before == 0 && d->lines.repaired > 0)
        terminal_say(d->out.command,
                     "%s %llu is not UTF-8: U+FFFD stands for what is not, there and in others "
                     "like it",
                     d->source, (unsigned long long)number);
}

static void add_part(struct delivery *d, struct slice text, uint64_t number, bool is_first,
                     bool is_last)
{
    struct line_part part = {
        .text = text, .is_first = is_first, .is_last = is_last, .number = number};
    uint64_t repaired = d->lines.repaired;
    struct errbuf err = ERRBUF_INIT;
    int error = line_append(&d->batch.body, &d->lines, &d->input, &part, added, d, &err);

    look(d, error, &err, repaired);
}

void delivery_flush(struct delivery *d)
{
    uint64_t repaired = d->lines.repaired;
    struct errbuf err = ERRBUF_INIT;
    int error = line_flush(&d->batch.body, &d->lines, &d->input, added, d, &err);

    look(d, error, &err, repaired);
}

void delivery_flush_due(struct delivery *d, uint64_t now_us)
{
    while (line_due_us(&d->lines) <= now_us) {
        uint64_t repaired = d->lines.repaired;
        struct errbuf err = ERRBUF_INIT;
        int error = line_flush_due(&d->batch.body, &d->lines, now_us, added, d, &err);

        look(d, error, &err, repaired);
    }
}

void delivery_add(struct delivery *d, struct slice line, uint64_t number)
{
    add_part(d, line, number, true, true);
}

/* Adds `text`, more of a line: all that is left if `is_last`. */
static void add_more(struct delivery *d, struct delivery_lines *lines, struct slice text,
                     bool is_last)
{
    bool is_first = !lines->is_inside;

    lines->number += is_first;
    if (!lines->is_too_long)
        add_part(d, text, lines->number, is_first, is_last);
    lines->is_inside = !is_last;
    lines->is_too_long = lines->is_too_long && !is_last;
    lines->scanned = 0;
}

/* A line that is not whole yet, but long: returns how many bytes of it were dealt with. */
static size_t add_long(struct delivery *d, struct delivery_lines *lines, struct slice text)
{
    if (lines->is_too_long)
        return text.len;
    if (!lines->is_inside && line_may_be_json(&d->input, text)) {
        if (text.len <= LINE_JSON_MAX)
            return 0;
        lines->number++;
        lines->is_inside = lines->is_too_long = true;
        refuse(d, lines->number, "longer than 256 MiB, the most that MAX_BODY_BYTES may be");
        return text.len;
    }
    if (text.len < 2 * LINE_PIECE_MAX)
        return 0;
    text.len = line_log_piece_len(text);
    add_more(d, lines, text, false);
    return text.len;
}

void delivery_add_lines(struct delivery *d, struct buffer *bytes, struct delivery_lines *lines,
                        bool is_over)
{
    size_t begin = 0, added_len = 1;

    while (begin < bytes->len && added_len > 0 && !delivery_is_full(d) && !delivery_is_over(d)) {
        struct slice line = {bytes->data + begin, bytes->len - begin};
        const char *end = memchr(line.data + lines->scanned, '\n', line.len - lines->scanned);

        if (end || is_over) {
            line.len = end ? (size_t)(end - line.data) : line.len;
            add_more(d, lines, line, true);
            added_len = line.len + (end ? 1 : 0);
        } else {
            added_len = add_long(d, lines, line);
            lines->scanned = added_len > 0 ? 0 : line.len;
        }
        begin += added_len;
    }
    buffer_consume(bytes, begin);
    if (is_over && bytes->len == 0 && !delivery_is_full(d) && !delivery_is_over(d))
        delivery_flush(d);
}

bool delivery_is_over(const struct delivery *d)
{
    return d->out.is_strict && d->out.refused > 0;
}

bool delivery_is_full(const struct delivery *d)
{
    return parcel_is_full(&d->batch);
}

int delivery_send(struct delivery *d)
{
    int error = dispatch_send(&d->out, &d->batch);

    if (!error)
        parcel_clear(&d->batch);
    return error;
}

void delivery_say_unfit(const struct delivery *d)
{
    char unfit[TERMINAL_NUMBER_LEN];

    if (d->input.chosen.unfit == 0)
        return;
    terminal_number(d->input.chosen.unfit, unfit);
    terminal_say(d->out.command, "%s %llu%s not of the form %s: kept as text%s%s%s", d->source,
                 (unsigned long long)d->input.chosen.first_unfit,
                 d->input.chosen.unfit == 1 ? " is" : " and others are", d->lines.forms.name,
                 d->input.chosen.unfit == 1 ? "" : ", ", d->input.chosen.unfit == 1 ? "" : unfit,
                 d->input.chosen.unfit == 1 ? "" : " in all");
}
