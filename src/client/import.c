/* logmill import: files of logs. */
#include <string.h>

#include "client/client.h"
#include "client/delivery.h"
#include "client/input_file.h"
#include "client/terminal.h"

enum { READ_BYTES = 64 << 10 };

static int import_lines(struct delivery *d, struct input_file *file, const char *name)
{
    struct errbuf err = ERRBUF_INIT;
    struct buffer bytes;
    uint64_t number = 0;
    ssize_t n = 1;
    int error = 0;

    buffer_init(&bytes, LINE_MAX_BYTES + READ_BYTES);
    while (n > 0 && !error && !delivery_stop) {
        char *room = buffer_reserve(&bytes, READ_BYTES);

        n = room ? input_file_read(file, room, READ_BYTES, &err)
                 : errbuf_fail(&err, LM_ENOMEM, "no memory");
        bytes.len += n > 0 ? (size_t)n : 0;
        delivery_add_lines(d, &bytes, &number, n == 0);
        while (delivery_is_full(d) && !error) {
            error = delivery_send(d);
            delivery_add_lines(d, &bytes, &number, n == 0);
        }
        terminal_progress("sent", d->sent, d->sent_bytes, false);
    }
    if (!error)
        error = delivery_send(d);
    if (n < 0) {
        terminal_say("import", "%s, after line %llu: %s", name, (unsigned long long)number,
                     err.text);
        error = (int)n;
    } else if (delivery_stop && n > 0 && !error) {
        terminal_say("import", "stopped after line %llu of %s; run it again for the rest",
                     (unsigned long long)number, name);
        error = LM_ESTOPPED;
    }
    buffer_release(&bytes);
    return error;
}

static int import_file(struct delivery *d, const char *name)
{
    struct errbuf err = ERRBUF_INIT;
    struct input_file *file = input_file_open(name, &err);
    struct buffer source;
    int error;

    if (!file) {
        terminal_say("import", "%s", err.text);
        return LM_EIO;
    }
    buffer_init(&source, SIZE_MAX / 2);
    buffer_appendf(&source, "%s: line", name);
    buffer_append_char(&source, '\0');
    d->source = source.data;
    d->lines.is_repeatable = true;
    d->lines.timestamp_us = input_file_changed_us(file);
    error = import_lines(d, file, name);
    buffer_release(&source);
    input_file_close(file);
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
        delivery_catch_signals();
        for (int i = 0; i < flags->args_len && !error; i++)
            error = import_file(&d, flags->args[i]);
        terminal_progress("sent", d.sent, d.sent_bytes, true);
        status = error || d.refused > 0;
    }
    delivery_release(&d);
    return status;
}
