/*
 * logfmt: name=value, with blanks between them; a value in quotes has the escapes of a string of
 * Go. As logrus, log15, slog's TextHandler, go-kit, Loki, Prometheus and others write it.
 *
 *   msg, message                          the message; the whole line if there is none
 *   level, lvl, severity                  the level, as it is
 *   time, ts, t, timestamp                the time, if it is one (names.h)
 *
 * All else, and what is of no use as what its name says, are attributes: numbers and true and false
 * as such, an unquoted nothing as an empty text. A word without "=" is none of logfmt, and nor is
 * its line.
 */
#include "base/utf8.h"
#include "formats/line_format.h"
#include "formats/line_scan.h"
#include "formats/line_time.h"
#include "formats/members.h"
#include "formats/names.h"

/* ---- Pairs ---- */

struct pair {
    struct slice name, value;
    bool is_quoted, is_escaped; /* still with its escapes */
};

static bool is_name_character(char c)
{
    return (unsigned char)c > ' ' && c != '=' && c != '"' && c != 0x7f;
}

static bool take_quoted(struct slice *rest, struct pair *pair)
{
    size_t len = 1;

    while (len < rest->len && rest->data[len] != '"') {
        pair->is_escaped |= rest->data[len] == '\\';
        len += rest->data[len] == '\\' ? 2 : 1;
    }
    if (len >= rest->len)
        return false;
    pair->is_quoted = true;
    pair->value = slice_of(rest->data + 1, len - 1);
    line_drop(rest, len + 1);
    return !rest->len || rest->data[0] == ' ';
}

/* Cuts the first pair off `*rest`, which does not begin with a blank. */
static bool take_pair(struct slice *rest, struct pair *pair)
{
    size_t len = 0;

    *pair = (struct pair){.is_quoted = false};
    while (len < rest->len && is_name_character(rest->data[len]))
        len++;
    if (!len || len == rest->len || rest->data[len] != '=')
        return false;
    pair->name = slice_of(rest->data, len);
    line_drop(rest, len + 1);
    if (rest->len && rest->data[0] == '"')
        return take_quoted(rest, pair);
    for (len = 0; len < rest->len && rest->data[len] != ' '; len++)
        if (rest->data[len] == '"' || (unsigned char)rest->data[len] < ' ')
            return false;
    pair->value = slice_of(rest->data, len);
    line_drop(rest, len);
    return true;
}

/* ---- Escapes ---- */

static int hex_number(struct slice digits)
{
    int number = 0;

    for (size_t i = 0; i < digits.len; i++) {
        char c = digits.data[i];
        int digit = line_is_digit(c)       ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;

        if (digit < 0)
            return -1;
        number = number * 16 + digit;
    }
    return number;
}

/* Appends what `*rest`, which begins with a backslash, means, and takes it off. */
static void append_escape(struct buffer *b, struct slice *rest)
{
    static const char letters[] = "nrtabfv", meanings[] = "\n\r\t\a\b\f\v";
    char c = rest->len > 1 ? rest->data[1] : '\\';
    const char *letter = c ? strchr(letters, c) : NULL;
    size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : 0;

    if (digits && rest->len >= 2 + digits) {
        int code = hex_number(slice_of(rest->data + 2, digits));

        if (code >= 0 && (code < 0xd800 || code >= 0xe000)) {
            char bytes[UTF8_LEN_MAX];

            if (c == 'x')
                buffer_append_char(b, (char)code);
            else
                buffer_append(b, bytes, utf8_write((uint32_t)code, bytes));
            line_drop(rest, 2 + digits);
            return;
        }
    }
    buffer_append_char(b, letter ? meanings[letter - letters] : c);
    line_drop(rest, rest->len > 1 ? 2 : 1);
}

static struct slice value_of(struct record_draft *d, const struct pair *pair, struct buffer *b)
{
    struct slice rest = pair->value;

