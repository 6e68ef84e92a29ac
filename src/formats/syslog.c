#include "formats/syslog.h"

#include <stdio.h>
#include <string.h>

#include "formats/members.h"
#include "formats/names.h"
#include "record/limits.h"

enum {
    PRI_MAX = 191,        /* RFC 5424, 6.2.1: 23 * 8 + 7 */
    PRI_DIGITS_MAX = 3,   /* of it */
    TAG_MAX = 128,        /* bytes of a TAG; RFC 3164 has 32, programs more */
    CISCO_PARTS_MAX = 3,  /* before the time: a number, a host, another number */
    REPEATS_COMPARED = 32 /* parameters of an element, among which those of one name are found */
};

static const char *const FACILITIES[] = {
    "kern",   "user",   "mail",     "daemon", "auth",   "syslog", "lpr",    "news",
    "uucp",   "cron",   "authpriv", "ftp",    "ntp",    "audit",  "alert",  "clock",
    "local0", "local1", "local2",   "local3", "local4", "local5", "local6", "local7",
};

void syslog_init(struct syslog *s)
{
    *s = (struct syslog){.zone = {.is_known = false}};
    json_doc_init(&s->doc);
    buffer_init(&s->unescaped, RECORD_BYTES_MAX);
}

void syslog_release(struct syslog *s)
{
    json_doc_release(&s->doc);
    buffer_release(&s->unescaped);
}

/* ---- Texts ---- */

static struct slice from(struct slice text, size_t at)
{
    return slice_of(text.data + at, text.len - at);
}

static bool begins_with(struct slice text, char c)
{
    return text.len > 0 && text.data[0] == c;
}

