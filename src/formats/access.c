/*
 * The logs of nginx and Apache (nginx: ngx_http_log_module, "combined"; Apache: mod_log_config,
 * "common", "combined" and "vhost_combined"; both: their error logs, whose forms are fixed). The
 * message is the whole line; what is in it becomes attributes.
 *
 *   access  client, user, identity, vhost, method, path, protocol, status, bytes, referrer,
 *           user_agent; the level is error for a status of 5xx, warning for 4xx, else info
 *   error   pid, tid, connection, module, client, server, request, upstream, host, referrer, as far
 *           as they are there; the level is the log's own
 *
 * What an access log has of its own behind those (times of an upstream, …) is in the message alone.
 */
#include "formats/line_format.h"
#include "formats/line_scan.h"
#include "formats/line_time.h"
#include "formats/members.h"

enum { STATUS_DIGITS = 3, NUMBER_DIGITS_MAX = 18 };

/* ---- Values ---- */

/* "-" and nothing are none. */
static void put_text(struct record_draft *d, const char *name, struct slice text)
{
    if (text.len && !slice_equal(text, SLICE_LITERAL("-")))
        record_draft_text(d, slice_of_string(name), text);
}

static void put_number(struct record_draft *d, const char *name, struct slice digits)
{
    struct slice rest = digits;

    if (line_take_digits(&rest, NUMBER_DIGITS_MAX).len == 0)
        return;
    if (rest.len || (digits.len > 1 && digits.data[0] == '0')) {
        put_text(d, name, digits);
        return;
    }
    record_draft_number(d, slice_of_string(name), digits);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The character that `*rest`, what stands behind a backslash, means; it is taken off. */
static char take_escaped(struct slice *rest)
{
    char c = rest->data[0];

    if (c == 'x' && rest->len > 2 && hex_digit(rest->data[1]) >= 0 &&
        hex_digit(rest->data[2]) >= 0) {
        c = (char)(hex_digit(rest->data[1]) << 4 | hex_digit(rest->data[2]));
        line_drop(rest, 3);
        return c;
    }
    line_drop(rest, 1);
    return c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c;
}

/* Takes a text in quotes off `*rest`, without its escapes: nginx writes \x22, Apache \" and \n. */
static bool take_quoted(struct line_memory *m, struct slice *rest, struct slice *text)
{
    struct slice at = *rest;
    bool is_escaped = false;

    if (!line_take(&at, "\""))
        return false;
    const char *begin = at.data;
    buffer_clear(&m->attribute);
    while (at.len && at.data[0] != '"') {
        if (at.data[0] != '\\' || at.len == 1) {
            buffer_append_char(&m->attribute, at.data[0]);
            line_drop(&at, 1);
            continue;
        }
        is_escaped = true;
        line_drop(&at, 1);
        buffer_append_char(&m->attribute, take_escaped(&at));
    }
    if (!at.len)
        return false;
    *text = is_escaped ? buffer_slice(&m->attribute) : slice_of(begin, (size_t)(at.data - begin));
    line_drop(&at, 1);
    *rest = at;
    return !buffer_error(&m->attribute);
}

/* ---- Access logs ---- */

/* What the client asked for, if it is a request at all: anybody may send any bytes. */
static void put_request(struct record_draft *d, struct slice request)
{
    struct slice rest = request;
    struct slice method = line_take_word(&rest), path = line_take_word(&rest);

    if (line_begins(rest, SLICE_LITERAL("HTTP/")) && !memchr(rest.data, ' ', rest.len)) {
        put_text(d, "method", method);
        put_text(d, "path", path);
        put_text(d, "protocol", rest);
    } else {
        put_text(d, "request", request);
    }
}

static const char *level_of_status(char first)
{
    return first == '5' ? "error" : first == '4' ? "warning" : "info";
}

/* "client identity user [", of which vhost_combined has a word more in front. */
static bool take_who(struct slice *rest, struct record_draft *d)
{
    struct slice words, names[4];
    int n = 0;

    if (!line_take_until(rest, '[', &words) || !words.len || words.data[words.len - 1] != ' ')
        return false;
    while (words.len && n < 4)
        names[n++] = line_take_word(&words);
    if (words.len || n < 3)
        return false;
    if (n == 4)
        put_text(d, "vhost", names[0]);
    put_text(d, "client", names[n - 3]);
    put_text(d, "identity", names[n - 2]);
    put_text(d, "user", names[n - 1]);
    return true;
}

static bool read_access(struct line_memory *m, struct slice line, struct record_draft *d)
{
    struct slice rest = line, text;
    struct line_time time;

    if (!take_who(&rest, d))
        return false;
    line_drop(&rest, line_time_access(rest, &time));
    if (!line_take(&rest, "] ") || !take_quoted(m, &rest, &text))
        return false;
    put_request(d, text);
    struct slice status, bytes;
    if (!line_take(&rest, " "))
        return false;
    status = line_take_word(&rest);
    bytes = line_take_word(&rest);
    struct slice digits = status;
    if (line_take_digits(&digits, STATUS_DIGITS).len != STATUS_DIGITS || digits.len || !bytes.len)
        return false;
    put_number(d, "status", status);
    put_number(d, "bytes", bytes);
    if (take_quoted(m, &rest, &text)) {
        put_text(d, "referrer", text);
        line_drop_blanks(&rest);
        if (take_quoted(m, &rest, &text))
            put_text(d, "user_agent", text);
    }
    record_draft_message(d, line);
    record_draft_level(d, slice_of_string(level_of_status(status.data[0])));
    members_put_time(d, time.us, time.below_us);
    return true;
}

/* ---- nginx's error log ---- */

/* ", client: …, server: …, request: "…", …" at the end of a message. */
static void put_context(struct line_memory *m, struct slice message, struct record_draft *d)
{
    static const char *const names[] = {"client",   "server", "request",
                                        "upstream", "host",   "referrer"};
    static const char begin[] = ", client: ";
    const char *at = memmem(message.data, message.len, begin, sizeof(begin) - 1);
    struct slice rest = slice_of(at, at ? message.len - (size_t)(at - message.data) : 0);

    for (size_t i = 0; i < sizeof(names) / sizeof(*names) && rest.len; i++) {
        struct slice name = slice_of_string(names[i]), text = rest;

        if (!line_take(&text, ", ") || !line_begins(text, name))
            continue;
        line_drop(&text, name.len);
        if (!line_take(&text, ": "))
            continue;
        struct slice value;
        if (!take_quoted(m, &text, &value)) {
            const char *end = text.len ? memchr(text.data, ',', text.len) : NULL;

            value = slice_of(text.data, end ? (size_t)(end - text.data) : text.len);
            line_drop(&text, value.len);
        }
        put_text(d, names[i], value);
        rest = text;
    }
}

/* 2026/11/28 12:00:01 [error] 1234#5678: *90 message, client: … */
static bool read_nginx_error(struct line_memory *m, struct slice line, struct record_draft *d)
{
    struct slice rest = line, level, pid, tid, connection;
    struct line_time time;

    if (line.len < 5 || line.data[4] != '/')
        return false;
    size_t len = line_time_iso(m, rest, &time);
    line_drop(&rest, len);
    if (!len || !line_take(&rest, " [") || !line_take_until(&rest, ']', &level) || !level.len ||
        !line_take(&rest, " "))
        return false;
    pid = line_take_digits(&rest, NUMBER_DIGITS_MAX);
    if (!pid.len || !line_take(&rest, "#"))
        return false;
    tid = line_take_digits(&rest, NUMBER_DIGITS_MAX);
    if (!tid.len || !line_take(&rest, ": "))
        return false;
    put_number(d, "pid", pid);
    put_number(d, "tid", tid);
    if (line_take(&rest, "*")) {
        connection = line_take_digits(&rest, NUMBER_DIGITS_MAX);
        put_number(d, "connection", connection);
    }
    put_context(m, rest, d);
    record_draft_message(d, line);
    record_draft_level(d, level);
    members_put_time(d, time.us, time.below_us);
    return true;
}

/* ---- Apache's error log ---- */

static void put_part(struct record_draft *d, struct slice part)
{
    struct slice pid;

    if (line_take(&part, "pid ")) {
        pid = line_take_digits(&part, NUMBER_DIGITS_MAX);
        put_number(d, "pid", pid);
        if (line_take(&part, ":tid "))
            put_number(d, "tid", part);
    } else if (line_take(&part, "client ")) {
        put_text(d, "client", part);
    }
}

/* [Sat Nov 28 12:00:01.123456 2026] [core:error] [pid 1:tid 2] [client …] message */
static bool read_apache_error(struct line_memory *m, struct slice line, struct record_draft *d)
{
    struct slice rest = line, level, module = {NULL, 0}, part;
    struct line_time time;

    if (!line_take(&rest, "["))
        return false;
    size_t len = line_time_apache(m, rest, &time);
    line_drop(&rest, len);
    if (!len || !line_take(&rest, "] [") || !line_take_until(&rest, ']', &level))
        return false;
    line_take_until(&level, ':', &module);
    if (!level.len)
        return false;
    put_text(d, "module", module);
    while (line_take(&rest, " [") && line_take_until(&rest, ']', &part))
        put_part(d, part);
    record_draft_message(d, line);
    record_draft_level(d, level);
    members_put_time(d, time.us, time.below_us);
    return true;
}

/* ---- All of them ---- */

static bool read(struct line_memory *m, struct slice line, struct record_draft *d)
{
    if (!line.len)
        return false;
    if (line.data[0] == '[')
        return read_apache_error(m, line, d);
    return read_nginx_error(m, line, d) || read_access(m, line, d);
}

const struct line_format line_access = {.name = "access", .read = read};
