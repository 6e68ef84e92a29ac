/* logmill send: a message, or the lines of standard input; those of files: follow.h. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/decoder.h"
#include "cli/delivery.h"
#include "cli/follow.h"
#include "cli/stop.h"
#include "cli/terminal.h"

enum {
    DELAY_US = 200000,       /* for which a line may wait for others */
    IDLE_MS = 1000,          /* between two looks at what a signal asked for */
    READ_BYTES = 64 << 10,   /* at a time */
    LEFT_BYTES_MAX = 1 << 20 /* read after a signal: what a full pipe can hold */
};

struct input {
    struct decoder decoder;
    struct buffer bytes; /* decoded, but no whole line yet */
    struct delivery_lines lines;
    bool is_over;
    size_t after_signal;
    struct errbuf err;
};

/* What standard input has, after a wait of `wait_ms` for it; *n is -1 if that is nothing yet. */
static int read_ready(struct input *in, int wait_ms, char *data, size_t len, ssize_t *n)
{
    struct pollfd stdin_poll = {.fd = STDIN_FILENO, .events = POLLIN};
    int ready = poll(&stdin_poll, 1, stop_is_asked() ? 0 : wait_ms);

    *n = ready == 0 && stop_is_asked() ? 0 : -1;
    if (ready > 0)
        *n = read(STDIN_FILENO, data, len);
    if (*n >= 0 || ready == 0 || errno == EINTR || errno == EAGAIN)
        return 0;
    return errbuf_fail(&in->err, LM_EIO, "cannot read: %s", strerror(errno));
}

/* Waits until there is input, for `wait_ms`, and takes some of it. */
static int read_some(struct input *in, int wait_ms)
{
    char data[READ_BYTES];
    ssize_t n;
    int error = read_ready(in, wait_ms, data, sizeof(data), &n);

    if (error || n < 0)
        return error;
    in->after_signal += stop_is_asked() ? (size_t)n : 0;
    in->is_over = n == 0 || in->after_signal >= LEFT_BYTES_MAX;
    return decoder_feed(&in->decoder, slice_of(data, (size_t)n), in->is_over, &in->bytes, &in->err);
}

/* `batch_us`: when the batch is to leave though there is no more input. */
static int wait_ms(const struct delivery *d, uint64_t batch_us, uint64_t now)
{
    uint64_t next = now + (uint64_t)IDLE_MS * 1000;

    if (d->batch.len > 0 && batch_us < next)
        next = batch_us;
    if (line_due_us(&d->lines) < next)
        next = line_due_us(&d->lines);
    return next > now ? (int)((next - now) / 1000 + 1) : 0;
}

/* Adds the lines that are there, and a log whose next line does not come. */
static void add_lines(struct delivery *d, struct input *in, uint64_t *batch_us)
{
    uint64_t now = clock_monotonic_us();

    if (d->batch.len == 0)
        *batch_us = now + DELAY_US;
    if (decoder_is_json(&in->decoder))
        d->input.chosen.format = LINE_JSON;
    d->input.is_journal = decoder_is_journal(&in->decoder);
    line_reader_set_now(&d->lines, clock_wall_us());
    delivery_add_lines(d, &in->bytes, &in->lines, in->is_over);
    if (!delivery_is_full(d)) /* else lines that go on with it may be there */
        delivery_flush_due(d, now);
}

static int send_lines(struct delivery *d, struct input *in)
{
    uint64_t batch_us = 0;
    int error = 0, read_error = 0;

    while (!error && !(in->is_over && in->bytes.len == 0 && d->batch.len == 0)) {
        uint64_t now = clock_monotonic_us();

        if (d->batch.len > 0 && (in->is_over || delivery_is_full(d) || now >= batch_us)) {
            error = delivery_send(d);
            terminal_progress("sent", d->out.sent, d->out.sent_bytes);
        } else if (!in->is_over) {
            read_error = read_some(in, wait_ms(d, batch_us, now));
            in->is_over = in->is_over || read_error; /* what is whole is sent all the same */
        }
        add_lines(d, in, &batch_us);
    }
    if (read_error)
        terminal_say(d->out.command, "standard input, after line %llu: %s",
                     (unsigned long long)in->lines.number, in->err.text);
    return error ? error : read_error;
}

static int send_input(struct delivery *d)
{
    struct input in = {.is_over = false};

    decoder_init(&in.decoder, line_is_plain(&d->lines));
    buffer_init(&in.bytes, SIZE_MAX / 2); /* a line of LINE_JSON_MAX and what is read at a time */
    int error = send_lines(d, &in);
    decoder_release(&in.decoder);
    buffer_release(&in.bytes);
    return error;
}

/* The arguments, with a space between two. */
static int send_arguments(struct delivery *d, const struct flags *flags)
{
    struct buffer text;

    buffer_init_small(&text);
    for (int i = 0; i < flags->args_len; i++) {
        buffer_append(&text, " ", i > 0);
        buffer_append_string(&text, flags->args[i]);
    }
    delivery_add(d, buffer_slice(&text), 1);
    delivery_flush(d);
    int error = delivery_send(d);
    buffer_release(&text);
    return error;
}

int client_send(const struct flags *flags)
{
    struct errbuf err = ERRBUF_INIT;
    struct delivery d;
    int error, status = CLIENT_USAGE;

    if (follow_check(flags, &err)) {
        terminal_say(flags->command->name, "%s", err.text);
        return CLIENT_USAGE;
    }
    if (follow_is_meant(flags))
        return follow_run(flags);
    if (delivery_init(&d, flags, &err)) {
        terminal_say(flags->command->name, "%s", err.text);
    } else {
        stop_catch_signals(-1);
        error = flags->args_len > 0 ? send_arguments(&d, flags) : send_input(&d);
        delivery_say_unfit(&d);
        if (isatty(STDERR_FILENO) || d.out.refused > 0)
            dispatch_say_sum(&d.out, d.begun_us);
        status = error || d.out.refused > 0;
    }
    delivery_release(&d);
    return status;
}
