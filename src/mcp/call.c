#include "mcp/call.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/int_parse.h"
#include "base/nearest.h"
#include "base/timestamp.h"
#include "base/url_escape.h"
#include "base/visible.h"
#include "mcp/refusal.h"
#include "json/writer.h"

enum {
    TAIL_ROOM = 2 * 1024, /* of MCP_RESULT_MAX: for what stands behind the rows */
    CURSOR_MAX = 64,
    SHOWN_MAX = 80, /* bytes of an argument in words about it */
    NOTE_MAX = 300,
    SPAN_BYTES_MAX = 1024,
};

static const char *const paths[MCP_READS] = {
    [MCP_READ_LOGS] = "/logs",           [MCP_READ_AROUND] = "/logs",
    [MCP_READ_STATS] = "/logs/stats",    [MCP_READ_PATTERNS] = "/logs/patterns",
    [MCP_READ_VALUES] = "/logs/fields/", [MCP_READ_FIELDS] = "/logs/fields",
};

/* ---- Results ---- */

/* The result is an error, whose words are appended to c->result by the caller. */
static void become_error(struct mcp_call *c)
{
    buffer_clear(&c->result);
    c->is_done = c->is_error = true;
}

void call_fail(struct mcp_call *c, const char *reason)
{
    become_error(c);
    visible_append(&c->result, slice_of_string(reason));
}

void call_append_result(const struct mcp_call *c, struct buffer *b)
{
    CHECK(c->is_done);
    if (buffer_error(&c->result)) {
        buffer_append_string(b, "{\"content\":[{\"type\":\"text\",\"text\":\"no memory for the "
                                "result, try again later\"}],\"isError\":true}");
        return;
    }
    buffer_append_string(b, "{\"content\":[{\"type\":\"text\",\"text\":");
    json_append_string(b, buffer_slice(&c->result));
    buffer_append_string(b, "}]");
    if (!c->is_error) {
        buffer_append_string(b, ",\"structuredContent\":");
        buffer_append_slice(b, buffer_slice(&c->result));
    }
    buffer_appendf(b, ",\"isError\":%s}", c->is_error ? "true" : "false");
}

/* ---- Arguments ---- */

static const struct mcp_argument *find_argument(const struct mcp_tool *tool, struct slice name)
{
    for (const struct mcp_argument *const *a = tool->arguments; *a; a++)
        if (slice_equal(name, slice_of_string((*a)->name)))
            return *a;
    return NULL;
}

static void refuse_unknown(struct mcp_call *c, struct slice name)
{
    const char *names[MCP_TOOL_ARGUMENTS_MAX];
    size_t n = 0;

    for (const struct mcp_argument *const *a = c->tool->arguments; *a; a++)
        names[n++] = (*a)->name;
    become_error(c);
    buffer_append_string(&c->result, "there is no argument ");
    visible_append(&c->result, utf8_cut(name, SHOWN_MAX));
    const char *nearest = nearest_name(name, names, n);
    if (nearest)
        buffer_appendf(&c->result, "; did you mean %s?", nearest);
    else
        buffer_append_char(&c->result, '.');
    buffer_append_string(&c->result, " Allowed: ");
    for (size_t i = 0; i < n; i++)
        buffer_appendf(&c->result, "%s%s", i ? ", " : "", names[i]);
}

static void refuse(struct mcp_call *c, const struct mcp_argument *a, yyjson_val *value)
{
    become_error(c);
    buffer_appendf(&c->result, "%s is not ", a->name);
    if (a->max)
        buffer_appendf(&c->result, "a whole number from %lld to %lld", (long long)a->min,
                       (long long)a->max);
    else
        buffer_appendf(&c->result, "a text of 1 to %d bytes", MCP_ARGUMENT_MAX);
    buffer_append_string(&c->result, ", but ");
    if (yyjson_is_str(value) && yyjson_get_len(value) > SHOWN_MAX)
        buffer_appendf(&c->result, "a text of %zu bytes", yyjson_get_len(value));
    else if (yyjson_is_ctn(value))
        buffer_append_string(&c->result, yyjson_is_arr(value) ? "an array" : "an object");
    else
        json_append_value(&c->result, value);
}

