#include "cli/near.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "cli/filters.h"
#include "cli/terminal.h"
#include "json/writer.h"

#define SLICE_SECONDS "1" /* after which an answer is wanted, so that there is progress to tell */

enum { TEXTS_BYTES_MAX = 1 << 30 };

struct shown {
    size_t start, len; /* in texts */
    bool is_marked;
};

struct near {
    struct http_client *client;
    const struct flags *flags;
    const struct show *show;
    struct errbuf *err;
    struct buffer texts;
    struct shown *items; /* newest first */
    size_t len, capacity;
    size_t older, newer;          /* logs of each side, so far */
    struct buffer next, previous; /* cursors */
};

/* ---- Asking ---- */

static void append_number(struct buffer *path, const char *name, size_t n)
{
    char text[24];

    snprintf(text, sizeof(text), "%zu", n);
    filters_append_param(path, name, slice_of_string(text));
}

static int ask(struct near *n, struct slice cursor, size_t before, size_t after)
{
    const struct flags *flags = n->flags;
    struct buffer path;
    int error;

    buffer_init_small(&path);
    buffer_append_string(&path, "/logs");
    filters_append_param(&path, "around", slice_of_string(flags_text(flags, "around")));
    append_number(&path, "before", before);
    append_number(&path, "after", after);
    filters_append_param(&path, "slice", SLICE_LITERAL(SLICE_SECONDS));
    if (flags_text(flags, "same"))
        filters_append_param(&path, "same", slice_of_string(flags_text(flags, "same")));
    if (flags_text(flags, "fields"))
        filters_append_param(&path, "fields", slice_of_string(flags_text(flags, "fields")));
    error = filters_append(&path, flags, n->err);
    if (cursor.len > 0)
        filters_append_param(&path, "cursor", cursor);
    buffer_append_char(&path, '\0');
    if (!error)
        error =
            http_client_run(n->client, &(struct http_client_request){.path = path.data}, n->err);
    buffer_release(&path);
    return error;
}

/* ---- Taking ---- */

/* At place `at`. */
static int insert(struct near *n, yyjson_val *log, size_t at, bool is_marked)
{
    size_t start = n->texts.len;

    show_append(n->show, &n->texts, log);
    if (buffer_error(&n->texts))
        return errbuf_fail(n->err, LM_ETOOBIG, "more than 1 GiB of logs");
    n->items = array_reserve(n->items, &n->capacity, n->len + 1, sizeof(*n->items));
    memmove(n->items + at + 1, n->items + at, (n->len - at) * sizeof(*n->items));
    n->items[at] = (struct shown){start, n->texts.len - start, is_marked};
    n->len++;
    return 0;
}

static void take_cursor(struct buffer *cursor, yyjson_val *root, const char *name)
{
    buffer_clear(cursor);
    buffer_append_slice(cursor, json_text(yyjson_obj_get(root, name)));
}

/* An answer of both sides, or of one. */
static int take(struct near *n, bool older, bool newer)
{
    struct slice answer = http_client_answer(n->client);
    yyjson_doc *doc = yyjson_read(answer.data, answer.len, YYJSON_READ_NUMBER_AS_RAW);
    yyjson_val *root = yyjson_doc_get_root(doc), *logs = yyjson_obj_get(root, "logs"), *log;
    const char *digits = yyjson_get_raw(yyjson_obj_get(root, "around"));
    size_t marked = digits ? strtoul(digits, NULL, 10) : SIZE_MAX, i, max;
    size_t at = older ? n->len : 0;
    int error = 0;

    if (!yyjson_is_arr(logs) || (older && newer && marked >= yyjson_arr_size(logs)))
        error = errbuf_fail(n->err, LM_EINVAL, "%s is no logmill server that knows --around",
                            http_client_url(n->client));
    yyjson_arr_foreach(logs, i, max, log)
    {
        if (error)
            break;
        error = insert(n, log, at + i, older && newer && i == marked);
        n->newer += newer && (!older || i < marked);
        n->older += older && (!newer || i > marked);
    }
    if (older)
        take_cursor(&n->next, root, "next");
    if (newer)
        take_cursor(&n->previous, root, "previous");
    yyjson_doc_free(doc);
    if (!error)
        terminal_status("%zu logs before it, and %zu after it, so far", n->older, n->newer);
    return error;
}

static int gather(struct near *n)
{
    size_t before = flags_number(n->flags, "before"), after = flags_number(n->flags, "after");
    int error = ask(n, slice_of(NULL, 0), before, after);

    if (!error)
        error = take(n, true, true);
    while (!error && n->older < before && n->next.len > 0) {
        error = ask(n, buffer_slice(&n->next), before - n->older, 1);
        if (!error)
            error = take(n, true, false);
    }
    while (!error && n->newer < after && n->previous.len > 0) {
        error = ask(n, buffer_slice(&n->previous), 1, after - n->newer);
        if (!error)
            error = take(n, false, true);
    }
    return error;
}

/* ---- Showing ---- */

static int show_one(const struct near *n, const struct shown *item)
{
    int error = 0;

    if (n->show->form == SHOW_PRETTY)
        error = show_write(item->is_marked ? SLICE_LITERAL("▶ ") : SLICE_LITERAL("  "), n->err);
    return error ? error : show_write(slice_of(n->texts.data + item->start, item->len), n->err);
}

int near_show(struct http_client *client, const struct flags *flags, const struct show *show,
              uint64_t *found, struct errbuf *err)
{
    struct near n = {.client = client, .flags = flags, .show = show, .err = err};
    bool is_reverse = flags_has(flags, "reverse");
    int error;

    buffer_init(&n.texts, TEXTS_BYTES_MAX);
    buffer_init(&n.next, 1 << 16);
    buffer_init(&n.previous, 1 << 16);
    error = gather(&n);
    terminal_clear_status();
    for (size_t i = 0; !error && i < n.len; i++)
        error = show_one(&n, &n.items[is_reverse ? i : n.len - 1 - i]);
    *found = n.len;
    free(n.items);
    buffer_release(&n.texts);
    buffer_release(&n.next);
    buffer_release(&n.previous);
    return error;
}
