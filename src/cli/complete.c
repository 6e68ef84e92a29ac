#include "cli/complete.h"

#include <stdio.h>
#include <string.h>

#include "base/url_escape.h"
#include "cli/filters.h"
#include "cli/http_client.h"
#include "json/writer.h"

/* The names of the language that every log has. */
static const char *const ours[] = {
    "any:", "id:", "level:", "message:", "pattern:", "since:", "until:", "timestamp:", NULL};

/* A word of a query: what stands before the name, the name, and what stands behind it. */
struct word {
    struct slice lead; /* signs: -, ( */
    struct slice name;
    struct slice signs; /* : and what compares */
    struct slice value;
    bool has_value;
};

static struct slice cut_while(struct slice *rest, const char *signs)
{
    size_t len = 0;

    while (len < rest->len && strchr(signs, rest->data[len]))
        len++;

    struct slice cut = slice_of(rest->data, len);

    *rest = slice_of(rest->data + len, rest->len - len);
    return cut;
}

static struct word split(const char *text)
{
    struct slice rest = slice_of_string(text);
    struct word w = {.lead = cut_while(&rest, "-(")};
    const char *colon = rest.len > 0 ? memchr(rest.data, ':', rest.len) : NULL;

    w.name = rest;
    if (!colon)
        return w;
    w.name = slice_of(rest.data, (size_t)(colon - rest.data));
    rest = slice_of(colon, rest.len - w.name.len);
    w.signs = cut_while(&rest, ":><=(");
    w.value = rest;
    w.has_value = true;
    return w;
}

static bool begins_with(struct slice text, struct slice prefix)
{
    return text.len >= prefix.len &&
           (prefix.len == 0 || memcmp(text.data, prefix.data, prefix.len) == 0);
}

/* The answer, of which the caller frees the document; NULL: none came in time. */
static yyjson_doc *ask(struct http_client *client, const struct buffer *path)
{
    struct errbuf ignored = ERRBUF_INIT;
    struct slice answer;

    if (buffer_error(path) ||
        http_client_run(
            client,
            &(struct http_client_request){.path = path->data, .timeout_ms = COMPLETE_TIMEOUT_MS},
            &ignored))
        return NULL;
    answer = http_client_answer(client);
    return yyjson_read(answer.data, answer.len, YYJSON_READ_NUMBER_AS_RAW);
}

/* A line would end, or the terminal be controlled; or it needs quotes, which nobody has typed. */
static bool can_be_typed(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.data[i] <= ' ' || text.data[i] == 0x7f ||
            strchr("\"'\\()*`$&;|<>", text.data[i]))
            return false;
    return text.len > 0;
}

static void print_word(const struct word *w, struct slice name, struct slice signs,
                       struct slice value)
{
    printf("%.*s%.*s%.*s%.*s\n", SLICE_ARG(w->lead), SLICE_ARG(name), SLICE_ARG(signs),
           SLICE_ARG(value));
}

static void print_names(struct http_client *client, const struct word *w, struct buffer *path)
{
    yyjson_doc *doc;
    yyjson_val *field;
    size_t i, max;

    for (const char *const *name = ours; *name; name++)
        if (begins_with(slice_of_string(*name), w->name))
            print_word(w, slice_of_string(*name), slice_of(NULL, 0), slice_of(NULL, 0));
    buffer_append_string(path, "/logs/fields?top=1&slice=1");
    buffer_append_char(path, '\0');
    doc = ask(client, path);
    yyjson_arr_foreach(yyjson_obj_get(yyjson_doc_get_root(doc), "fields"), i, max, field)
    {
        struct slice name = json_text(yyjson_obj_get(field, "path"));

        if (begins_with(name, w->name) && can_be_typed(name) &&
            !slice_equal(name, SLICE_LITERAL("level")))
            print_word(w, name, SLICE_LITERAL(":"), slice_of(NULL, 0));
    }
    yyjson_doc_free(doc);
}

static void print_values(struct http_client *client, const struct word *w, struct buffer *path)
{
    yyjson_doc *doc;
    yyjson_val *value;
    size_t i, max;

    buffer_append_string(path, "/logs/fields/");
    url_escape_append(path, w->name);
    buffer_appendf(path, "?top=%d&slice=1", COMPLETE_VALUES);
    filters_append_param(path, "prefix", w->value);
    buffer_append_char(path, '\0');
    doc = ask(client, path);
    yyjson_arr_foreach(yyjson_obj_get(yyjson_doc_get_root(doc), "values"), i, max, value)
    {
        struct slice text = json_text(yyjson_obj_get(value, "value"));

        if (can_be_typed(text))
            print_word(w, w->name, w->signs, text);
    }
    yyjson_doc_free(doc);
}

void complete_print(const struct flags *flags, const char *word)
{
    struct errbuf ignored = ERRBUF_INIT;
    struct http_client *client = http_client_new(flags, &ignored);
    struct word w = split(word);
    struct buffer path;

    if (!client)
        return;
    buffer_init_small(&path);
    if (w.has_value && w.name.len > 0)
        print_values(client, &w, &path);
    else if (!w.has_value)
        print_names(client, &w, &path);
    buffer_release(&path);
    http_client_free(client);
}