static void append_param(struct buffer *b, const char *name, struct slice value)
{
    buffer_append_string(b, b->len > 0 ? "&" : "");
    buffer_append_string(b, name);
    buffer_append_char(b, '=');
    url_escape_append(b, value);
}

static void take_number(struct mcp_call *c, const struct mcp_argument *a, int64_t number)
{
    if (a->role == MCP_ROLE_ROWS) {
        c->rows_max = (size_t)number;
    } else if (a->role == MCP_ROLE_TEXT) {
        c->shorten.text_max = (size_t)number;
    } else {
        buffer_append_string(&c->params, c->params.len > 0 ? "&" : "");
        buffer_appendf(&c->params, "%s=%lld", a->param, (long long)number);
    }
}

static void take_text(struct mcp_call *c, const struct mcp_argument *a, struct slice text)
{
    if (a->role == MCP_ROLE_PATH)
        buffer_append_slice(&c->segment, text);
    else if (slice_equal(slice_of_string(a->name), SLICE_LITERAL("cursor")))
        buffer_append_slice(&c->cursor, text);
    else
        append_param(&c->params, a->param, text);
}

/* A whole number, written as such, or as a text of its digits, as some assistants do. */
static bool read_number(yyjson_val *value, int64_t *number)
{
    struct slice text = json_text(value);

    return text.len > 0 && int_parse_lax(text, number) == 0;
}

static void take_argument(struct mcp_call *c, const struct mcp_argument *a, yyjson_val *value)
{
    struct slice text = json_text(value);
    int64_t number;

    if (a->max) {
        if (read_number(value, &number) && number >= a->min && number <= a->max)
            take_number(c, a, number);
        else
            refuse(c, a, value);
    } else if (yyjson_is_str(value) && text.len <= MCP_ARGUMENT_MAX &&
               (text.len > 0 || !a->required)) {
        if (text.len > 0) /* empty is as if it were not there */
            take_text(c, a, text);
    } else {
        refuse(c, a, value);
    }
}

/* What was not given has its default, or must not be missing. */
static void take_missing(struct mcp_call *c, const struct mcp_argument *a)
{
    if (a->required) {
        become_error(c);
        buffer_appendf(&c->result, "%s is missing: %s", a->name, a->about);
    } else if (a->whole_number) {
        take_number(c, a, a->whole_number);
    } else if (a->fallback) {
        take_text(c, a, slice_of_string(a->fallback));
    }
}

static void take_arguments(struct mcp_call *c, yyjson_val *arguments)
{
    yyjson_obj_iter iter = yyjson_obj_iter_with(arguments); /* NULL: of none */

    for (yyjson_val *name; (name = yyjson_obj_iter_next(&iter));) {
        yyjson_val *value = yyjson_obj_iter_get_val(name);
        const struct mcp_argument *a = find_argument(c->tool, json_text(name));

        if (c->is_done)
            return;
        if (!a)
            refuse_unknown(c, json_text(name));
        else if (!yyjson_is_null(value))
            take_argument(c, a, value);
    }
    for (const struct mcp_argument *const *a = c->tool->arguments; *a && !c->is_done; a++) {
        yyjson_val *given = yyjson_obj_get(arguments, (*a)->name);

        if (!given || yyjson_is_null(given) || yyjson_equals_str(given, ""))
            take_missing(c, *a);
    }
}

