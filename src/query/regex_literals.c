#include "query/regex_literals.h"

#include "base/utf8.h"

enum { LITERAL_MIN = 2 }; /* bytes: PCRE2 looks for one by itself */

/* The expression, which is read from the left to the right. */
struct scan {
    struct slice text;
    size_t at;
    struct regex_literals *l;
    size_t run;  /* where in l->texts the literal under way begins, … */
    size_t used; /* … and ends */
    bool is_odd; /* nothing can be said */
};

static bool is_alphanumeric(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_among(char c, const char *set)
{
    return c && strchr(set, c);
}

/* The byte `ahead` of the place; 0: the end. */
static char peek(const struct scan *s, size_t ahead)
{
    return s->at + ahead < s->text.len ? s->text.data[s->at + ahead] : '\0';
}

static bool begins(const struct scan *s, const char *what)
{
    size_t len = strlen(what);

    return s->text.len - s->at >= len && memcmp(s->text.data + s->at, what, len) == 0;
}

/* ---- The literals ---- */

static void add(struct regex_literals *l, struct slice literal)
{
    size_t at = l->len < REGEX_LITERALS_MAX ? l->len++ : REGEX_LITERALS_MAX;

    for (; at > 0 && l->each[at - 1].len < literal.len; at--)
        if (at < REGEX_LITERALS_MAX)
            l->each[at] = l->each[at - 1];
    if (at < REGEX_LITERALS_MAX)
        l->each[at] = literal;
}

static void end_run(struct scan *s)
{
    if (s->used - s->run >= LITERAL_MIN)
        add(s->l, slice_of(s->l->texts + s->run, s->used - s->run));
    s->run = s->used;
}

/* True if the character may stand in a literal without case (regex.h). */
static bool is_cased_plainly(char c)
{
    return (unsigned char)c < 0x80 && !is_among(c, "kKsS");
}

/* ---- What is no literal ---- */

/* Past an escape that stands for something, or that is odd. */
static void skip_escape(struct scan *s)
{
    char c = peek(s, 1);

    s->is_odd |= !c || (is_alphanumeric(c) && !is_among(c, "dDwWsSbBAZzhHvVRXKnrtfea"));
    s->at += 2;
}

static void skip_class(struct scan *s)
{
    s->at++;
    s->at += peek(s, 0) == '^';
    s->at += peek(s, 0) == ']';
    while (!s->is_odd && s->at < s->text.len && peek(s, 0) != ']') {
        if (peek(s, 0) == '\\') {
            skip_escape(s);
        } else if (begins(s, "[:")) {
            const char *end = memmem(s->text.data + s->at, s->text.len - s->at, ":]", 2);

            s->is_odd |= !end;
            s->at = end ? (size_t)(end - s->text.data) + 2 : s->text.len;
        } else {
            s->at++;
        }
    }
    s->at++;
}

/* Past a parenthesis and what makes a group of it. Verbs, comments, options and such are odd. */
static void skip_opening(struct scan *s)
{
    static const char *const kinds[] = {"(?:", "(?=", "(?!", "(?>", "(?|", "(?<", "(?P<", "(?'"};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        if (begins(s, kinds[i])) {
            s->at += strlen(kinds[i]);
            return;
        }
    }
    s->is_odd |= is_among(peek(s, 1), "?*");
    s->at++;
}

static void skip_group(struct scan *s)
{
    size_t depth = 0;

    do {
        switch (peek(s, 0)) {
        case '(':
            depth++;
            skip_opening(s);
            break;
        case ')':
            depth--;
            s->at++;
            break;
        case '[':
            skip_class(s);
            break;
        case '\\':
            skip_escape(s);
            break;
        default:
            s->at++;
        }
    } while (!s->is_odd && depth > 0 && s->at < s->text.len);
    s->is_odd |= depth > 0;
}

/* ---- One item after the other ---- */

/* True if it is a letter, which becomes the last of the run. */
static bool read_item(struct scan *s)
{
    char c = peek(s, 0);
    uint32_t code;

    if (c == '(' || c == '[') {
        c == '(' ? skip_group(s) : skip_class(s);
        return false;
    }
    if (c == '.' || c == '^' || c == '$') {
        s->at++;
        return false;
    }
    if (c == '\\' && (!peek(s, 1) || is_alphanumeric(peek(s, 1)))) {
        skip_escape(s);
        return false;
    }
    s->is_odd |= is_among(c, "|)*+?{") || !c;
    s->at += c == '\\';
    size_t len = s->at < s->text.len
                     ? utf8_read(slice_of(s->text.data + s->at, s->text.len - s->at), &code)
                     : 0;
    bool is_kept = len > 0 && (s->l->with_case || is_cased_plainly(peek(s, 0)));
    if (is_kept) {
        memcpy(s->l->texts + s->used, s->text.data + s->at, len);
        s->used += len;
    }
    s->at += len;
    return is_kept;
}

/* How often the item comes. True: once. */
static bool read_quantifier(struct scan *s, size_t before)
{
    char c = peek(s, 0);

    if (!is_among(c, "*+?{"))
        return true;
    if (c != '+')
        s->used = before; /* it may not be there */
    if (c == '{') {
        const char *end = memchr(s->text.data + s->at, '}', s->text.len - s->at);

        s->is_odd |= !end;
        while (end && s->text.data + ++s->at < end)
            s->is_odd |= !is_among(peek(s, 0), "0123456789,");
    }
    s->at++;
    s->at += is_among(peek(s, 0), "+?");
    return false;
}

/* Options at the beginning that the literals hold out: case, lines and dots. */
static void read_options(struct scan *s)
{
    size_t at = 2;
    bool with_case = true;

    if (!begins(s, "(?"))
        return;
    for (; is_among(peek(s, at), "ims"); at++)
        with_case &= peek(s, at) != 'i';
    if (at == 2 || peek(s, at) != ')')
        return;
    s->at += at + 1;
    s->l->with_case = with_case;
}

void regex_literals_find(struct slice text, struct regex_literals *l)
{
    struct scan s = {.text = text, .l = l};

    l->len = 0;
    l->with_case = true;
    read_options(&s);
    while (!s.is_odd && s.at < text.len) {
        size_t before = s.used;
        bool is_letter = read_item(&s);

        if (!read_quantifier(&s, before) || !is_letter)
            end_run(&s);
    }
    end_run(&s);
    if (s.is_odd)
        l->len = 0;
}

bool regex_literals_may_be_in(const struct regex_literals *l, struct slice text)
{
    const struct slice *longest = &l->each[0];

    return l->len == 0 || !l->with_case ||
           (text.len > 0 && memmem(text.data, text.len, longest->data, longest->len));
}
