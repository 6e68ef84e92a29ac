#include "cli/terminal.h"

#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/errbuf.h"
#include "base/visible.h"

enum { PROGRESS_FIRST_US = 1000000, PROGRESS_EVERY_US = 250000 };

static bool progress_shown;

void terminal_say(const char *command, const char *format, ...)
{
    char text[PATH_MAX + ERRBUF_SIZE]; /* many tell of a file, and why behind its path */
    struct buffer line;
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    buffer_init_small(&line);
    visible_append_lines(&line, slice_of_string(text), "  ");
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
    if (!progress_shown) /* not written to without need: there may be other threads */
        return;
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

void terminal_bytes(uint64_t n, char out[TERMINAL_AMOUNT_LEN])
{
    static const char *const units[] = {"kB", "MB", "GB", "TB"};
    double amount = (double)n / 1e3;
    size_t unit = 0;

    while (amount >= 999.95 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        amount /= 1e3;
        unit++;
    }
    if (n < 1000)
        snprintf(out, TERMINAL_AMOUNT_LEN, "%llu byte%s", (unsigned long long)n, n == 1 ? "" : "s");
    else
        snprintf(out, TERMINAL_AMOUNT_LEN, "%.1f %s", amount, units[unit]);
}

void terminal_seconds(uint64_t n, char out[TERMINAL_AMOUNT_LEN])
{
    unsigned long long amount = n < 120 ? n : n < 7200 ? n / 60 : n < 172800 ? n / 3600 : n / 86400;

    snprintf(out, TERMINAL_AMOUNT_LEN, "%llu %s", amount,
             n < 120      ? "s"
             : n < 7200   ? "min"
             : n < 172800 ? "h"
                          : "days");
}