void call_init(struct mcp_call *c, const struct mcp_tool *tool, yyjson_val *arguments,
               struct account *account)
{
    *c = (struct mcp_call){.tool = tool, .shorten = {.text_max = MCP_TEXT_DEFAULT}};
    buffer_init(&c->params, MCP_TARGET_MAX);
    buffer_init(&c->segment, MCP_ARGUMENT_MAX);
    buffer_init(&c->target, 2 * MCP_TARGET_MAX);
    buffer_init(&c->cursor, MCP_ARGUMENT_MAX);
    buffer_init(&c->span, SPAN_BYTES_MAX);
    c->knows_span = !tool->has_span;
    /* A row is written whole before it is known whether it has room. */
    buffer_init_within(&c->result, MCP_RESULT_MAX + 8 * MCP_ROW_MAX, account);
    c->until_us = clock_monotonic_us() + MCP_SEARCH_MS * UINT64_C(1000);
    take_arguments(c, arguments);
}

void call_release(struct mcp_call *c)
{
    buffer_release(&c->params);
    buffer_release(&c->segment);
    buffer_release(&c->target);
    buffer_release(&c->cursor);
    buffer_release(&c->span);
    buffer_release(&c->result);
}

/* ---- What to ask ---- */

/* The parameter's name for how many rows are wanted; NULL if it has none. */
static const char *rows_param(const struct mcp_tool *tool)
{
    for (const struct mcp_argument *const *a = tool->arguments; *a; a++)
        if ((*a)->role == MCP_ROLE_ROWS)
            return (*a)->param;
    return NULL;
}

/* Of a target whose path ends at `path_len`. */
static void append_number_param(struct buffer *b, size_t path_len, const char *name, size_t number)
{
    buffer_appendf(b, "%c%s=%zu", b->len == path_len ? '?' : '&', name, number);
}

/* Of what time there are logs is asked of all of them, unless since says more: it comes last. */
static void append_own_params(struct mcp_call *c, size_t path_len)
{
    struct buffer *b = &c->target;

    if (!c->knows_span) {
        append_number_param(b, path_len, "slice", MCP_SPAN_S);
        buffer_append_string(b, "&value=min(timestamp),max(timestamp)&since=0");
        return;
    }
    if (rows_param(c->tool))
        append_number_param(b, path_len, rows_param(c->tool), c->rows_max - c->rows);
    if (c->tool->read == MCP_READ_LOGS) {
        append_number_param(b, path_len, "slice", 1);
        append_number_param(b, path_len, "bytes", MCP_PAGE_BYTES);
    }
}

const struct mcp_ask *call_next(struct mcp_call *c)
{
    enum mcp_read read = c->knows_span ? c->tool->read : MCP_READ_STATS;
    struct buffer *b = &c->target;
    size_t path_len;

    if (c->is_done)
        return NULL;
    buffer_clear(b);
    buffer_append_string(b, paths[read]);
    url_escape_append(b, buffer_slice(&c->segment));
    path_len = b->len;
    append_own_params(c, path_len);
    if (c->params.len > 0) {
        buffer_append_char(b, b->len == path_len ? '?' : '&');
        buffer_append_slice(b, buffer_slice(&c->params));
    }
    if (c->cursor.len > 0)
        append_param(b, "cursor", buffer_slice(&c->cursor));
    buffer_append_char(b, '\0');
    if (buffer_error(b) || buffer_error(&c->params)) {
        call_fail(c, "the arguments are too long");
        return NULL;
    }
    c->ask = (struct mcp_ask){.read = read,
                              .target = b->data,
                              .query = {b->data + path_len + 1, b->len - path_len - 2},
                              .segment = buffer_slice(&c->segment)};
    return &c->ask;
}

/* ---- Rows and groups ---- */

/* Appends an item of an array; false, and it is not there, if there is no room for it. */
static bool append_item(struct mcp_call *c, yyjson_val *item, bool is_first)
{
    struct buffer *b = &c->result;
    size_t len = b->len, cuts = c->shorten.cuts;

    buffer_append_string(b, is_first ? "" : ",");
    shorten_append(&c->shorten, b, item);
    if (!buffer_error(b) && b->len <= MCP_RESULT_MAX - TAIL_ROOM)
        return true;
    buffer_truncate(b, len);
    c->shorten.cuts = cuts;
    return false;
}

