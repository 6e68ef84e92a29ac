#include "json/reader.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "json/writer.h"

enum {
    POOL_TEXT_MIN = 16 * 1024, /* the first pool is made for texts of this size */
};

static const yyjson_read_flag FLAGS = YYJSON_READ_NUMBER_AS_RAW;

struct slice json_without_bom(struct slice text)
{
    if (text.len >= 3 && memcmp(text.data, "\xef\xbb\xbf", 3) == 0)
        return slice_of(text.data + 3, text.len - 3);
    return text;
}

void json_doc_init(struct json_doc *d)
{
    *d = (struct json_doc){.doc = NULL};
    buffer_init(&d->cleaned, SIZE_MAX / 2); /* as large as the text */
}

void json_doc_release(struct json_doc *d)
{
    yyjson_doc_free(d->doc);
    free(d->pool);
    buffer_release(&d->cleaned);
    json_doc_init(d);
}

/*
 * Makes the pool large enough for a text of `len` bytes. It is sized for the worst text, about 13
 * times `len`; what a usual text leaves untouched of that costs address space only.
 */
static int grow_pool(struct json_doc *d, size_t len)
{
    size_t need = yyjson_read_max_memory_usage(len < POOL_TEXT_MIN ? POOL_TEXT_MIN : len, FLAGS);

    if (need <= d->pool_size)
        return 0;
    free(d->pool);
    d->pool = try_malloc(need);
    d->pool_size = d->pool ? need : 0;
    return d->pool ? 0 : LM_ENOMEM;
}

/* True if the backslash at `at` is not itself escaped by one before it. */
static bool begins_escape(struct slice text, const char *at)
{
    size_t before = 0;

    while (at > text.data && at[-1] == '\\') {
        at--;
        before++;
    }
    return before % 2 == 0;
}

int json_doc_read(struct json_doc *d, struct slice text)
{
    bool pooled = text.len <= JSON_DOC_POOL_TEXT_MAX;
    yyjson_alc alc;
    yyjson_read_err failure;

    yyjson_doc_free(d->doc);
    d->doc = NULL;
    if (text.len == 0)
        return LM_EINVAL;
    if (pooled) {
        int error = grow_pool(d, text.len);
        if (error)
            return error;
        yyjson_alc_pool_init(&alc, d->pool, d->pool_size);
    }
    /* Without YYJSON_READ_INSITU the text is not changed: the cast is safe. */
    char *json = (char *)text.data;
    d->doc = yyjson_read_opts(json, text.len, FLAGS, pooled ? &alc : json_alc(), &failure);
    /* A text that is no JSON ("[[[[…") may need more than the worst that is: only the heap tells.
     */
    if (!d->doc && pooled && failure.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION)
        d->doc = yyjson_read_opts(json, text.len, FLAGS, json_alc(), &failure);
    if (!d->doc)
        return failure.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION ? LM_ENOMEM : LM_EINVAL;
    return 0;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* What follows the string that begins at `at`, with its quote. */
static size_t skip_string(struct slice text, size_t at)
{
    for (at++; at < text.len && text.data[at] != '"'; at++)
        at += text.data[at] == '\\';
    return at < text.len ? at + 1 : text.len;
}

static size_t length_of_first(struct slice text)
{
    size_t depth = 0;

    for (size_t at = 0; at < text.len;) {
        char c = text.data[at];

        if (c == '"') {
            at = skip_string(text, at);
            continue;
        }
        at++;
        if (c == '{' || c == '[')
            depth++;
        else if ((c == '}' || c == ']') && --depth == 0)
            return at;
    }
    return text.len;
}

struct slice json_cut(struct slice *rest)
{
    size_t skip = 0;

    while (skip < rest->len && is_space(rest->data[skip]))
        skip++;
    struct slice text = {skip ? rest->data + skip : rest->data, rest->len - skip};
    if (text.len && (text.data[0] == '{' || text.data[0] == '['))
        text.len = length_of_first(text);
    skip += text.len;
    *rest = skip ? slice_of(rest->data + skip, rest->len - skip) : *rest;
    return text;
}

static const char nul[] = "\\u0000";
static const size_t nul_len = sizeof(nul) - 1;

bool json_doc_may_hold_nul(struct slice text)
{
    while (text.len >=
           nul_len) { /* few bytes of a text are backslashes: this passes the others fast */
        const char *escape = memchr(text.data, '\\', text.len - nul_len + 1);

        if (!escape)
            return false;
        if (memcmp(escape, nul, nul_len) == 0)
            return true;
        text = slice_of(escape + 1, (size_t)(text.data + text.len - escape - 1));
    }
    return false;
}

int json_doc_read_cleaned(struct json_doc *d, struct slice text, size_t *nul_characters)
{
    if (!json_doc_may_hold_nul(text))
        return json_doc_read(d, text);
    buffer_clear(&d->cleaned);
    buffer_append_slice(&d->cleaned, text);
    if (buffer_error(&d->cleaned))
        return buffer_error(&d->cleaned);
    text = buffer_slice(&d->cleaned);

    /* In the text \u0000 and \ufffd are equally long, so nothing else of it changes. */
    char *p = d->cleaned.data;
    char *end = p + text.len;
    size_t found = 0;
    while ((p = memmem(p, (size_t)(end - p), nul, nul_len))) {
        if (begins_escape(text, p)) {
            memcpy(p, "\\ufffd", nul_len);
            found++;
        }
        p += nul_len;
    }
    *nul_characters += found;
    return json_doc_read(d, text);
}

bool json_doc_deeper_than(const struct json_doc *d, yyjson_val *value, size_t max_depth)
{
    /* Most documents have too few values to be deep, which spares them the walk. */
    return yyjson_doc_get_val_count(d->doc) > max_depth && json_deeper_than(value, max_depth);
}
