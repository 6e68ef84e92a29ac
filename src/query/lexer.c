#include "query/lexer.h"

static const char *const RESERVED[] = {
    "AND", "OR", "NOT", "&&", "||", "=", "==", "!=", ">", ">=", "<", "<=", "<>", "-"};

bool lexer_is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Ends any word. */
static bool is_end(char c)
{
    return lexer_is_blank(c) || c == '(' || c == ')' || c == '"';
}

static bool is_at_end(const struct lexer *l)
{
    return l->at == l->text.len;
}

void lexer_skip_blanks(struct lexer *l)
{
    while (!is_at_end(l) && lexer_is_blank(l->text.data[l->at]))
        l->at++;
}

bool lexer_sees(const struct lexer *l, char c)
{
    return !is_at_end(l) && l->text.data[l->at] == c;
}

bool lexer_sees_colons(const struct lexer *l)
{
    return lexer_sees(l, ':') && l->at + 1 < l->text.len && l->text.data[l->at + 1] == ':';
}

static bool ends_term(const struct lexer *l, size_t at)
{
    return at == l->text.len || l->text.data[at] == ')' || lexer_is_blank(l->text.data[at]);
}

bool lexer_sees_end_of_term(const struct lexer *l)
{
    return ends_term(l, l->at);
}

bool lexer_take(struct lexer *l, char c)
{
    bool sees = lexer_sees(l, c);

    l->at += sees;
    return sees;
}

bool lexer_sees_word(const struct lexer *l, const char *word)
{
    size_t len = strlen(word);
    size_t end = l->at + len;

    return len <= l->text.len - l->at && memcmp(l->text.data + l->at, word, len) == 0 &&
           (end == l->text.len || is_end(l->text.data[end]));
}

bool lexer_take_word(struct lexer *l, const char *word)
{
    if (!lexer_sees_word(l, word))
        return false;
    l->at += strlen(word);
    return true;
}

bool lexer_is_reserved(struct slice word)
{
    for (size_t i = 0; i < sizeof(RESERVED) / sizeof(*RESERVED); i++)
        if (slice_equal(word, slice_of_string(RESERVED[i])))
            return true;
    return false;
}

struct slice lexer_word(struct lexer *l, const char *ends)
{
    size_t start = l->at;

    while (!is_at_end(l) && !is_end(l->text.data[l->at]) &&
           !(l->text.data[l->at] && strchr(ends, l->text.data[l->at])))
        l->at++;
    return slice_of(l->text.data + start, l->at - start);
}

/* ---- Texts with escapes ---- */

/* Where the quote at `at` is closed; 0: nowhere. */
static size_t end_of_quoted(const struct lexer *l, size_t at)
{
    for (size_t i = at + 1; i < l->text.len; i++) {
        if (l->text.data[i] == '"')
            return i;
        i += l->text.data[i] == '\\';
    }
    return 0;
}

/* Appends `raw`, in which a backslash before one of `escaped` goes away, to what is in the room. */
static void append_unescaped(struct lexer *l, struct slice raw, const char *escaped)
{
    for (size_t i = 0; i < raw.len; i++) {
        if (raw.data[i] == '\\' && i + 1 < raw.len) {
            if (!raw.data[i + 1] || !strchr(escaped, raw.data[i + 1]))
                *l->room++ = raw.data[i];
            i++;
        }
        *l->room++ = raw.data[i];
    }
}

/* `raw` itself if there is nothing to do. */
static struct slice unescaped(struct lexer *l, struct slice raw, const char *escaped)
{
    const char *start = l->room;

    if (raw.len == 0 || !memchr(raw.data, '\\', raw.len))
        return raw;
    append_unescaped(l, raw, escaped);
    return slice_of(start, (size_t)(l->room - start));
}

bool lexer_quoted(struct lexer *l, struct slice *text)
{
    size_t end = end_of_quoted(l, l->at);

    if (!end)
        return false;
    *text = unescaped(l, slice_of(l->text.data + l->at + 1, end - l->at - 1), "\"\\");
    l->at = end + 1;
    return true;
}

/*
 * A / within that has no backslash may stand before anything but a blank or a closing parenthesis.
 * If there is one, no blank may follow: two paths in one query are not one expression.
 */
bool lexer_regex(struct lexer *l, struct slice *text)
{
    bool has_slash = false;

    if (!lexer_sees(l, '/'))
        return false;
    for (size_t i = l->at + 1; i < l->text.len; i++) {
        char c = l->text.data[i];

        if (c == '/' && i > l->at + 1 && ends_term(l, i + 1)) {
            *text = unescaped(l, slice_of(l->text.data + l->at + 1, i - l->at - 1), "/");
            l->at = i + 1;
            return true;
        }
        if (has_slash && lexer_is_blank(c))
            return false;
        has_slash |= c == '/';
        i += c == '\\';
    }
    return false;
}

/* ---- Names ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Goes past the words and texts in quotes that are one behind the other; `*pieces`: how many. */
static void pass_pieces(struct lexer *l, size_t *pieces)
{
    for (*pieces = 0; !is_at_end(l); ++*pieces) {
        size_t end = lexer_sees(l, '"') ? end_of_quoted(l, l->at) : 0;

        if (end)
            l->at = end + 1;
        else if (lexer_word(l, ":").len == 0)
            return;
    }
}

/* What is between l->at and `end`: the same pieces as one text. */
static struct slice join_pieces(struct lexer *l, size_t end)
{
    const char *start = l->room;

    while (l->at < end) {
        if (lexer_sees(l, '"')) {
            size_t close = end_of_quoted(l, l->at);

            append_unescaped(l, slice_of(l->text.data + l->at + 1, close - l->at - 1), "\"\\");
            l->at = close + 1;
        } else {
            struct slice word = lexer_word(l, ":");

            memcpy(l->room, word.data, word.len);
            l->room += word.len;
        }
    }
    return slice_of(start, (size_t)(l->room - start));
}

bool lexer_name(struct lexer *l, struct slice *name, size_t *plain)
{
    struct lexer ahead = *l;
    size_t pieces;

    if (is_at_end(l) || is_digit(l->text.data[l->at]))
        return false;
    pass_pieces(&ahead, &pieces);
    if (pieces == 0 || !lexer_sees(&ahead, ':'))
        return false;

    struct slice source = slice_of(l->text.data + l->at, ahead.at - l->at);
    struct slice rest = slice_of(l->text.data + ahead.at, l->text.len - ahead.at);
    const char *quote = memchr(source.data, '"', source.len);

    if (!quote && (lexer_sees_colons(&ahead) || (rest.len > 2 && memcmp(rest.data, "://", 3) == 0)))
        return false;
    *plain = quote ? (size_t)(quote - source.data) : source.len;
    *name = quote ? join_pieces(l, ahead.at) : source;
    l->at = ahead.at + 1;
    return true;
}