/* The key of a log, for a cursor behind it. */
static void remember(struct mcp_call *c, yyjson_val *log)
{
    struct timestamp_error refusal;

    c->has_last = uuid_parse(json_text(yyjson_obj_get(log, "id")), &c->last.id, NULL) == 0 &&
                  timestamp_parse_text(json_text(yyjson_obj_get(log, "timestamp")),
                                       &c->last.timestamp_us, &refusal) == 0;
}

static void append_row(struct mcp_call *c, yyjson_val *log)
{
    size_t text_max = c->shorten.text_max;
    bool fits = append_item(c, log, c->rows == 0);

    /* One alone that is too large, since its bytes need escapes, is cut shorter. */
    for (; !fits && c->rows == 0 && c->shorten.text_max > 1; fits = append_item(c, log, true))
        c->shorten.text_max /= 8;
    c->shorten.text_max = text_max;
    if (!fits)
        return;
    c->rows++;
    remember(c, log);
}

/* How it goes on where the answer ends. */
static void append_next(struct mcp_call *c, struct slice next)
{
    char cursor[LOG_KEY_CURSOR_LEN];

    if (c->left_out > 0 && c->has_last) {
        log_key_format_cursor(&c->last, cursor);
        next = slice_of(cursor, sizeof(cursor));
    }
    buffer_append_string(&c->result, ",\"next\":");
    if (next.len > 0 && next.len <= CURSOR_MAX)
        json_append_string(&c->result, next);
    else
        buffer_append_string(&c->result, "null");
}

static void append_note(struct mcp_call *c, bool *any, const char *format, ...) LM_PRINTF(3, 4);

