/* logmill import: files of logs. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/decoder.h"
#include "cli/delivery.h"
#include "cli/import_times.h"
#include "cli/stop.h"
#include "cli/terminal.h"
#include "follow/archive.h"

enum { READ_BYTES = 64 << 10 };

/* One file on its way. */
struct import {
    struct delivery *d;
    const char *name;
    struct archive *file;
    struct decoder decoder;
    struct buffer bytes; /* decoded, not added yet */
    struct line_place place;
    struct delivery_lines lines;
    bool is_read; /* to its end */
};

/* Reads some more. */
static int read_some(struct import *im, struct errbuf *err)
{
    char read[READ_BYTES];
    ssize_t n = archive_read(im->file, read, sizeof(read), err);

    if (n < 0)
        return (int)n;
    im->is_read = n == 0;
    return decoder_feed(&im->decoder, slice_of(read, (size_t)n), im->is_read, &im->bytes, err);
}

/* The first time that a log of `text`, the beginning of the file, has of its own. */
static bool find_time(struct import *im, struct slice text, int64_t *us)
{
    while (text.len > 0) {
        const char *end = memchr(text.data, '\n', text.len);

        if (!end && !im->is_read)
            return false;
        if (line_own_time(&im->d->lines, &im->d->input, slice_cut(&text, '\n'), us))
            return true;
    }
    return false;
}

/*
 * Logs without a time get that of the one before. For those before the first that has one, and
 * if none has, a time is needed that the next import of this file finds again.
 */
static void set_time(struct import *im)
{
    struct slice head = buffer_slice(&im->bytes);
    struct errbuf err = ERRBUF_INIT;

    head.len = head.len < IMPORT_TIMES_HEAD ? head.len : IMPORT_TIMES_HEAD;
    im->place.is_spread = import_times_find(im->place.hash, head, &im->place.time_us);
    if (im->place.is_spread || find_time(im, head, &im->place.time_us))
        return;
    im->place.is_spread = true;
    im->place.time_us = archive_changed_us(im->file);
    if (!im->place.time_us)
        im->place.time_us = clock_wall_us();
    if (import_times_add(im->place.hash, head, im->place.time_us, &err))
        terminal_say("import",
                     "%s: its lines have no time, and the one that they get cannot be remembered: "
                     "once it has grown, import would store them again (%s)",
                     im->name, err.text);
}

static int read_head(struct import *im, struct errbuf *err)
{
    int error = 0;

    while (!error && !im->is_read && im->bytes.len < IMPORT_TIMES_HEAD)
        error = read_some(im, err);
    line_reader_set_now(&im->d->lines, archive_changed_us(im->file) ? archive_changed_us(im->file)
                                                                    : clock_wall_us());
    im->place = line_place_begin(&im->d->lines);
    line_input_begin_again(&im->d->input, &im->d->lines.forms, &im->place);
    if (decoder_is_json(&im->decoder))
        im->d->input.chosen.format = LINE_JSON;
    im->d->input.is_journal = decoder_is_journal(&im->decoder);
    if (im->bytes.len > 0)
        set_time(im);
    return error;
}

static int import_lines(struct import *im, struct errbuf *err)
{
    struct delivery *d = im->d;
    int error = read_head(im, err), send_error = 0;

    while (!send_error && !delivery_is_over(d) && !stop_is_asked()) {
        delivery_add_lines(d, &im->bytes, &im->lines, im->is_read && !error);
        if (delivery_is_full(d))
            send_error = delivery_send(d);
        else if (error || im->is_read)
            break;
        else
            error = read_some(im, err);
        terminal_progress("sent", d->out.sent, d->out.sent_bytes);
    }
    if (!send_error)
        send_error = delivery_send(d);
    if (error && im->lines.number == 0)
        terminal_say("import", "%s: %s", im->name, err->text);
    else if (error)
        terminal_say("import", "%s, after line %llu: %s", im->name,
                     (unsigned long long)im->lines.number, err->text);
    return send_error ? send_error : error;
}

static int import_opened(struct import *im)
{
    struct errbuf err = ERRBUF_INIT;
    int error = import_lines(im, &err);

    line_input_release(&im->d->input, &im->d->lines.gather);
    im->d->input.place = NULL;
    delivery_say_unfit(im->d);
    if (delivery_is_over(im->d)) {
        terminal_say("import",
                     "stopped there. Mend it and run it again: what is stored stays, once; or "
                     "leave out what cannot be a log with --keep-going");
        return LM_EDATA;
    }
    if (!error && stop_is_asked() && !(im->is_read && im->bytes.len == 0)) {
        terminal_say("import", "stopped after line %llu of %s; run it again for the rest",
                     (unsigned long long)im->lines.number, im->name);
        return LM_ESTOPPED;
    }
    return error;
}

static int import_file(struct delivery *d, const char *name)
{
    struct import im = {.d = d, .name = name};
    struct errbuf err = ERRBUF_INIT;
    struct buffer source;

    im.file = archive_open(name, &err);
    if (!im.file) {
        terminal_say("import", "%s", err.text);
        return LM_EIO;
    }
    buffer_init_small(&source);
    buffer_appendf(&source, "%s: line", name);
    buffer_append_char(&source, '\0');
    d->source = source.data;
    decoder_init(&im.decoder, line_is_plain(&d->lines));
    buffer_init(&im.bytes, SIZE_MAX / 2); /* a line of LINE_JSON_MAX and what was read at a time */
    int error = import_opened(&im);
    buffer_release(&im.bytes);
    decoder_release(&im.decoder);
    buffer_release(&source);
    archive_close(im.file);
    return error;
}

int client_import(const struct flags *flags)
{
    struct errbuf err = ERRBUF_INIT;
    struct delivery d;
    int error = 0, status = CLIENT_USAGE;

    if (delivery_init(&d, flags, &err)) {
        terminal_say("import", "%s", err.text);
    } else if (flags->args_len == 0) {
        terminal_say("import", "no FILE given; - is standard input");
    } else {
        d.out.is_strict = !flags_has(flags, "keep-going");
        stop_catch_signals(-1);
        for (int i = 0; i < flags->args_len && !error; i++)
            error = import_file(&d, flags->args[i]);
        dispatch_say_sum(&d.out, d.begun_us);
        status = error || d.out.refused > 0;
    }
    delivery_release(&d);
    return status;
}
