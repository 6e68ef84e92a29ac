/* logmill send: a message, or the lines of standard input. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/client.h"
#include "client/delivery.h"
#include "client/terminal.h"

enum {
    DELAY_US = 200000,       /* for which a line may wait for others */
    IDLE_MS = 1000,          /* between two looks at delivery_stop */
    READ_BYTES = 64 << 10,   /* at a time */
    LEFT_BYTES_MAX = 1 << 20 /* read after a signal: what a full pipe can hold */
};

struct input {
    struct buffer bytes; /* read, but no whole line yet */
    uint64_t number;     /* of the last line */
    bool is_over;
    size_t after_signal;
};

/* Waits until there is input, for `wait_ms`, and reads some of it. */
static int read_some(struct input *in, int wait_ms)
{
    struct pollfd stdin_poll = {.fd = STDIN_FILENO, .events = POLLIN};
    int ready = poll(&stdin_poll, 1, delivery_stop ? 0 : wait_ms);
    ssize_t n = 0;
    char *room;

    if (ready < 0)
        return errno == EINTR ? 0 : LM_EIO;
    if (ready == 0) {
        in->is_over = delivery_stop != 0;
        return 0;
    }
    room = buffer_reserve(&in->bytes, READ_BYTES);
    n = room ? read(STDIN_FILENO, room, READ_BYTES) : -1;
    if (n < 0)
        return room && (errno == EINTR || errno == EAGAIN) ? 0 : LM_EIO;
    in->bytes.len += (size_t)n;
    in->after_signal += delivery_stop ? (size_t)n : 0;
    in->is_over = n == 0 || in->after_signal >= LEFT_BYTES_MAX;
    return 0;
}

static int send_input(struct delivery *d)
{
    struct input in = {0};
    uint64_t deadline = 0;
    int error = 0;

    buffer_init(&in.bytes, LINE_MAX_BYTES + READ_BYTES);
    while (error == 0 && !(in.is_over && in.bytes.len == 0 && d->len == 0)) {
        uint64_t now = clock_monotonic_us();

        if (d->len > 0 && (in.is_over || delivery_is_full(d) || now >= deadline)) {
            error = delivery_send(d);
            terminal_progress("sent", d->sent, d->sent_bytes, false);
        } else if (!in.is_over) {
            error = read_some(&in, d->len > 0 ? (int)((deadline - now) / 1000 + 1) : IDLE_MS);
            if (error)
                terminal_say(d->command, "cannot read standard input: %s", strerror(errno));
        }
        now = clock_monotonic_us();
        if (d->len == 0)
            deadline = now + DELAY_US;
        delivery_add_lines(d, &in.bytes, &in.number, in.is_over);
    }
    terminal_progress("sent", d->sent, d->sent_bytes, true);
    buffer_release(&in.bytes);
    return error;
}

/* The arguments, with a space between two. */
static int send_arguments(struct delivery *d, const struct flags *flags)
{
    struct buffer text;
    int error;

    buffer_init(&text, LINE_MAX_BYTES);
    for (int i = 0; i < flags->args_len; i++) {
        buffer_append(&text, " ", i > 0);
        buffer_append_string(&text, flags->args[i]);
    }
    delivery_add(d, buffer_slice(&text), 1);
    error = delivery_send(d);
    buffer_release(&text);
    return error;
}

int client_send(const struct flags *flags)
{
    struct errbuf err = ERRBUF_INIT;
    struct delivery d;
    int error, status = CLIENT_USAGE;

    if (delivery_init(&d, flags, &err)) {
        terminal_say(flags->command->name, "%s", err.text);
    } else {
        delivery_catch_signals();
        error = flags->args_len > 0 ? send_arguments(&d, flags) : send_input(&d);
        status = error || d.refused > 0;
    }
    delivery_release(&d);
    return status;
}