    if (!pair->is_escaped)
        return rest;
    buffer_clear(b);
    while (rest.len) {
        if (rest.data[0] == '\\') {
            append_escape(b, &rest);
        } else {
            buffer_append_char(b, rest.data[0]);
            line_drop(&rest, 1);
        }
    }
    record_draft_fail(d, buffer_error(b));
    return buffer_slice(b);
}

/* ---- Values ---- */

/* True if `text` is a number as JSON has them, so that it can be kept digit for digit. */
static bool is_number(struct slice text)
{
    line_take(&text, "-");
    struct slice whole = line_take_digits(&text, SIZE_MAX);
    if (!whole.len || (whole.len > 1 && whole.data[0] == '0'))
        return false;
    if (line_take(&text, ".") && !line_take_digits(&text, SIZE_MAX).len)
        return false;
    if (line_take(&text, "e") || line_take(&text, "E")) {
        if (!line_take(&text, "+"))
            line_take(&text, "-");
        if (!line_take_digits(&text, SIZE_MAX).len)
            return false;
    }
    return text.len == 0;
}

static void put(struct line_memory *m, struct record_draft *d, const struct pair *pair)
{
    struct slice value = value_of(d, pair, &m->attribute);

    if (pair->is_quoted)
        record_draft_text(d, pair->name, value);
    else if (slice_equal(value, SLICE_LITERAL("true")) ||
             slice_equal(value, SLICE_LITERAL("false")))
        record_draft_bool(d, pair->name, value.len == 4);
    else if (is_number(value))
        record_draft_number(d, pair->name, value);
    else
        record_draft_text(d, pair->name, value);
}

static bool is_one_of(struct slice name, const char *const *names)
{
    for (; *names; names++)
        if (slice_equal(name, slice_of_string(*names)))
            return true;
    return false;
}

struct roles {
    bool has_message, has_level, has_time;
};

/* Takes `pair` as what its name says, the first time; false if it is an attribute. */
static bool take_role(struct line_memory *m, struct record_draft *d, const struct pair *pair,
                      struct roles *roles)
{
    static const char *const messages[] = {"msg", "message", NULL};
    static const char *const levels[] = {"level", "lvl", "severity", NULL};
    static const char *const times[] = {"time", "ts", "t", "timestamp", NULL};
    struct line_time time;

    if (!roles->has_message && is_one_of(pair->name, messages)) {
        record_draft_message(d, value_of(d, pair, &m->message));
        return roles->has_message = true;
    }
    if (!roles->has_level && pair->value.len && !pair->is_escaped &&
        is_one_of(pair->name, levels)) {
        record_draft_level(d, pair->value);
        return roles->has_level = true;
    }
    if (roles->has_time || !is_one_of(pair->name, times))
        return false;
    if (line_time_iso(m, pair->value, &time) != pair->value.len || !pair->value.len) {
        if (pair->value.len < 10 || time_of_number(pair->value, &time.us, &time.below_us))
            return false; /* a duration, perhaps */
    }
    members_put_time(d, time.us, time.below_us);
    return roles->has_time = true;
}

static bool read(struct line_memory *m, struct slice line, struct record_draft *d)
{
    struct slice rest = slice_trim(line);
    struct roles roles = {false, false, false};
    struct pair pair;

    if (!rest.len)
        return false;
    while (rest.len) {
        if (!take_pair(&rest, &pair))
            return false;
        if (!take_role(m, d, &pair, &roles))
            put(m, d, &pair);
        line_drop_blanks(&rest);
    }
    if (!roles.has_message)
        record_draft_message(d, line);
    return true;
}

bool logfmt_is_sure(struct slice line)
{
    static const char *const names[] = {"msg",  "message", "level", "lvl",       "severity",
                                        "time", "ts",      "t",     "timestamp", NULL};
    struct slice rest = slice_trim(line);
    struct pair pair;
    int known = 0;

    while (rest.len) {
        if (!take_pair(&rest, &pair))
            return false;
        known += is_one_of(pair.name, names);
        line_drop_blanks(&rest);
    }
    return known >= 2;
}

const struct line_format line_logfmt = {.name = "logfmt", .read = read};