static bool has_prefix(struct slice text, struct slice prefix)
{
    return text.len >= prefix.len && memcmp(text.data, prefix.data, prefix.len) == 0;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alphanumeric(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Cuts a word and the space behind it off *text; false if either is missing, or the word empty. */
static bool cut_word(struct slice *text, struct slice *word)
{
    const char *space = text->len ? memchr(text->data, ' ', text->len) : NULL;

    if (!space || space == text->data)
        return false;
    *word = slice_of(text->data, (size_t)(space - text->data));
    *text = from(*text, word->len + 1);
    return true;
}

static bool is_nil(struct slice word)
{
    return word.len == 1 && word.data[0] == '-';
}

/* Without what messages end with in one framing or another. */
static struct slice without_end(struct slice text)
{
    while (text.len && (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == '\r' ||
                        text.data[text.len - 1] == '\0'))
        text.len--;
    return text;
}

/* ---- PRI ---- */

bool syslog_cut_pri(struct slice *text, unsigned *pri)
{
    size_t at = 1;
    unsigned value = 0;

    if (!begins_with(*text, '<'))
        return false;
    for (; at < text->len && at <= PRI_DIGITS_MAX && is_digit(text->data[at]); at++)
        value = value * 10 + (unsigned)(text->data[at] - '0');
    if (at == 1 || at >= text->len || text->data[at] != '>' || value > PRI_MAX)
        return false;
    *pri = value;
    *text = from(*text, at + 1);
    return true;
}

void syslog_put_pri(struct record_draft *d, unsigned pri)
{
    record_draft_level(d, level_of_syslog(pri % 8));
    record_draft_text(d, SLICE_LITERAL("facility"), slice_of_string(FACILITIES[pri / 8]));
}

static bool has_form(struct slice text, const char *form)
{
    size_t len = strlen(form);

    if (text.len < len)
        return false;
    for (size_t i = 0; i < len; i++) {
        bool fits = form[i] == '0'   ? is_digit(text.data[i])
                    : form[i] == '1' ? is_digit(text.data[i]) || text.data[i] == ' '
                    : form[i] == 'A' ? is_alphanumeric(text.data[i])
                                     : text.data[i] == form[i];

        if (!fits)
            return false;
    }
    return true;
}

bool syslog_begins(struct slice text)
{
    unsigned pri;

    if (!syslog_cut_pri(&text, &pri))
        return false;
    if (has_prefix(text, SLICE_LITERAL("1 ")))
        return has_form(from(text, 2), "- ") || has_form(from(text, 2), "0000-00-00T");
    return has_form(text, "AAA 10 00:00:00") || has_form(text, "0000-00-00T00:00:00");
}

/* ---- Heads ---- */

/* Views; those that are not there, or say "-", are empty. */
struct head {
    bool has_time;
    int64_t us;
    unsigned below_us;
    struct slice device_time; /* of a clock that was never set */
    struct slice host, app, procid, msgid, sequence;
    struct slice data; /* structured, and sound */
    struct slice message;
    struct slice origin; /* of which host, app, procid and msgid were read, to its last space;
                            empty: what follows has a part in what they are */
    bool is_same;        /* it is that of the last message: they were not read */
};

static void set_unless_nil(struct slice *field, struct slice word)
{
    *field = is_nil(word) ? slice_of(NULL, 0) : word;
}

/* What ends a name in structured data. */
static bool ends_name(char c)
{
    return c == ' ' || c == '=' || c == ']' || c == '"' || c == '\n';
}

/* The end of an element of structured data that begins at `at`; 0 if it is none. */
static size_t end_of_element(struct slice text, size_t at)
{
    size_t begin = ++at;

    while (at < text.len && !ends_name(text.data[at]))
        at++;
    if (at == begin)
        return 0;
    for (;;) {
        while (at < text.len && text.data[at] == ' ')
            at++;
        if (at < text.len && text.data[at] == ']')
            return at + 1;
        begin = at;
        while (at < text.len && !ends_name(text.data[at]))
            at++;
        if (at == begin || at + 2 > text.len || text.data[at] != '=' || text.data[at + 1] != '"')
            return 0;
        for (at += 2; at < text.len && text.data[at] != '"'; at++)
            at += text.data[at] == '\\';
        if (at >= text.len)
            return 0;
        at++;
    }
}

/* Structured data, and the space behind it; left in the message if it is not sound: senders leave
 * it out, and go on with their text. */
static void cut_data(struct slice *text, struct slice *data)
{
    size_t at = 0;

    *data = slice_of(NULL, 0);
    if (begins_with(*text, '-')) {
        at = 1;
    } else {
        while (at < text->len && text->data[at] == '[') {
            at = end_of_element(*text, at);
            if (at == 0)
                return;
        }
    }
    if (at < text->len && text->data[at] != ' ')
        return;
    if (at && text->data[0] == '[')
        *data = slice_of(text->data, at);
    *text = from(*text, at);
    for (int i = 0; i < 2 && at && begins_with(*text, ' '); i++) /* rsyslog writes two */
        *text = from(*text, 1);
}

/* Cuts the origin of the last message off *text. */
static bool cut_same_origin(struct slice *text, const struct syslog_origin *last, struct head *h)
{
    h->is_same = last->len > 0 && has_prefix(*text, slice_of(last->text, last->len));
    if (h->is_same)
        *text = from(*text, last->len);
    return h->is_same;
}

/* "HOST APP PROCID MSGID " */
static bool cut_words(struct slice *text, struct head *h)
{
    struct slice all = *text, host, app, procid, msgid;

    if (!cut_word(text, &host) || !cut_word(text, &app) || !cut_word(text, &procid))
        return false;
    if (cut_word(text, &msgid)) {
        h->origin = slice_of(all.data, all.len - text->len);
    } else { /* nothing is behind it */
        if (text->len && memchr(text->data, ' ', text->len))
            return false;
        msgid = *text;
        text->len = 0;
    }
    set_unless_nil(&h->host, host);
    set_unless_nil(&h->app, app);
    set_unless_nil(&h->procid, procid);
    set_unless_nil(&h->msgid, msgid);
    return true;
}

static bool read_5424(struct slice text, const struct syslog_origin *last, struct head *h)
{
    struct slice time;
    struct head none = *h;

    if (!has_prefix(text, SLICE_LITERAL("1 ")))
        return false;
    text = from(text, 2);
    if (!cut_word(&text, &time))
        return false;
    if (!is_nil(time)) {
        if (time.len < 5 || time.data[4] != '-' || time_of_text(time, &h->us, &h->below_us))
            return false;
        h->has_time = true;
    }
    if (!cut_same_origin(&text, last, h) && !cut_words(&text, h)) {
        *h = none;
        return false;
    }
    cut_data(&text, &h->data);
    h->message = text;
    return true;
}

/* "TAG: " or "TAG[PID]:" and a space, if there is one, cut off *text. */
static bool cut_tag(struct slice *text, struct head *h)
{
    size_t at = 0, end;

    while (at < text->len && at <= TAG_MAX &&
           (is_alphanumeric(text->data[at]) || memchr("_-./@()+#~$*", text->data[at], 12)))
        at++;
    if (at == 0 || at > TAG_MAX || at == text->len)
        return false;
    end = at;
    if (text->data[at] == '[') {
        size_t first = ++at;

        while (at < text->len && at - first <= TAG_MAX && text->data[at] != ']' &&
               text->data[at] != ' ')
            at++;
        if (at == first || at + 1 >= text->len || text->data[at] != ']' ||
            text->data[at + 1] != ':')
            return false;
        h->procid = slice_of(text->data + first, at - first);
        at++;
    } else if (text->data[at] != ':' || (at + 1 < text->len && text->data[at + 1] != ' ')) {
        return false;
    }
    h->app = slice_of(text->data, end);
    *text = from(*text, at + 1);
    if (begins_with(*text, ' '))
        *text = from(*text, 1);
    return true;
}

static bool is_host(struct slice word)
{
    for (size_t i = 0; i < word.len; i++)
        if (!is_alphanumeric(word.data[i]) && !memchr("-._:%[]@/", word.data[i], 9))
            return false;
    return !(word.len > 3 && memmem(word.data, word.len, "://", 3));
}

/* What stands behind a time of RFC 3164: "HOST TAG: MSG", "TAG: MSG", "HOST MSG". */
static void read_origin(struct slice text, struct head *h)
{
    struct slice host, rest = text;

    h->message = text;
    if (!cut_tag(&h->message, h)) {
        if (!cut_word(&rest, &host) || !is_host(host))
            return;
        set_unless_nil(&h->host, host);
        if (has_prefix(rest, SLICE_LITERAL(": "))) /* Cisco ASA */
            rest = from(rest, 2);
        else
            (void)cut_tag(&rest, h);
        h->message = rest;
    }
    h->origin = slice_of(text.data, text.len - h->message.len);
    if (!h->app.len || h->origin.data[h->origin.len - 1] != ' ')
        h->origin.len = 0;
}

/* "123: ", "123: host: ", "123: host: 456: ", ": ", of Cisco, before a time. */
static struct slice cut_cisco(struct slice text, struct head *h)
{
    if (has_prefix(text, SLICE_LITERAL(": ")))
        return from(text, 2);
    if (text.len == 0 || !is_digit(text.data[0]))
        return text;
    for (int i = 0; i < CISCO_PARTS_MAX; i++) {
        size_t len = 0;
        bool is_number = true;

        while (len < text.len && len <= TAG_MAX && text.data[len] != ' ' && text.data[len] != ':')
            is_number &= is_digit(text.data[len++]);
        if (len == 0 || len > TAG_MAX || !has_prefix(from(text, len), SLICE_LITERAL(": ")) ||
            (i == 0 && !is_number))
            break;
        *(is_number ? &h->sequence : &h->host) = slice_of(text.data, len);
        text = from(text, len + 2);
        while (begins_with(text, ' '))
            text = from(text, 1);
    }
    return text;
}

static bool read_3164(struct slice text, const struct syslog_source *source, struct syslog *s,
                      struct head *h)
{
    struct syslog_time time;

    if (begins_with(text, ' '))
        text = from(text, 1);
    text = cut_cisco(text, h);
    size_t len = syslog_time_read(text, source->arrival_us, &s->zone, &time);
    if (len == 0 || (len < text.len && text.data[len] != ' ' && text.data[len] != ':')) {
        *h = (struct head){.has_time = false};
        return false;
    }
    h->has_time = !time.is_unset;
    h->us = time.us;
    h->below_us = time.below_us;
    if (time.is_unset)
        h->device_time = time.text;
    text = from(text, len);
    bool is_cisco = begins_with(text, ':');
    if (is_cisco)
        text = from(text, 1);
    if (begins_with(text, ' '))
        text = from(text, 1);
    if (!is_cisco && !h->sequence.len && cut_same_origin(&text, &s->origin, h)) {
        h->message = text;
        return true;
    }
    h->message = text;
    if (!is_cisco)
        read_origin(text, h);
    if (h->sequence.len) /* there may have been a host beside it */
        h->origin.len = 0;
    return true;
}

/* ---- Structured data ---- */

/* A value without its escapes (RFC 5424, 6.3.3). */
static struct slice unescape(struct syslog *s, struct slice value, struct record_draft *d)
{
    if (!value.len || !memchr(value.data, '\\', value.len))
        return value;
    buffer_clear(&s->unescaped);
    for (size_t i = 0; i < value.len; i++) {
        if (value.data[i] == '\\' && i + 1 < value.len && memchr("\"\\]", value.data[i + 1], 3))
            i++;
        buffer_append_char(&s->unescaped, value.data[i]);
    }
    record_draft_fail(d, buffer_error(&s->unescaped));
    return buffer_slice(&s->unescaped);
}

struct parameter {
    struct slice name, value;
};

/* Cuts ` NAME="VALUE"` off *text, an element of sound data; false at its end. */
static bool cut_parameter(struct slice *text, struct parameter *p)
{
    size_t at = 0, begin;

    while (text->data[at] == ' ')
        at++;
    if (text->data[at] == ']')
        return false;
    begin = at;
    while (text->data[at] != '=')
        at++;
    p->name = slice_of(text->data + begin, at - begin);
    at += 2;
    begin = at;
    while (text->data[at] != '"')
        at += text->data[at] == '\\' ? 2 : 1;
    p->value = slice_of(text->data + begin, at - begin);
    *text = from(*text, at + 1);
    return true;
}

/* The parameters of an element; of one name, which is allowed, they are an array. */
static void put_parameters(struct syslog *s, const struct parameter *list, size_t n,
                           struct record_draft *d)
{
    for (size_t i = 0; i < n; i++) {
        size_t before = 0, next = i + 1;

        while (before < i && !slice_equal(list[before].name, list[i].name))
            before++;
        if (before < i)
            continue; /* it is in the array of the first of them */
        while (next < n && !slice_equal(list[next].name, list[i].name))
            next++;
        if (next == n) {
            record_draft_text(d, list[i].name, unescape(s, list[i].value, d));
            continue;
        }
        record_draft_open(d, list[i].name, RECORD_DRAFT_ARRAY);
        for (next = i; next < n; next++)
            if (slice_equal(list[next].name, list[i].name))
                record_draft_text(d, list[i].name, unescape(s, list[next].value, d));
        record_draft_close(d);
    }
}

static void put_data(struct syslog *s, struct slice name, struct slice data, struct record_draft *d)
{
    struct parameter list[REPEATS_COMPARED];

    record_draft_open(d, name, RECORD_DRAFT_OBJECT);
    while (data.len) {
        size_t id = 1, n = 0;

        while (data.data[id] != ' ' && data.data[id] != ']')
            id++;
        record_draft_open(d, slice_of(data.data + 1, id - 1), RECORD_DRAFT_OBJECT);
        data = from(data, id);
        while (cut_parameter(&data, &list[n])) {
            if (++n < REPEATS_COMPARED)
                continue;
            put_parameters(s, list, n, d);
            n = 0;
        }
        put_parameters(s, list, n, d);
        record_draft_close(d);
        while (data.data[0] != ']')
            data = from(data, 1);
        data = from(data, 1);
    }
    record_draft_close(d);
}

/* ---- Logs ---- */

/* Whether `text` is a JSON object, which is then s->doc. */
static bool read_object(struct syslog *s, struct slice text, struct record_draft *d)
{
    if (!begins_with(text, '{'))
        return false;
    int error = json_doc_read_cleaned(&s->doc, text, &d->nul_characters);
    if (error && error != LM_EINVAL)
        record_draft_fail(d, error);
    return !error && yyjson_is_obj(yyjson_doc_get_root(s->doc.doc));
}

static void put_object(struct syslog *s, struct record_draft *d)
{
    yyjson_val *root = yyjson_doc_get_root(s->doc.doc);
    struct members found = members_find(root, NULL);

    members_put(d, root, &found);
}

/* What stands behind "@cee:"; empty if there is none. */
static struct slice behind_cookie(struct slice text)
{
    static const struct slice cookie = SLICE_LITERAL("@cee:");

    if (!has_prefix(text, cookie))
        return slice_of(NULL, 0);
    text = from(text, cookie.len);
    while (begins_with(text, ' '))
        text = from(text, 1);
    return text;
}

/* The name of an attribute beside those of an object, which may have it, too: "syslog.host". */
static struct slice name_beside(struct record_draft *d, const char *name)
{
    char other[32];
    int len = snprintf(other, sizeof(other), "syslog.%s", name);

    return record_draft_own_name(d, slice_of_string(name), slice_of(other, (size_t)len));
}

static void put_word(struct record_draft *d, bool beside, const char *name, struct slice word)
{
    if (word.len)
        record_draft_text(d, beside ? name_beside(d, name) : slice_of_string(name), word);
}

/* `facility` may be NULL. */
static void put_origin(const struct head *h, const char *facility, bool beside,
                       struct record_draft *d)
{
    if (facility)
        put_word(d, beside, "facility", slice_of_string(facility));
    put_word(d, beside, "host", h->host);
    put_word(d, beside, "app", h->app);
    put_word(d, beside, "procid", h->procid);
    put_word(d, beside, "msgid", h->msgid);
}

static void remember_origin(struct syslog *s, const struct head *h, unsigned facility,
                            const struct record_draft *d)
{
    if (!h->origin.len || h->origin.len > SYSLOG_ORIGIN_MAX || d->error ||
        buffer_error(&d->attributes))
        return;
    memcpy(s->origin.text, h->origin.data, h->origin.len);
    s->origin.len = h->origin.len;
    s->origin.facility = facility;
    s->origin.mark = record_draft_mark(d);
}

/* Begins the draft that is `s`'s alone. */
static void begin(struct syslog *s, bool is_same, struct record_draft *d)
{
    if (is_same) {
        record_draft_again(d, &s->origin.mark);
    } else {
        s->origin.len = 0;
        record_draft_begin(d);
    }
}

/* What is of the message alone, and not of where it came from. */
static void put_rest(struct syslog *s, const struct head *h, bool beside, struct record_draft *d)
{
    put_word(d, beside, "sequence", h->sequence);
    put_word(d, beside, "device_time", h->device_time);
    if (h->data.len)
        put_data(s, beside ? name_beside(d, "sd") : SLICE_LITERAL("sd"), h->data, d);
    if (h->has_time && !d->has_time) /* an object may have a time of its own */
        members_put_time(d, h->us, h->below_us);
}

static bool read_head(struct syslog *s, struct slice text, const struct syslog_source *source,
                      struct head *h)
{
    return read_5424(text, &s->origin, h) || read_3164(text, source, s, h);
}

/* A log of `object`, which s->doc is, beside which what `text` has for a head is kept as well. */
static void put_cee(struct syslog *s, struct slice object, struct slice text, const unsigned *pri,
                    const struct syslog_source *source, struct record_draft *d)
{
    struct head h = {.has_time = false};

    s->origin.len = 0; /* all of the head is read, and nothing of it is written yet */
    if (source->has_draft)
        record_draft_begin(d);
    put_object(s, d);
    if (!d->record.message.len)
        record_draft_message(d, object);
    if (pri && !d->record.level.len)
        record_draft_level(d, level_of_syslog(*pri % 8));
    (void)read_head(s, text, source, &h);
    put_origin(&h, pri ? FACILITIES[*pri / 8] : NULL, true, d);
    put_rest(s, &h, true, d);
}

bool syslog_put(struct syslog *s, struct slice message, const struct syslog_source *source,
                struct record_draft *d)
{
    struct slice text = without_end(message), rest = text;
    struct head h = {.has_time = false};
    unsigned pri;

    bool has_pri = syslog_cut_pri(&rest, &pri);
    if (!has_pri || pri / 8 != s->origin.facility)
        s->origin.len = 0;
    bool has_head = (has_pri || source->is_file) && read_head(s, rest, source, &h);
    if (source->has_draft)
        begin(s, h.is_same, d);
    if (!has_pri && !has_head && read_object(s, text, d)) {
        put_object(s, d);
        return false;
    }
    if (!has_head)
        h.message = rest;
    h.message = json_without_bom(h.message);
    struct slice object = (has_pri || has_head) ? behind_cookie(h.message) : slice_of(NULL, 0);
    if (object.len && read_object(s, object, d)) {
        put_cee(s, object, rest, has_pri ? &pri : NULL, source, d);
        return true;
    }
    record_draft_message(d, h.message);
    if (has_pri)
        record_draft_level(d, level_of_syslog(pri % 8));
    if (!h.is_same)
        put_origin(&h, has_pri ? FACILITIES[pri / 8] : NULL, false, d);
    if (source->has_draft && has_pri && !h.is_same)
        remember_origin(s, &h, pri / 8, d);
    put_rest(s, &h, false, d);
    return has_pri || has_head;
}
