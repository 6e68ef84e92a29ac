#include "cli/ask.h"

#include <stdio.h>

#include "base/caret.h"
#include "base/clock.h"
#include "cli/local_time.h"
#include "cli/terminal.h"
#include "query/language.h"

enum {
    WORDS_BYTES_MAX = 1 << 20, /* what the language allows is its business */
    SHOWN_BYTES = 72,          /* of a query, around the mistake */
};

static void join(struct buffer *text, char *const *words, int n)
{
    buffer_init(text, WORDS_BYTES_MAX);
    for (int i = 0; i < n; i++) {
        if (i > 0)
            buffer_append_char(text, ' ');
        buffer_append_string(text, words[i]);
    }
}

static int parse(struct slice text, struct query **q, struct query_mistake *mistake)
{
    return query_parse(text, clock_wall_us(), local_time_zone, q, mistake);
}

int ask_append(struct buffer *b, char *const *words, int n, struct errbuf *err)
{
    struct query_mistake mistake = {0};
    struct buffer text;
    struct query *q = NULL;

    join(&text, words, n);
    int error = buffer_error(&text);
    if (!error)
        error = parse(buffer_slice(&text), &q, &mistake);
    buffer_release(&text);
    if (error == LM_EINVAL)
        return errbuf_fail(err, error, "at character %zu: %s%s%s", mistake.position + 1,
                           mistake.message, mistake.allowed[0] ? "; allowed: " : "",
                           mistake.allowed);
    if (error)
        return errbuf_fail(err, error, "no memory for a query");
    query_print(b, q);
    query_unref(q);
    return buffer_error(b);
}

static void show_at(struct slice text, size_t offset, size_t len)
{
    struct buffer shown;

    buffer_init_small(&shown);
    caret_append(&shown, text, offset, len, SHOWN_BYTES);
    fprintf(stderr, "  %.*s\n", SLICE_ARG(buffer_slice(&shown)));
    buffer_release(&shown);
}

void ask_show_mistake(char *const *words, int n)
{
    struct query_mistake mistake = {0};
    struct buffer text;
    struct query *q = NULL;

    join(&text, words, n);
    if (!buffer_error(&text) && parse(buffer_slice(&text), &q, &mistake) == LM_EINVAL &&
        mistake.offset <= text.len && mistake.len <= text.len - mistake.offset) {
        terminal_clear_status();
        show_at(buffer_slice(&text), mistake.offset,
                mistake.len < SHOWN_BYTES / 2 ? mistake.len : SHOWN_BYTES / 2);
    }
    query_unref(q);
    buffer_release(&text);
}
