#include "formats/journal.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/timestamp.h"
#include "base/xalloc.h"
#include "formats/names.h"
#include "record/draft.h"

enum {
    SIZE_LEN = 8,               /* bytes of the length of a field's data */
    ENTRY_KEPT_MAX = 64 * 1024, /* of the memory for an entry, for the next upload */
    TIME_DIGITS_MAX = 18,       /* of microseconds */
};

/* What comes next. A field goes through them from the first on, texts without those of data. */
enum place { NAME, TEXT, SIZE, DATA, DATA_END };

struct journal_reader {
    struct buffer entry; /* its bytes so far, without the empty line */
    bool too_large;      /* it is: only its end is looked for */
    enum place place;
    size_t name_len; /* of the field's name, so far */
    char size[SIZE_LEN];
    size_t size_len;
    uint64_t data_left;
    struct record_draft draft;
};

struct journal_reader *journal_reader_new(struct account *account)
{
    struct journal_reader *r = xcalloc(1, sizeof(*r));

    buffer_init(&r->entry, JOURNAL_ENTRY_MAX);
    r->entry.account = account;
    record_draft_init(&r->draft);
    return r;
}

void journal_reader_free(struct journal_reader *r)
{
    if (!r)
        return;
    buffer_release(&r->entry);
    record_draft_release(&r->draft);
    free(r);
}

static void begin_entry(struct journal_reader *r)
{
    if (r->entry.capacity > ENTRY_KEPT_MAX)
        buffer_release(&r->entry);
    buffer_clear(&r->entry);
    r->too_large = false;
    r->place = NAME;
    r->name_len = 0;
}

void journal_reader_reset(struct journal_reader *r)
{
    begin_entry(r);
    r->draft.nul_characters = 0;
}

static uint64_t read_le64(const char *p)
{
    uint64_t value;

    memcpy(&value, p, sizeof(value));
    return le64toh(value);
}

/* ---- From an entry to a log ---- */

struct field {
    struct slice name, value;
};

/* The first field of what is left of an entry, which is whole. */
static struct field cut_field(struct slice *rest)
{
    size_t len = 0;
    struct field field;

    while (rest->data[len] != '=' && rest->data[len] != '\n')
        len++;
    bool is_text = rest->data[len] == '=';
    field.name = slice_of(rest->data, len);
    *rest = slice_of(rest->data + len + 1, rest->len - len - 1);
    if (is_text) {
        field.value = slice_cut(rest, '\n');
    } else {
        size_t size = (size_t)read_le64(rest->data);

        field.value = slice_of(rest->data + SIZE_LEN, size);
        *rest = slice_of(rest->data + SIZE_LEN + size + 1, rest->len - SIZE_LEN - size - 1);
    }
    return field;
}

/* Microseconds since 1970; -1 if it is none. */
static int64_t time_of_field(struct slice digits)
{
    int64_t us = 0;

    if (digits.len == 0 || digits.len > TIME_DIGITS_MAX)
        return -1;
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9')
            return -1;
        us = us * 10 + (digits.data[i] - '0');
    }
    return us <= TIMESTAMP_MAX_US ? us : -1;
}

static void put_field(struct record_draft *d, struct field field)
{
    struct slice value = field.value;

    if (slice_equal(field.name, SLICE_LITERAL("MESSAGE"))) {
        record_draft_message(d, value);
    } else if (slice_equal(field.name, SLICE_LITERAL("PRIORITY")) && value.len == 1 &&
               value.data[0] >= '0' && value.data[0] <= '7') {
        record_draft_level(d, level_of_syslog(value.data[0] - '0'));
    } else if (slice_equal(field.name, SLICE_LITERAL("__REALTIME_TIMESTAMP"))) {
        if (time_of_field(value) >= 0)
            record_draft_time(d, time_of_field(value));
    } else if (slice_equal(field.name, SLICE_LITERAL("__CURSOR"))) {
        record_draft_seed(d, value);
    } else if (field.name.len < 2 || memcmp(field.name.data, "__", 2) != 0) {
        record_draft_text(d, field.name, value);
    }
}

struct out {
    record_sink *sink;
    void *ctx;
    struct format_counts *counts;
};

/* The entry is whole; the next one begins. */
static int end_entry(struct journal_reader *r, const struct out *out)
{
    struct slice rest = buffer_slice(&r->entry);
    struct errbuf why = ERRBUF_INIT;
    struct record record;
    int error = 0;

    if (rest.len == 0 && !r->too_large)
        return 0;
    if (r->too_large) {
        out->counts->refused++;
        begin_entry(r);
        return 0;
    }
    record_draft_begin(&r->draft);
    while (rest.len > 0)
        put_field(&r->draft, cut_field(&rest));
    error = record_draft_finish(&r->draft, clock_arrival_us(), &record, &why);
    if (error == LM_EINVAL || error == LM_EDATA) {
        out->counts->refused++;
        error = 0;
    } else if (!error) {
        error = out->sink(&record, out->ctx);
        out->counts->records += !error;
    }
    out->counts->nul_characters += r->draft.nul_characters;
    r->draft.nul_characters = 0;
    begin_entry(r);
    return error;
}

/* ---- From bytes to entries ---- */

