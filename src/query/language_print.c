#include "base/timestamp.h"
#include "query/language.h"
#include "query/lexer.h"
#include "query/term.h"

/* ---- Texts ---- */

static bool has_one_of(struct slice text, const char *characters)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] && strchr(characters, text.data[i]))
            return true;
    return false;
}

static bool begins_with_one_of(struct slice text, const char *characters)
{
    return has_one_of(slice_of(text.data, text.len ? 1 : 0), characters);
}

static bool has_blank(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (lexer_is_blank(text.data[i]))
            return true;
    return false;
}

/* It is a word, but for what its first character and a colon may mean where it stands. */
static bool is_word(struct slice text)
{
    return text.len > 0 && !has_blank(text) && !has_one_of(text, "()\"*") &&
           !lexer_is_reserved(text);
}

static void print_quoted(struct buffer *b, struct slice text)
{
    buffer_append_char(b, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '"' || text.data[i] == '\\')
            buffer_append_char(b, '\\');
        buffer_append_char(b, text.data[i]);
    }
    buffer_append_char(b, '"');
}

static void print_text(struct buffer *b, struct slice text, bool as_word)
{
    if (as_word)
        buffer_append_slice(b, text);
    else
        print_quoted(b, text);
}

/* A word that begins with a slash is one if another slash, not at its end, is in it. */
static bool is_no_regex(struct slice text)
{
    return text.data[0] != '/' ||
           (text.len > 1 && text.data[text.len - 1] != '/' && !has_one_of(text, "\\") &&
            memchr(text.data + 1, '/', text.len - 1));
}

/* Behind a colon: with another one, or two slashes, the name would be a part of a text. */
static void print_value(struct buffer *b, struct slice text)
{
    bool joins = begins_with_one_of(text, ":") || (text.len > 1 && memcmp(text.data, "//", 2) == 0);

    print_text(b, text,
               is_word(text) && !joins && !begins_with_one_of(text, "<>[{") && is_no_regex(text));
}

static void print_regex(struct buffer *b, struct slice text)
{
    buffer_append_char(b, '/');
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '\\' && i + 1 < text.len)
            buffer_append_char(b, text.data[i++]);
        else if (text.data[i] == '/')
            buffer_append_char(b, '\\');
        buffer_append_char(b, text.data[i]);
    }
    buffer_append_char(b, '/');
}

static void print_path(struct buffer *b, struct slice path)
{
    bool is_plain = is_word(path) && !has_one_of(path, ":") &&
                    !begins_with_one_of(path, "-/0123456789") &&
                    (path.len < 5 || memcmp(path.data, "attr.", 5) != 0);

    if (term_is_ours(path))
        buffer_append_string(b, "attr.");
    print_text(b, path, is_plain);
}

/* ---- Tests ---- */

static void print_name(struct buffer *b, const struct query_node *node)
{
    static const char *const names[] = {
        [QUERY_MESSAGE] = "message", [QUERY_LEVEL] = "level", [QUERY_TIMESTAMP] = "timestamp",
        [QUERY_ID] = "id",           [QUERY_ANY] = "any",
    };

    if (node->field == QUERY_ATTRIBUTE)
        print_path(b, node->path);
    else if (node->test == QUERY_PATTERN)
        buffer_append_string(b, "pattern");
    else
        buffer_append_string(b, names[node->field]);
    buffer_append_char(b, ':');
}

/* A bound in brackets; what ends a word there is not in it. */
static void print_bound(struct buffer *b, struct slice text)
{
    if (text.data)
        print_text(b, text, is_word(text) && !has_one_of(text, "]}"));
    else
        buffer_append_char(b, '*');
}

static void print_range(struct buffer *b, const struct query_node *node)
{
    if (!node->high.data) {
        buffer_append_string(b, node->low_included ? ">=" : ">");
        print_text(b, node->low, is_word(node->low));
    } else if (!node->low.data) {
        buffer_append_string(b, node->high_included ? "<=" : "<");
        print_text(b, node->high, is_word(node->high));
    } else {
        buffer_append_char(b, node->low_included ? '[' : '{');
        print_bound(b, node->low);
        buffer_append_string(b, " TO ");
        print_bound(b, node->high);
        buffer_append_char(b, node->high_included ? ']' : '}');
    }
}