/* Appends an item of the list of what an assistant should know of what is missing. */
static void append_note(struct mcp_call *c, bool *any, const char *format, ...)
{
    char text[NOTE_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    buffer_append_string(&c->result, *any ? "," : "");
    json_append_string(&c->result, slice_of_string(text));
    *any = true;
}

/* How to go on: logs by their cursor; counts, which have none that fits in here, by the time. */
#define BY_CURSOR "go on with cursor if there is a next"
#define BY_UNTIL "the rest is answered by the same with that time as until, to be added"

static void append_notes(struct mcp_call *c, const char *what, struct slice searched_to,
                         const char *how)
{
    bool any = false;

    buffer_append_string(&c->result, "\"notes\":[");
    if (c->left_out > 0)
        append_note(c, &any, "%zu more %s had no room: an answer ends at %d bytes", c->left_out,
                    what, MCP_RESULT_MAX);
    if (c->shorten.cuts > 0)
        append_note(c, &any, "%zu places were cut; each says so, behind …", c->shorten.cuts);
    if (searched_to.len > 0)
        append_note(c, &any,
                    "the time was over: only what is newer than %.*s was looked at; %s, or narrow "
                    "down since, until or the query",
                    SLICE_ARG(utf8_cut(searched_to, CURSOR_MAX)), how);
    buffer_append_char(&c->result, ']');
}

static void end_rows(struct mcp_call *c, struct slice next, struct slice searched_to)
{
    buffer_appendf(&c->result, "],\"shown\":%zu", c->rows);
    append_next(c, next);
    buffer_append_char(&c->result, ',');
    append_notes(c, "logs", searched_to, BY_CURSOR);
    buffer_append_char(&c->result, '}');
    c->is_done = true;
}

/* Takes a page of logs. If it found less than is wanted since its time was over, it goes on. */
static void take_rows(struct mcp_call *c, yyjson_val *root)
{
    struct slice next = json_text(yyjson_obj_get(root, "next"));
    struct slice searched_to = json_text(yyjson_obj_get(root, "searched_to"));
    yyjson_val *logs = yyjson_obj_get(root, "logs"), *log;
    size_t i, n;

    c->shorten.room = MCP_ROW_MAX;
    if (c->rows == 0) {
        buffer_clear(&c->result);
        buffer_append_string(&c->result, "{\"logs\":[");
    }
    yyjson_arr_foreach(logs, i, n, log)
    {
        size_t rows = c->rows;

        if (c->left_out == 0 && rows < c->rows_max)
            append_row(c, log);
        c->left_out += c->rows == rows;
    }
    bool goes_on = next.len > 0 && next.len <= CURSOR_MAX && c->left_out == 0 &&
                   c->rows < c->rows_max && clock_monotonic_us() < c->until_us &&
                   !slice_equal(next, buffer_slice(&c->cursor));
    if (goes_on) {
        buffer_clear(&c->cursor);
        buffer_append_slice(&c->cursor, next);
    } else {
        end_rows(c, next, searched_to);
    }
}

/* Bytes that a row takes in a result. */
static size_t measure(struct mcp_call *c, yyjson_val *log)
{
    size_t len = c->result.len, cuts = c->shorten.cuts;

    shorten_append(&c->shorten, &c->result, log);
    size_t taken = buffer_error(&c->result) ? SIZE_MAX / 4 : c->result.len - len + 1;
    buffer_truncate(&c->result, len);
    c->shorten.cuts = cuts;
    return taken;
}

/*
 * As many logs as have room, nearest to the one at `center` first, alternately from both sides:
 * `*from` to `*to`, which is behind the last.
 */
static void choose_neighbours(struct mcp_call *c, yyjson_val *logs, size_t center, size_t *from,
                              size_t *to)
{
    size_t room = MCP_RESULT_MAX - TAIL_ROOM, n = yyjson_arr_size(logs);
    bool has_newer = true, has_older = true;

    *from = center;
    *to = center + 1;
    size_t taken = c->result.len + measure(c, yyjson_arr_get(logs, center));
    room -= taken < room ? taken : room;
    while (has_newer || has_older) {
        size_t newer = *from > 0 ? measure(c, yyjson_arr_get(logs, *from - 1)) : SIZE_MAX;
        has_newer = has_newer && newer <= room;
        if (has_newer) {
            --*from;
            room -= newer;
        }
        size_t older = *to < n ? measure(c, yyjson_arr_get(logs, *to)) : SIZE_MAX;
        has_older = has_older && older <= room;
        if (has_older) {
            ++*to;
            room -= older;
        }
    }
}

/* Takes a log and its neighbours: those nearest to it, if not all have room. */
static void take_around(struct mcp_call *c, yyjson_val *root)
{
    struct slice searched_to = json_text(yyjson_obj_get(root, "searched_to"));
    struct slice place = json_text(yyjson_obj_get(root, "around"));
    yyjson_val *logs = yyjson_obj_get(root, "logs");
    size_t n = yyjson_arr_size(logs), from, to;
    int64_t center;

    if (int_parse_lax(place, &center) || center < 0 || (uint64_t)center >= n) {
        call_fail(c, "the server's answer is not one of logmill");
        return;
    }
    c->shorten.room = MCP_ROW_MAX;
    buffer_clear(&c->result);
    buffer_append_string(&c->result, "{\"logs\":[");
    choose_neighbours(c, logs, (size_t)center, &from, &to);
    for (size_t i = from; i < to; i++)
        append_row(c, yyjson_arr_get(logs, i));
    c->left_out = n - c->rows;
    buffer_appendf(&c->result, "],\"around\":%zu,", (size_t)center - from);
    append_notes(c, "logs", searched_to, BY_CURSOR);
    buffer_append_char(&c->result, '}');
    c->is_done = true;
}

/* What has its own place in the result, or is of no use to an assistant. */
static bool is_passed_over(struct slice name)
{
    return slice_equal(name, SLICE_LITERAL("state")) || slice_equal(name, SLICE_LITERAL("next")) ||
           slice_equal(name, SLICE_LITERAL("searched_to"));
}

static void append_items(struct mcp_call *c, yyjson_val *items)
{
    yyjson_val *item;
    size_t i, n;
    bool is_full = false;

    buffer_append_char(&c->result, '[');
    yyjson_arr_foreach(items, i, n, item)
    {
        is_full = is_full || !append_item(c, item, i == 0);
        c->left_out += is_full;
    }
    buffer_append_char(&c->result, ']');
}

/* Takes counts, groups, patterns or values: all members but a few as they are, if they fit. */
static void take_groups(struct mcp_call *c, yyjson_val *root)
{
    struct slice searched_to = json_text(yyjson_obj_get(root, "searched_to"));
    yyjson_val *name, *member;
    size_t i, n;
    bool any = false;

    c->shorten.room = MCP_GROUP_MAX;
    c->shorten.text_max = MCP_GROUP_TEXT_MAX;
    buffer_clear(&c->result);
    buffer_append_char(&c->result, '{');
    buffer_append_slice(&c->result, buffer_slice(&c->span));
    any = c->span.len > 0;
    yyjson_obj_foreach(root, i, n, name, member)
    {
        if (is_passed_over(json_text(name)))
            continue;
        buffer_append_string(&c->result, any ? "," : "");
        any = true;
        shorten_append_text(&c->shorten, &c->result, json_text(name));
        buffer_append_char(&c->result, ':');
        if (yyjson_is_arr(member))
            append_items(c, member);
        else
            shorten_append(&c->shorten, &c->result, member);
    }
    buffer_append_string(&c->result, any ? "," : "");
    append_notes(c, "of the groups or buckets", searched_to, BY_UNTIL);
    buffer_append_char(&c->result, '}');
    c->is_done = true;
}

static void append_or_null(struct buffer *b, yyjson_val *value)
{
    struct shorten s = {.text_max = CURSOR_MAX, .room = CURSOR_MAX};

    if (value)
        shorten_append(&s, b, value);
    else
        buffer_append_string(b, "null");
}

/* Takes of what time there are logs: the least and the greatest time. */
static void take_span(struct mcp_call *c, yyjson_val *root)
{
    yyjson_val *values = yyjson_ptr_get(root, "/groups/0/values");
    yyjson_val *oldest = yyjson_obj_get(values, "min(timestamp)");
    yyjson_val *newest = yyjson_obj_get(values, "max(timestamp)");
    yyjson_val *searched_to = yyjson_obj_get(root, "searched_to");

    c->knows_span = true;
    buffer_append_string(&c->span, "\"span\":{\"oldest\":");
    append_or_null(&c->span, oldest);
    buffer_append_string(&c->span, ",\"newest\":");
    append_or_null(&c->span, newest);
    buffer_appendf(&c->span, ",\"is_whole\":%s}", yyjson_is_str(searched_to) ? "false" : "true");
    if (buffer_error(&c->span))
        buffer_clear(&c->span);
}

/* ---- Answers ---- */

void call_take(struct mcp_call *c, unsigned status, struct slice body)
{
    yyjson_doc *doc = NULL;

    if (status != 200) {
        become_error(c);
        refusal_append(&c->result, status, body);
        return;
    }
    if (body.len > 0)
        doc = yyjson_read_opts((char *)body.data, body.len, YYJSON_READ_NUMBER_AS_RAW, json_alc(),
                               NULL);
    yyjson_val *root = yyjson_doc_get_root(doc);
    if (!yyjson_is_obj(root))
        call_fail(c, "the server's answer is not one of logmill");
    else if (!c->knows_span)
        take_span(c, root);
    else if (c->tool->read == MCP_READ_LOGS)
        take_rows(c, root);
    else if (c->tool->read == MCP_READ_AROUND)
        take_around(c, root);
    else
        take_groups(c, root);
    yyjson_doc_free(doc);
}
