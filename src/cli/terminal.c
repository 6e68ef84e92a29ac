#include "cli/terminal.h"

#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/errbuf.h"
#include "json/writer.h"

enum { PROGRESS_FIRST_US = 1000000, PROGRESS_EVERY_US = 250000 };

static bool progress_shown;

/* The code point at the start of `text`, valid UTF-8, and its length. */
static unsigned code_point(struct slice text, size_t *len)
{
    unsigned char c = (unsigned char)text.data[0];
    unsigned code = c;

    *len = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if (*len > 1)
        code = c & (0xffU >> (*len + 1));
    for (size_t i = 1; i < *len; i++)
        code = code << 6 | ((unsigned char)text.data[i] & 0x3fU);
    return code;
}

static bool turns_direction(unsigned code)
{
    return code == 0x200e || code == 0x200f || code == 0x061c ||
           (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

static void append_valid(struct buffer *b, struct slice text, const char *indent)
{
    size_t len;

    for (size_t i = 0; i < text.len; i += len) {
        unsigned code = code_point(slice_of(text.data + i, text.len - i), &len);

        if (code == '\n') {
            buffer_append_char(b, '\n');
            buffer_append_string(b, indent);
        } else if (code < 0x20 && code != '\t') {
            buffer_append(b, (char[]){'\xe2', '\x90', (char)(0x80 + code)}, 3);
        } else if (code == 0x7f) {
            buffer_append_string(b, "\xe2\x90\xa1");
        } else if ((code >= 0x80 && code < 0xa0) || turns_direction(code)) {
            buffer_appendf(b, "\\u%04x", code);
        } else {
            buffer_append(b, text.data + i, len);
        }
    }
}

void terminal_append_visible(struct buffer *b, struct slice text, const char *indent)
{
    struct buffer repaired;

    if (utf8_valid(text)) {
        append_valid(b, text, indent);
        return;
    }
    buffer_init(&repaired, SIZE_MAX / 2);
    utf8_append_repaired(&repaired, text);
    append_valid(b, buffer_slice(&repaired), indent);
    buffer_release(&repaired);
}

void terminal_say(const char *command, const char *format, ...)
{
    struct errbuf text;
    struct buffer line;
    va_list args;

    va_start(args, format);
    vsnprintf(text.text, sizeof(text.text), format, args);
    va_end(args);
    buffer_init(&line, SIZE_MAX / 2);
    terminal_append_visible(&line, slice_of_string(text.text), "  ");
    terminal_clear_status();
    fprintf(stderr, "logmill %s: %.*s\n", command, SLICE_ARG(buffer_slice(&line)));
    buffer_release(&line);
}

bool terminal_wait(unsigned ms)
{
    struct pollfd output = {.fd = STDOUT_FILENO};

    return poll(&output, 1, (int)ms) > 0 && (output.revents & (POLLERR | POLLHUP)) != 0;
}

void terminal_status(const char *format, ...)
{
    va_list args;

    if (!isatty(STDERR_FILENO))
        return;
    fputs("\r\033[K", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    progress_shown = true;
}

void terminal_clear_status(void)
{
    if (progress_shown)
        fputs("\r\033[K", stderr);
    progress_shown = false;
}

void terminal_progress(const char *what, unsigned long long logs, unsigned long long bytes)
{
    static uint64_t next;
    uint64_t now = clock_monotonic_us();
    char number[TERMINAL_NUMBER_LEN];

    if (next == 0)
        next = now + PROGRESS_FIRST_US;
    if (now < next)
        return;
    terminal_number(logs, number);
    terminal_status("%s logs, %.1f MB %s", number, (double)bytes / 1e6, what);
    next = now + PROGRESS_EVERY_US;
}

void terminal_number(unsigned long long n, char out[TERMINAL_NUMBER_LEN])
{
    char digits[TERMINAL_NUMBER_LEN];
    int len = snprintf(digits, sizeof(digits), "%llu", n);

    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            *out++ = ',';
        *out++ = digits[i];
    }
    *out = '\0';
}
