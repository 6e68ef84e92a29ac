#include "cli/gather.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "formats/text_head.h"

enum {
    ERROR_TEXT_MAX = 128,
    KEPT_MAX = 64 << 10, /* memory that is kept for the next log */
};

int gather_init(struct gather *g, bool is_multiline, const char *pattern, struct errbuf *err)
{
    *g = (struct gather){.is_multiline = is_multiline || pattern};
    if (!pattern)
        return 0;
    int code = regcomp(&g->pattern, pattern, REG_EXTENDED);
    if (code) {
        char reason[ERROR_TEXT_MAX];

        (void)regerror(code, &g->pattern, reason, sizeof(reason));
        return errbuf_fail(err, LM_EINVAL, "--multiline-first: \"%s\": %s", pattern, reason);
    }
    g->has_pattern = true;
    return 0;
}

static void release(struct gathered *s)
{
    buffer_release(&s->text);
    buffer_release(&s->around_first);
    free(s);
}

static void release_all(struct gathered *s)
{
    while (s) {
        struct gathered *next = s->later;

        release(s);
        s = next;
    }
}

void gather_release(struct gather *g)
{
    release_all(g->earliest);
    release_all(g->spare);
    if (g->has_pattern)
        regfree(&g->pattern);
}

int gather_stream(struct slice stream)
{
    return slice_equal(stream, SLICE_LITERAL("stderr"));
}

/* ---- Which has waited longest ---- */

static void unlink_log(struct gather *g, struct gathered *s)
{
    if (s->earlier)
        s->earlier->later = s->later;
    else
        g->earliest = s->later;
    if (s->later)
        s->later->earlier = s->earlier;
    else
        g->latest = s->earlier;
}

static void link_latest(struct gather *g, struct gathered *s)
{
    s->earlier = g->latest;
    s->later = NULL;
    if (g->latest)
        g->latest->later = s;
    else
        g->earliest = s;
    g->latest = s;
}

struct gathered *gather_begin(struct gather *g)
{
    struct gathered *s = g->spare;

    if (s) {
        g->spare = s->later;
        g->spare_len--;
    } else {
        s = xcalloc(1, sizeof(*s));
        buffer_init(&s->text, SIZE_MAX / 2);
        buffer_init(&s->around_first, SIZE_MAX / 2);
    }
    link_latest(g, s);
    return s;
}

void gather_close(struct gather *g, struct gathered *s)
{
    struct buffer text = s->text, around_first = s->around_first;

    unlink_log(g, s);
    g->held -= s->bytes;
    if (g->spare_len >= GATHER_SPARE_MAX) {
        release(s);
        return;
    }
    if (text.capacity > KEPT_MAX)
        buffer_release(&text);
    if (around_first.capacity > KEPT_MAX)
        buffer_release(&around_first);
    buffer_clear(&text);
    buffer_clear(&around_first);
    *s = (struct gathered){.text = text, .around_first = around_first, .later = g->spare};
    g->spare = s;
    g->spare_len++;
}

/* ---- Lines ---- */

/* True if the pattern matches where the line begins. */
static bool begins_log(const struct gather *g, struct slice line)
{
    char text[GATHER_LOOK_MAX + 1]; /* with an end that regexec sees */
    size_t len = line.len < GATHER_LOOK_MAX ? line.len : GATHER_LOOK_MAX;
    regmatch_t match;

    if (len)
        memcpy(text, line.data, len);
    text[len] = '\0';
    return regexec(&g->pattern, text, 1, &match, 0) == 0 && match.rm_so == 0;
}

bool gather_continues(struct gather *g, struct gathered *s, const struct gather_line *line)
{
    if (s->around != line->around || s->text.len + line->text.len >= GATHER_BYTES_MAX)
        return false;
    if (s->is_part)
        return true;
    if (!g->is_multiline || s->lines >= GATHER_LINES_MAX)
        return false;
    if (g->has_pattern)
        return !begins_log(g, line->text);
    return !line->is_whole && stack_trace_continues(&s->trace, line->text);
}

/* `s` has got a line. */
static void count(struct gather *g, struct gathered *s)
{
    size_t bytes = sizeof(*s) + s->text.capacity + s->around_first.capacity;

    g->held += bytes - s->bytes;
    s->bytes = bytes;
    s->since_us = clock_monotonic_us();
    if (s != g->latest) {
        unlink_log(g, s);
        link_latest(g, s);
    }
}

int gather_add(struct gather *g, struct gathered *s, const struct gather_line *line,
               const struct line_memory *m)
{
    bool is_first = s->lines == 0 && !s->is_part;
    struct text_head head;

    if (is_first) {
        s->around = line->around;
        s->number = line->number;
        s->read_us = line->read_us;
        buffer_append_slice(&s->around_first, line->around_line);
    } else if (!s->is_part) {
        buffer_append_char(&s->text, '\n');
    }
    buffer_append_slice(&s->text, line->text);
    s->is_part = line->is_part;
    s->lines += !line->is_part;
    if (s->lines == 0 || (s->lines == 1 && !line->is_part))
        s->first_len = s->text.len;
    if (s->lines == 1 && !line->is_part && g->is_multiline && !buffer_error(&s->text)) {
        bool has_head = text_head_read(m, buffer_slice(&s->text), &head);

        stack_trace_begin(&s->trace, buffer_slice(&s->text), has_head);
    }
    count(g, s);
    return buffer_error(&s->text) ? buffer_error(&s->text) : buffer_error(&s->around_first);
}

bool gather_is_whole(const struct gather *g, const struct gathered *s)
{
    return !s->is_part && !g->is_multiline;
}

struct slice gather_text(const struct gathered *s)
{
    struct slice text = buffer_slice(&s->text);

    while (text.len > s->first_len && strchr("\n\r\t ", text.data[text.len - 1]) &&
           text.data[text.len - 1])
        text.len--;
    return text;
}
