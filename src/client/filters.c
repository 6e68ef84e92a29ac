#include "client/filters.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/timestamp.h"

enum { NAME_MAX_BYTES = 1024 };

static void append_encoded(struct buffer *b, struct slice text)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];

        if (isalnum(c) || strchr("-._~", c))
            buffer_append_char(b, (char)c);
        else
            buffer_append(b, (char[]){'%', digits[c >> 4], digits[c & 15]}, 3);
    }
}

void filters_append_param(struct buffer *b, const char *name, struct slice value)
{
    buffer_append_char(b, memchr(b->data, '?', b->len) ? '&' : '?');
    append_encoded(b, slice_of_string(name));
    buffer_append_char(b, '=');
    append_encoded(b, value);
}

/* The microseconds of "15m", "2h ago", or 0 where `text` is no such thing. */
static int64_t parse_age(const char *text)
{
    static const char units[] = "smhdw";
    static const int64_t seconds[] = {1, 60, 3600, 86400, 604800};
    const char *unit;
    char *end;
    long n;

    if (!isdigit((unsigned char)text[0]))
        return 0;
    errno = 0;
    n = strtol(text, &end, 10);
    unit = *end ? strchr(units, *end) : NULL;
    if (errno || n > 1000000 || !unit || (end[1] && strcmp(end + 1, " ago") != 0))
        return 0;
    return n * seconds[unit - units] * 1000000;
}

static void append_time(struct buffer *b, const char *name, const char *text)
{
    char absolute[TIMESTAMP_TEXT_LEN];
    int64_t age = parse_age(text);
    struct slice value = slice_of_string(text);

    if (age || strcmp(text, "now") == 0) {
        timestamp_format(clock_wall_us() - age, absolute);
        value = slice_of(absolute, sizeof(absolute));
    }
    filters_append_param(b, name, value);
}

static int append_attr(struct buffer *b, const char *name, const char *text, struct errbuf *err)
{
    size_t len = strcspn(text, "=");
    char param[NAME_MAX_BYTES];
    int n = snprintf(param, sizeof(param), "%s.%.*s", name, (int)len, text);

    if (n < 0 || (size_t)n >= sizeof(param))
        return errbuf_fail(err, LM_EINVAL, "--attr, --not-attr: the name is too long");
    filters_append_param(b, param, slice_of_string(text + len + 1));
    return 0;
}

int filters_append(struct buffer *b, const struct flags *flags, struct errbuf *err)
{
    for (int i = 0; i < flags->given_len; i++) {
        const char *flag = flags->given[i].flag->name, *value = flags->given[i].value;
        bool is_not = strncmp(flag, "not-", 4) == 0;
        const char *name = is_not ? flag + 4 : flag;

        if (strcmp(name, "since") == 0 || strcmp(name, "until") == 0)
            append_time(b, name, value);
        else if (strcmp(name, "level") == 0)
            filters_append_param(b, is_not ? "not.level" : "level", slice_of_string(value));
        else if (strcmp(name, "text") == 0)
            filters_append_param(b, is_not ? "not.q" : "q", slice_of_string(value));
        else if (strcmp(name, "attr") == 0 &&
                 append_attr(b, is_not ? "not.attr" : "attr", value, err))
            return LM_EINVAL;
    }
    return 0;
}
