#include "rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "formats/json.h"

struct reading {
    struct rows *rows;
    size_t records_max;
    size_t max, at; /* bytes of rows->texts */
    int64_t start_us;
    bool timed;
};

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static char *read_file(const char *path, size_t *len)
{
    FILE *f = fopen(path, "rb");
    char *text;
    long end;

    if (!f || fseek(f, 0, SEEK_END) != 0 || (end = ftell(f)) < 0 || fseek(f, 0, SEEK_SET) != 0)
        fail(path);
    *len = (size_t)end;
    text = xmalloc(*len + 1);
    if (fread(text, 1, *len, f) != *len)
        fail(path);
    fclose(f);
    return text;
}

/* The texts of a record, each with a NUL behind it, are no longer than the line that it came from.
 */
static struct slice keep(struct reading *r, struct slice text)
{
    char *copy = r->rows->texts + r->at;

    if (text.len >= r->max - r->at) {
        fprintf(stderr, "rows: no room\n");
        exit(1);
    }
    if (text.len > 0)
        memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    r->at += text.len + 1;
    return (struct slice){copy, text.len};
}

static struct log_key key_of(const struct reading *r, size_t number)
{
    int64_t us = r->start_us + (int64_t)number;

    return (struct log_key){.timestamp_us = us, .id = uuid7_new(us)};
}

static int add(const struct record *record, void *ctx)
{
    struct reading *r = ctx;
    struct rows *rows = r->rows;

    if (rows->len == r->records_max) {
        fprintf(stderr, "rows: more logs than lines\n");
        exit(1);
    }
    rows->records[rows->len] = (struct record){
        .key = r->timed ? record->key : key_of(r, rows->len),
        .level = keep(r, record->level),
        .message = keep(r, record->message),
        .attributes = keep(r, record->attributes),
    };
    rows->len++;
    return 0;
}

/* The start of `text` that holds at most `lines` lines. */
static size_t cut(const char *text, size_t len, size_t lines)
{
    const char *p = text;
    const char *end = text + len;

    while (lines-- > 0 && p < end) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));

        p = newline ? newline + 1 : end;
    }
    return (size_t)(p - text);
}

static void parse(struct reading *r, struct slice text)
{
    struct json_body_memory *memory = json_body_memory_new();
    struct format_counts counts;

    r->max = text.len;
    r->rows->texts = xmalloc(r->max + 1);
    if (json_body_parse(memory, JSON_BODY_LINES, text, add, r, &counts, NULL, NULL) ||
        r->rows->len == 0) {
        fprintf(stderr, "rows: no NDJSON of logs\n");
        exit(1);
    }
    json_body_memory_free(memory);
}

void rows_init(struct rows *rows, const char *corpus, size_t len)
{
    struct reading r = {.rows = rows, .start_us = clock_wall_us(), .records_max = len};
    size_t text_len;
    char *text = read_file(corpus, &text_len);
    size_t distinct;

    *rows = (struct rows){.records = xcalloc(len, sizeof(*rows->records))};
    parse(&r, (struct slice){text, cut(text, text_len, len)});
    distinct = rows->len;
    for (; rows->len < len; rows->len++) {
        rows->records[rows->len] = rows->records[rows->len % distinct];
        rows->records[rows->len].key = key_of(&r, rows->len);
    }
    free(text);
}

void rows_init_timed(struct rows *rows, const char *corpus)
{
    struct reading r = {.rows = rows, .timed = true};
    size_t text_len;
    char *text = read_file(corpus, &text_len);

    for (size_t i = 0; i < text_len; i++)
        r.records_max += text[i] == '\n';
    *rows = (struct rows){.records = xcalloc(r.records_max, sizeof(*rows->records))};
    parse(&r, (struct slice){text, text_len});
    free(text);
}

void rows_release(struct rows *rows)
{
    free(rows->records);
    free(rows->texts);
    *rows = (struct rows){0};
}

double rows_cpu_seconds(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}
