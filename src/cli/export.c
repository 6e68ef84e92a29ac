/* logmill export: a download of GET /logs, to standard output or a file. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/visible.h"
#include "cli/cli.h"
#include "cli/filters.h"
#include "cli/http_client.h"
#include "cli/show.h"
#include "cli/terminal.h"

#define LINE_CEILING ((size_t)1 << 30)

struct export
{
    FILE *file;         /* NULL: standard output */
    bool is_terminal;   /* standard output is one: nothing may control it */
    struct buffer line; /* for a terminal: what is no whole line yet */
    struct buffer shown;
    uint64_t logs, bytes; /* lines, which are logs if the format is NDJSON */
    struct errbuf *err;
};

static int show_lines(struct export *e)
{
    const char *end = memrchr(e->line.data, '\n', e->line.len);
    size_t len = end ? (size_t)(end - e->line.data) + 1 : 0;

    buffer_clear(&e->shown);
    for (size_t i = 0, n; i < len; i += n) {
        struct slice line = {e->line.data + i, 0};

        line.len = n = (size_t)((const char *)memchr(line.data, '\n', len - i) - line.data) + 1;
        if (n > 1 && line.data[n - 2] == '\r') { /* the end of a CSV row */
            line.len = n - 2;
            visible_append_lines(&e->shown, line, "");
            line = SLICE_LITERAL("\n");
        }
        visible_append_lines(&e->shown, line, "");
    }
    buffer_consume(&e->line, len);
    return buffer_error(&e->shown) ? buffer_error(&e->shown)
                                   : show_write(buffer_slice(&e->shown), e->err);
}

static int take(struct slice bytes, void *ctx)
{
    struct export *e = ctx;

    e->bytes += bytes.len;
    for (const char *c = bytes.data; (c = memchr(c, '\n', bytes.len - (size_t)(c - bytes.data)));
         c++)
        e->logs++;
    if (!e->is_terminal)
        terminal_progress("written", e->logs, e->bytes);
    if (e->file)
        return fwrite(bytes.data, 1, bytes.len, e->file) == bytes.len
                   ? 0
                   : errbuf_fail(e->err, LM_EIO, "cannot write: %s", strerror(errno));
    if (!e->is_terminal)
        return show_write(bytes, e->err);
    buffer_append_slice(&e->line, bytes);
    return buffer_error(&e->line) ? buffer_error(&e->line) : show_lines(e);
}

/* How much it was, if somebody waits for it; rows of CSV are not counted: texts have newlines.
 */
static void say_sum(const struct export *e, const char *format, uint64_t begun_us)
{
    double seconds = (double)(clock_monotonic_us() - begun_us) / 1e6;
    char logs[TERMINAL_NUMBER_LEN];

    if (!isatty(STDERR_FILENO) || e->is_terminal)
        return;
    terminal_number(e->logs, logs);
    terminal_say("export", "%s%s%.1f MB in %.1f s", strcmp(format, "ndjson") == 0 ? logs : "",
                 strcmp(format, "ndjson") == 0 ? " logs, " : "", (double)e->bytes / 1e6, seconds);
}

static int download(struct export *e, struct http_client *client, const struct flags *flags)
{
    struct http_client_request request = {.take = take, .ctx = e};
    struct buffer path;

    buffer_init_small(&path);
    buffer_append_string(&path, "/logs");
    filters_append_param(&path, "format", slice_of_string(flags_text(flags, "format")));
    if (flags_text(flags, "fields"))
        filters_append_param(&path, "fields", slice_of_string(flags_text(flags, "fields")));
    int error = filters_append(&path, flags, e->err);
    buffer_append_char(&path, '\0');
    request.path = path.data;
    if (!error)
        error = http_client_run(client, &request, e->err);
    terminal_clear_status();
    buffer_release(&path);
    return error;
}

/* Under another name until it is whole and on the disk. */
static int download_to_file(struct export *e, struct http_client *client, const struct flags *flags,
                            const char *name)
{
    struct buffer part;
    int error;

    buffer_init_small(&part);
    buffer_append_string(&part, name);
    buffer_append(&part, ".part", sizeof(".part"));
    e->file = fopen(part.data, "we");
    if (!e->file) {
        error = errbuf_fail(e->err, LM_EIO, "cannot write %s: %s", part.data, strerror(errno));
        buffer_release(&part);
        return error;
    }
    error = download(e, client, flags);
    if (!error && (fflush(e->file) || fsync(fileno(e->file))))
        error = errbuf_fail(e->err, LM_EIO, "cannot write %s: %s", part.data, strerror(errno));
    if (fclose(e->file) && !error)
        error = errbuf_fail(e->err, LM_EIO, "cannot write %s: %s", part.data, strerror(errno));
    if (!error && rename(part.data, name))
        error = errbuf_fail(e->err, LM_EIO, "cannot rename %s: %s", part.data, strerror(errno));
    if (error)
        unlink(part.data);
    buffer_release(&part);
    return error;
}

int client_export(const struct flags *flags)
{
    struct errbuf err = ERRBUF_INIT;
    struct http_client *client = http_client_new(flags, &err);
    const char *name = flags_text(flags, "output");
    struct export e = {.is_terminal = !name && isatty(STDOUT_FILENO), .err = &err};
    uint64_t begun_us = clock_monotonic_us();
    bool is_wrong = !client || filters_check(flags, &err);
    int error = LM_EINVAL;

    buffer_init(&e.line, LINE_CEILING);
    buffer_init(&e.shown, LINE_CEILING);
    if (!is_wrong)
        error = name ? download_to_file(&e, client, flags, name) : download(&e, client, flags);
    if (err.text[0])
        terminal_say("export", "%s", err.text);
    else if (!error)
        say_sum(&e, flags_text(flags, "format"), begun_us);
    buffer_release(&e.line);
    buffer_release(&e.shown);
    http_client_free(client);
    return is_wrong ? CLIENT_USAGE : error ? 1 : 0;
}
