#include "cli/gather.h"

#include "formats/text_head.h"

enum {
    ERROR_TEXT_MAX = 128,
    KEPT_MAX = 64 << 10
}; /* memory that a stream keeps for the next log */

int gather_init(struct gather *g, bool is_multiline, const char *pattern, struct errbuf *err)
{
    *g = (struct gather){.is_multiline = is_multiline || pattern};
    for (int i = 0; i < GATHER_STREAMS; i++) {
        buffer_init(&g->streams[i].text, SIZE_MAX / 2);
        buffer_init(&g->streams[i].around_first, SIZE_MAX / 2);
    }
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

void gather_release(struct gather *g)
{
    for (int i = 0; i < GATHER_STREAMS; i++) {
        buffer_release(&g->streams[i].text);
        buffer_release(&g->streams[i].around_first);
    }
    if (g->has_pattern)
        regfree(&g->pattern);
}

struct gathered *gather_stream(struct gather *g, struct slice stream)
{
    return &g->streams[slice_equal(stream, SLICE_LITERAL("stderr"))];
}

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

static void begin(struct gathered *s, const struct gather_line *line)
{
    s->is_open = true;
    s->around = line->around;
    s->number = line->number;
    buffer_append_slice(&s->around_first, line->around_line);
}

int gather_add(struct gather *g, struct gathered *s, const struct gather_line *line,
               const struct line_memory *m)
{
    struct text_head head;

    if (!s->is_open)
        begin(s, line);
    else if (!s->is_part)
        buffer_append_char(&s->text, '\n');
    buffer_append_slice(&s->text, line->text);
    s->is_part = line->is_part;
    s->lines += !line->is_part;
    if (s->lines == 0 || (s->lines == 1 && !line->is_part))
        s->first_len = s->text.len;
    if (s->lines == 1 && !line->is_part && g->is_multiline && !buffer_error(&s->text)) {
        bool has_head = text_head_read(m, buffer_slice(&s->text), &head);

        stack_trace_begin(&s->trace, buffer_slice(&s->text), has_head);
    }
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

void gather_close(struct gathered *s)
{
    struct buffer text = s->text, around_first = s->around_first;

    if (text.capacity > KEPT_MAX)
        buffer_release(&text);
    if (around_first.capacity > KEPT_MAX)
        buffer_release(&around_first);
    buffer_clear(&text);
    buffer_clear(&around_first);
    *s = (struct gathered){.text = text, .around_first = around_first};
}

bool gather_is_open(const struct gather *g)
{
    for (int i = 0; i < GATHER_STREAMS; i++)
        if (g->streams[i].is_open)
            return true;
    return false;
}
