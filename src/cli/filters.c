#include "cli/filters.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/relative_time.h"
#include "base/timestamp.h"
#include "base/url_escape.h"
#include "cli/ask.h"
#include "cli/local_time.h"

enum { NAME_MAX_BYTES = 1024, QUERY_BYTES_MAX = 1 << 20 };

void filters_append_param(struct buffer *b, const char *name, struct slice value)
{
    buffer_append_char(b, b->len > 0 && memchr(b->data, '?', b->len) ? '&' : '?');
    url_escape_append(b, slice_of_string(name));
    buffer_append_char(b, '=');
    url_escape_append(b, value);
}

int filters_read_time(const char *name, const char *text, int64_t *us, struct errbuf *err)
{
    struct slice value = slice_of_string(text);
    struct timestamp_error refusal;

    if (relative_time_parse(value, clock_wall_us(), local_time_zone, us) == 0 ||
        timestamp_parse_text(value, us, &refusal) == 0)
        return 0;
    return errbuf_fail(err, LM_EINVAL,
                       "--%s: \"%s\" is no time; allowed: 2026-11-25, "
                       "2026-11-25T10:00:00+01:00, " RELATIVE_TIME_FORMS,
                       name, text);
}

/* What is no relative time is sent as it was written. */
static int append_time(struct buffer *b, const char *name, const char *text, struct errbuf *err)
{
    struct slice value = slice_of_string(text);
    char absolute[TIMESTAMP_TEXT_LEN];
    int64_t us;

    if (relative_time_parse(value, clock_wall_us(), local_time_zone, &us) == 0) {
        timestamp_format(us, absolute);
        value = slice_of(absolute, sizeof(absolute));
    } else if (filters_read_time(name, text, &us, err)) {
        return LM_EINVAL;
    }
    filters_append_param(b, name, value);
    return 0;
}

int filters_read_seconds(const char *text, uint64_t *seconds)
{
    static const struct {
        const char *unit;
        uint64_t seconds;
    } units[] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}, {"w", 604800}};
    char *end;

    errno = 0;
    *seconds = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || errno || *seconds == 0)
        return LM_EINVAL;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (strcmp(end, units[i].unit) == 0)
            return __builtin_mul_overflow(*seconds, units[i].seconds, seconds) ? LM_EINVAL : 0;
    return LM_EINVAL;
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

int filters_append_query(struct buffer *b, char *const *words, int n, struct errbuf *err)
{
    struct buffer text;

    buffer_init(&text, QUERY_BYTES_MAX);
    int error = ask_append(&text, words, n, err);
    if (!error && text.len > 0)
        filters_append_param(b, "query", buffer_slice(&text));
    buffer_release(&text);
    return error;
}

static int append_flags(struct buffer *b, const struct flags *flags, struct errbuf *err)
{
    for (int i = 0; i < flags->given_len; i++) {
        const char *flag = flags->given[i].flag->name, *value = flags->given[i].value;
        bool is_not = strncmp(flag, "not-", 4) == 0;
        const char *name = is_not ? flag + 4 : flag;

        if ((strcmp(name, "since") == 0 || strcmp(name, "until") == 0) &&
            append_time(b, name, value, err))
            return LM_EINVAL;
        if (strcmp(name, "level") == 0)
            filters_append_param(b, is_not ? "not.level" : "level", slice_of_string(value));
        else if (strcmp(name, "text") == 0)
            filters_append_param(b, is_not ? "not.q" : "q", slice_of_string(value));
        else if (strcmp(name, "attr") == 0 &&
                 append_attr(b, is_not ? "not.attr" : "attr", value, err))
            return LM_EINVAL;
    }
    return 0;
}

int filters_append(struct buffer *b, const struct flags *flags, struct errbuf *err)
{
    int error = append_flags(b, flags, err);

    if (!error && flags->command->run)
        error = filters_append_query(b, flags->args, flags->args_len, err);
    return error;
}

int filters_check(const struct flags *flags, struct errbuf *err)
{
    struct buffer path;

    buffer_init_small(&path);
    int error = filters_append(&path, flags, err);
    buffer_release(&path);
    if (error)
        ask_show_mistake(flags->args, flags->args_len);
    return error;
}
