#include "api/links.h"

#include <string.h>

#include "base/slice.h"
#include "base/utf8.h"
#include "json/writer.h"

#define PREFIX "LINK_"
#define PLACE "{value}"

struct link {
    struct slice name, url;
};

struct links {
    struct link items[LINKS_MAX];
    size_t len;
    struct errbuf *err;
};

enum { SHOWN_MAX = 200 }; /* bytes of what is wrong, in an error */

static int refuse(const struct links *l, const char *prefix, struct slice name, const char *reason)
{
    if (name.len > SHOWN_MAX || !utf8_valid(name))
        name = SLICE_LITERAL("…");
    return errbuf_fail(l->err, LM_EINVAL, "%s%.*s: %s", prefix, SLICE_ARG(name), reason);
}

static bool starts_with(struct slice s, const char *prefix)
{
    size_t len = strlen(prefix);

    return s.len >= len && memcmp(s.data, prefix, len) == 0;
}

/* Graphic ASCII but for what browsers read as something else, or an address has to escape. */
static bool is_plain(struct slice url)
{
    for (size_t i = 0; i < url.len; i++)
        if (url.data[i] <= ' ' || url.data[i] > '~' || strchr("\\\"<>^`|", url.data[i]))
            return false;
    return true;
}

static struct slice behind(struct slice s, size_t n)
{
    return slice_of(s.data + n, s.len - n);
}

/* Why it is no URL of a link; NULL: it is one. */
static const char *wrong_url(struct slice url)
{
    struct slice rest;
    size_t host = 0;

    if (url.len > LINKS_URL_MAX)
        return "a URL has at most 1024 bytes";
    if (starts_with(url, "https://"))
        rest = behind(url, strlen("https://"));
    else if (starts_with(url, "http://"))
        rest = behind(url, strlen("http://"));
    else
        return "a URL begins with https:// or http://";
    if (!is_plain(url))
        return "a URL is of ASCII characters; spaces, \\ \" < > ^ ` | and others are escaped (%20)";
    while (host < rest.len && !strchr("/?#", rest.data[host]))
        host++;
    if (host == 0 || memchr(rest.data, '{', host) || memchr(rest.data, '@', host))
        return "a URL names its host, without {value} and without a user";
    if (!memmem(rest.data + host, rest.len - host, PLACE, strlen(PLACE)))
        return "a URL has {value} in its path, its query or its fragment, where the value is to be";
    return NULL;
}

static const char *wrong_name(struct slice name)
{
    if (name.len == 0 || name.len > LINKS_NAME_MAX)
        return "the path of an attribute has 1 to 256 bytes";
    return utf8_valid(name) ? NULL : "the path of an attribute is UTF-8";
}

/* `entry` is NAME=URL. */
static int add(struct links *l, const char *prefix, struct slice entry)
{
    struct slice url = entry, name = slice_cut(&url, '=');
    const char *wrong = wrong_name(name);

    if (!wrong && name.len == entry.len)
        wrong = "it should be NAME=URL";
    if (!wrong)
        wrong = wrong_url(url);
    for (size_t i = 0; i < l->len && !wrong; i++)
        if (slice_equal(l->items[i].name, name))
            wrong = "there is another link for this attribute";
    if (!wrong && l->len == LINKS_MAX)
        wrong = "there may be at most 64 links";
    if (wrong)
        return refuse(l, prefix, name, wrong);
    l->items[l->len++] = (struct link){name, url};
    return 0;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static int add_all(struct links *l, const char *text)
{
    int error = 0;

    while (!error) {
        size_t len = 0;

        while (is_space(*text))
            text++;
        if (!*text)
            break;
        while (text[len] && !is_space(text[len]))
            len++;
        error = add(l, "LINKS: ", slice_of(text, len));
        text += len;
    }
    return error;
}

const char *links_variable(const char *entry)
{
    const char *value = strchr(entry, '=');

    if (strncmp(entry, PREFIX, strlen(PREFIX)) != 0 || !value || !value[1])
        return NULL;
    return entry + strlen(PREFIX);
}

static void append(const struct links *l, struct buffer *b)
{
    buffer_append_char(b, '{');
    for (size_t i = 0; i < l->len; i++) {
        if (i > 0)
            buffer_append_char(b, ',');
        json_append_string(b, l->items[i].name);
        buffer_append_char(b, ':');
        json_append_string(b, l->items[i].url);
    }
    buffer_append_char(b, '}');
}

int links_append(struct buffer *b, const char *text, char *const *environment, struct errbuf *err)
{
    struct links l = {.len = 0, .err = err};
    int error = text ? add_all(&l, text) : 0;

    for (; environment && *environment && !error; environment++) {
        const char *entry = links_variable(*environment);

        if (entry)
            error = add(&l, PREFIX, slice_of_string(entry));
    }
    if (error || !b)
        return error;
    append(&l, b);
    return buffer_error(b);
}