/* Keeps `n` bytes of `bytes` for the entry. */
static int keep(struct journal_reader *r, struct slice *bytes, size_t n)
{
    if (!r->too_large && n > JOURNAL_ENTRY_MAX - r->entry.len) {
        r->too_large = true;
        buffer_release(&r->entry);
    }
    if (!r->too_large)
        buffer_append(&r->entry, bytes->data, n);
    *bytes = slice_of(bytes->data + n, bytes->len - n);
    return buffer_error(&r->entry);
}

static bool is_name_character(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static int read_name(struct journal_reader *r, struct slice *bytes, const struct out *out,
                     struct errbuf *why)
{
    size_t len = 0;

    while (len < bytes->len && is_name_character(bytes->data[len]))
        len++;
    r->name_len += len;
    if (len == bytes->len)
        return keep(r, bytes, len);
    char end = bytes->data[len];
    if (end == '\n' && r->name_len == 0) {
        *bytes = slice_of(bytes->data + 1, bytes->len - 1);
        return end_entry(r, out);
    }
    if (r->name_len == 0 || (end != '\n' && end != '='))
        return errbuf_fail(why, LM_EINVAL, "no name of a field of a journal");
    r->place = end == '=' ? TEXT : SIZE;
    r->size_len = 0;
    return keep(r, bytes, len + 1);
}

static void begin_field(struct journal_reader *r)
{
    r->place = NAME;
    r->name_len = 0;
}

static int read_text(struct journal_reader *r, struct slice *bytes)
{
    const char *end = memchr(bytes->data, '\n', bytes->len);

    if (!end)
        return keep(r, bytes, bytes->len);
    begin_field(r);
    return keep(r, bytes, (size_t)(end - bytes->data) + 1);
}

static int read_size(struct journal_reader *r, struct slice *bytes, struct errbuf *why)
{
    size_t len = SIZE_LEN - r->size_len;

    if (len > bytes->len)
        len = bytes->len;
    memcpy(r->size + r->size_len, bytes->data, len);
    r->size_len += len;
    if (r->size_len == SIZE_LEN) {
        r->data_left = read_le64(r->size);
        if (r->data_left > JOURNAL_FIELD_MAX)
            return errbuf_fail(why, LM_EINVAL, "a field of a journal is too large: at most %d",
                               JOURNAL_FIELD_MAX);
        r->place = r->data_left ? DATA : DATA_END;
    }
    return keep(r, bytes, len);
}

static int read_data(struct journal_reader *r, struct slice *bytes)
{
    size_t len = bytes->len < r->data_left ? bytes->len : (size_t)r->data_left;

    r->data_left -= len;
    if (r->data_left == 0)
        r->place = DATA_END;
    return keep(r, bytes, len);
}

static int read_data_end(struct journal_reader *r, struct slice *bytes, struct errbuf *why)
{
    if (bytes->data[0] != '\n')
        return errbuf_fail(why, LM_EINVAL, "no line feed behind the data of a field");
    begin_field(r);
    return keep(r, bytes, 1);
}

int journal_read(struct journal_reader *r, struct slice bytes, record_sink *sink, void *ctx,
                 struct format_counts *counts, struct errbuf *why)
{
    struct out out = {sink, ctx, counts};
    int error = 0;

    while (!error && bytes.len > 0) {
        switch (r->place) {
        case NAME:
            error = read_name(r, &bytes, &out, why);
            break;
        case TEXT:
            error = read_text(r, &bytes);
            break;
        case SIZE:
            error = read_size(r, &bytes, why);
            break;
        case DATA:
            error = read_data(r, &bytes);
            break;
        case DATA_END:
            error = read_data_end(r, &bytes, why);
            break;
        }
    }
    return error;
}

int journal_finish(struct journal_reader *r, record_sink *sink, void *ctx,
                   struct format_counts *counts, struct errbuf *why)
{
    if (r->place != NAME || r->name_len > 0)
        return errbuf_fail(why, LM_EINVAL, "the last entry of the journal is cut short");
    return end_entry(r, &(struct out){sink, ctx, counts});
}

/* ---- The format ---- */

static void *memory_new(struct account *account)
{
    return journal_reader_new(account);
}

static void memory_free(void *memory)
{
    journal_reader_free(memory);
}

static int parse(struct slice body, const struct format_options *options, record_sink *sink,
                 void *ctx, struct format_counts *counts)
{
    struct journal_reader *r = options->memory;
    struct errbuf why = ERRBUF_INIT;

    *counts = (struct format_counts){0};
    journal_reader_reset(r);
    int error = journal_read(r, body, sink, ctx, counts, &why);
    if (!error)
        error = journal_finish(r, sink, ctx, counts, &why);
    journal_reader_reset(r);
    if (error != LM_EINVAL)
        return error;
    buffer_appendf(options->wrong, "%s\n", why.text);
    return buffer_error(options->wrong) ? buffer_error(options->wrong) : LM_EINVAL;
}

static struct format_answer answer(const struct format_taken *taken, struct buffer *body)
{
    buffer_append_string(body, "OK.\n");
    return (struct format_answer){.status = 202, .content_type = "text/plain"};
}

static const char *const media_types[] = {"application/vnd.fdo.journal", NULL};

const struct format journal_upload = {
    .name = "journal",
    .media_types = media_types,
    .memory_new = memory_new,
    .memory_free = memory_free,
    .parse = parse,
    .answer = answer,
    .refusal = {.status = 400, .content_type = "text/plain"},
};