/* The last microsecond there is may be excluded from below, or included from above. */
static void print_times(struct buffer *b, const struct query_node *node)
{
    bool after = node->low_us > TIMESTAMP_MAX_US;
    bool upto = node->high_us > TIMESTAMP_MAX_US;
    int64_t low_us = node->low_us - after;
    int64_t high_us = node->high_us - upto;

    if (node->high_us == INT64_MAX) {
        buffer_append_string(b, after ? ">" : ">=");
        timestamp_append(b, low_us);
    } else if (node->low_us == INT64_MIN) {
        buffer_append_string(b, upto ? "<=" : "<");
        timestamp_append(b, high_us);
    } else {
        buffer_append_char(b, after ? '{' : '[');
        timestamp_append(b, low_us);
        buffer_append_string(b, " TO ");
        timestamp_append(b, high_us);
        buffer_append_char(b, upto ? ']' : '}');
    }
}

static void print_test(struct buffer *b, const struct query_node *node)
{
    bool any_before = node->test == QUERY_ENDS || node->test == QUERY_CONTAINS;
    bool any_after = node->test == QUERY_BEGINS || node->test == QUERY_CONTAINS;
    bool is_nameless =
        node->field == QUERY_MESSAGE && (node->test == QUERY_HOLDS || node->test == QUERY_REGEX);

    if (!is_nameless)
        print_name(b, node);
    switch (node->test) {
    case QUERY_EXISTS:
        buffer_append_char(b, '*');
        break;
    case QUERY_REGEX:
        print_regex(b, node->text);
        break;
    case QUERY_RANGE:
        if (node->field == QUERY_TIMESTAMP)
            print_times(b, node);
        else
            print_range(b, node);
        break;
    case QUERY_HOLDS:
        if (is_nameless) {
            print_text(b, node->text,
                       is_word(node->text) && !has_one_of(node->text, ":") &&
                           !begins_with_one_of(node->text, "-/"));
            break;
        }
        print_value(b, node->text);
        break;
    case QUERY_EQUALS:
    case QUERY_PATTERN:
        print_value(b, node->text);
        break;
    case QUERY_BEGINS:
    case QUERY_ENDS:
    case QUERY_CONTAINS:
        if (any_before)
            buffer_append_char(b, '*');
        print_value(b, node->text);
        if (any_after)
            buffer_append_char(b, '*');
        break;
    }
}

/* ---- The tree ---- */

/* A node that is open: what joins its children, and whether they stand in parentheses. */
struct open {
    enum query_kind kind;
    bool parentheses;
    uint32_t first, end;
};

void query_print(struct buffer *b, const struct query *q)
{
    struct open open[QUERY_DEPTH_MAX];
    unsigned depth = 0;

    for (uint32_t i = 0; q && i < q->len; i++) {
        const struct query_node *node = &q->nodes[i];
        const struct open *above = depth ? &open[depth - 1] : NULL;

        if (above && i > above->first)
            buffer_append_string(b, above->kind == QUERY_OR ? " OR " : " ");
        if (node->kind == QUERY_TEST) {
            print_test(b, node);
        } else if (node->kind == QUERY_NOT) {
            buffer_append_char(b, '-');
            open[depth++] = (struct open){node->kind, false, i + 1, node->end};
        } else {
            bool parentheses = above && (above->kind == QUERY_NOT || node->kind == QUERY_OR);

            if (parentheses)
                buffer_append_char(b, '(');
            open[depth++] = (struct open){node->kind, parentheses, i + 1, node->end};
        }
        for (; depth && open[depth - 1].end == i + 1; depth--)
            if (open[depth - 1].parentheses)
                buffer_append_char(b, ')');
    }
}
