/* Each example of docs/query.md is true: what it finds, and what is said of a mistake. */
#include <stdio.h>
#include <stdlib.h>

#include "../cmocka_all.h"
#include "base/timestamp.h"
#include "query/language.h"
#include "query/matcher.h"
#include "json/reader.h"
#include "json/writer.h"

enum { LOGS_MAX = 16, ROOM = 1 << 20 };

struct log {
    struct json_doc json;
    struct buffer attributes;
    struct record record;
};

struct page {
    struct buffer text;
    struct log logs[LOGS_MAX];
    size_t logs_len;
    unsigned finds, mistakes; /* rows of the tables that were tried */
};

static void read_page(struct buffer *b)
{
    const char *path = getenv("LOGMILL_QUERY_PAGE");
    FILE *f = fopen(path ? path : "docs/query.md", "r");
    char piece[4096];

    assert_non_null(f);
    buffer_init(b, ROOM);
    for (size_t n; (n = fread(piece, 1, sizeof(piece), f)) > 0;)
        buffer_append(b, piece, n);
    assert_int_equal(buffer_error(b), 0);
    fclose(f);
}

static void read_log(struct log *log, struct slice line)
{
    struct timestamp_error error;

    json_doc_init(&log->json);
    assert_int_equal(json_doc_read(&log->json, line), 0);
    yyjson_val *root = yyjson_doc_get_root(log->json.doc);

    buffer_init(&log->attributes, ROOM);
    json_append_value(&log->attributes, yyjson_obj_get(root, "attributes"));
    log->record = (struct record){.level = json_text(yyjson_obj_get(root, "level")),
                                  .message = json_text(yyjson_obj_get(root, "message")),
                                  .attributes = buffer_slice(&log->attributes)};
    assert_int_equal(timestamp_parse_text(json_text(yyjson_obj_get(root, "timestamp")),
                                          &log->record.key.timestamp_us, &error),
                     0);
}

/* A cell of a row of a table, cut off it: without backticks, and with | for \|. */
static bool cut_cell(struct slice *row, char *cell, size_t size)
{
    size_t len = 0;

    if (row->len < 2 || row->data[0] != '|')
        return false;
    size_t i = 1;
    for (; i < row->len && row->data[i] != '|'; i++) {
        assert_true(len + 1 < size);
        i += row->data[i] == '\\' && i + 1 < row->len && row->data[i + 1] == '|';
        cell[len++] = row->data[i];
    }
    *row = slice_of(row->data + i, row->len - i);

    struct slice text = slice_trim(slice_of(cell, len));

    if (text.len > 1 && text.data[0] == '`' && text.data[text.len - 1] == '`')
        text = slice_of(text.data + 1, text.len - 2);
    memmove(cell, text.data, text.len);
    cell[text.len] = '\0';
    return true;
}

static bool matches(const struct query *q, const struct record *r)
{
    struct log_filter filter;
    struct errbuf err = ERRBUF_INIT;
    bool found;

    log_filter_init(&filter);
    filter.query = (struct query *)q;
    struct log_matcher *m = log_matcher_new(&filter);
    assert_non_null(m);
    assert_int_equal(log_matcher_match(m, r, &found, &err), 0);
    log_matcher_unref(m);
    return found;
}

static void try_find(struct page *page, const char *text, const char *expected)
{
    struct query_mistake mistake;
    struct query *q;
    char found[128] = "";
    size_t len = 0;

    if (query_parse(slice_of_string(text), 0, NULL, &q, &mistake))
        fail_msg("`%s`: at %zu: %s", text, mistake.position, mistake.message);
    for (size_t i = 0; i < page->logs_len; i++)
        if (matches(q, &page->logs[i].record))
            len +=
                (size_t)snprintf(found + len, sizeof(found) - len, "%s%zu", len ? " " : "", i + 1);
    if (strcmp(found, expected) != 0)
        fail_msg("`%s` finds %s, not %s", text, found, expected);
    query_unref(q);
    page->finds++;
}

static void try_mistake(struct page *page, const char *text, const char *at, const char *message)
{
    struct query_mistake mistake;
    struct query *q;

    if (query_parse(slice_of_string(text), 0, NULL, &q, &mistake) != LM_EINVAL)
        fail_msg("`%s` is understood", text);
    if (mistake.position != (size_t)atoi(at) || strncmp(mistake.message, message, strlen(message)))
        fail_msg("`%s`: at %zu: %s", text, mistake.position, mistake.message);
    page->mistakes++;
}

static void read_line(struct page *page, struct slice line, const char *table)
{
    char cells[3][256];
    struct slice row = line;

    if (line.len && line.data[0] == '{') {
        assert_true(page->logs_len < LOGS_MAX);
        read_log(&page->logs[page->logs_len++], line);
        return;
    }
    for (size_t i = 0; i < 3; i++)
        if (!cut_cell(&row, cells[i], sizeof(cells[i])))
            return;
    if (strcmp(cells[0], "query") == 0 || cells[0][0] == '-')
        return;
    if (strcmp(table, "finds") == 0)
        try_find(page, cells[0], cells[1]);
    else if (strcmp(table, "at") == 0)
        try_mistake(page, cells[0], cells[1], cells[2]);
}

static void all_examples_of_the_page_are_true(void **state)
{
    struct page page = {0};
    char table[32] = "";

    read_page(&page.text);
    for (struct slice rest = buffer_slice(&page.text); rest.len > 0;) {
        struct slice line = slice_cut(&rest, '\n');
        struct slice row = line;
        char name[256];

        if (cut_cell(&row, name, sizeof(name)) &&
            (strcmp(name, "query") == 0 || strcmp(name, "limit") == 0))
            assert_true(cut_cell(&row, table, sizeof(table)));
        read_line(&page, line, table);
    }
    assert_in_range(page.finds, 40, 1000);
    assert_in_range(page.mistakes, 10, 1000);
    for (size_t i = 0; i < page.logs_len; i++) {
        buffer_release(&page.logs[i].attributes);
        json_doc_release(&page.logs[i].json);
    }
    buffer_release(&page.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_examples_of_the_page_are_true),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
