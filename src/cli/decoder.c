#include "cli/decoder.h"

#include <string.h>

#include "base/utf8.h"

/* What an input may begin with besides text, and what to do then. */
static const struct signature {
    const char *bytes;
    size_t len;
    const char *name;
    const char *hint; /* NULL: a byte order mark */
} signatures[] = {
#define SIGNATURE(bytes, name, hint) {bytes, sizeof(bytes) - 1, name, hint}
    SIGNATURE("\xff\xfe\0\0", "UTF-32", "turn it into UTF-8 first: iconv -f UTF-32 -t UTF-8"),
    SIGNATURE("\0\0\xfe\xff", "UTF-32", "turn it into UTF-8 first: iconv -f UTF-32 -t UTF-8"),
    SIGNATURE("\xef\xbb\xbf", "UTF-8", NULL),
    SIGNATURE("\xff\xfe", "UTF-16LE", NULL),
    SIGNATURE("\xfe\xff", "UTF-16BE", NULL),
    SIGNATURE("\x1f\x8b", "gzip", "give it to `logmill import`, or pipe it through: gzip -dc"),
    SIGNATURE("\x28\xb5\x2f\xfd", "zstd",
              "give it to `logmill import`, or pipe it through: zstd -dc"),
    SIGNATURE("\xfd"
              "7zXZ\0",
              "xz", "give it to `logmill import`, or pipe it through: xz -dc"),
    SIGNATURE("BZh?1AY&SY", "bzip2", "pipe it through: bzip2 -dc"),
    SIGNATURE("BZh?\x17\x72\x45\x38\x50\x90", "bzip2", "pipe it through: bzip2 -dc"),
    SIGNATURE("\x04\x22\x4d\x18", "lz4", "pipe it through: lz4 -dc"),
    SIGNATURE("\x02\x21\x4c\x18", "lz4", "pipe it through: lz4 -dc"),
    SIGNATURE("LZIP\x01", "lzip", "pipe it through: lzip -dc"),
    SIGNATURE("\x5d\0\0\x80\0", "lzma", "pipe it through: xz -dc"),
    SIGNATURE("\x1f\x9d", "compress", "pipe it through: gzip -dc"),
    SIGNATURE("\xff\x06\0\0sNaPpY", "snappy", "unpack it first"),
    SIGNATURE("PK\x03\x04", "a zip archive", "pipe a file of it: unzip -p"),
    SIGNATURE("7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it first"),
    SIGNATURE("LPKSHHRH", "a journal of systemd",
              "pipe its logs: journalctl --file FILE -o export"),
    SIGNATURE("SQLite format 3\0", "an SQLite database", "it holds no lines"),
};

enum {
    SIGNATURES_LEN = sizeof(signatures) / sizeof(signatures[0]),
    LOOK_MAX = 4096, /* bytes in which an array or CSV begins, if it does */
};

void decoder_init(struct decoder *d, bool is_plain)
{
    *d = (struct decoder){.shape = is_plain ? DECODER_LINES : DECODER_BEGIN};
    buffer_init(&d->raw, SIZE_MAX / 2);
    buffer_init(&d->text, SIZE_MAX / 2);
    csv_rows_init(&d->csv);
    json_array_init(&d->array);
}

void decoder_release(struct decoder *d)
{
    buffer_release(&d->raw);
    buffer_release(&d->text);
    csv_rows_release(&d->csv);
    journal_reader_free(d->journal);
}

bool decoder_is_json(const struct decoder *d)
{
    return d->shape != DECODER_BEGIN && d->shape != DECODER_LINES;
}

bool decoder_is_journal(const struct decoder *d)
{
    return d->shape == DECODER_JOURNAL;
}

/* ---- Which charset ---- */

/* True if the first `len` bytes of `raw` are those of a signature; '?' stands for 1 to 9. */
static bool begins_so(struct slice raw, const struct signature *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (s->bytes[i] == '?' ? raw.data[i] < '1' || raw.data[i] > '9'
                               : raw.data[i] != s->bytes[i])
            return false;
    return true;
}

/*
 * Sets d->charset, and drops the byte order mark, if d->raw is enough to tell. Returns 0, or
 * LM_EDATA if it is something else.
 */
static int find_charset(struct decoder *d, bool is_last, struct errbuf *err)
{
    struct slice raw = buffer_slice(&d->raw);
    const struct signature *found = NULL;

    for (int i = 0; i < SIGNATURES_LEN && !found; i++) {
        const struct signature *s = &signatures[i];
        size_t len = s->len < raw.len ? s->len : raw.len;

        if (!begins_so(raw, s, len))
            continue;
        if (len == s->len)
            found = s;
        else if (!is_last)
            return 0;
    }
    if (found && found->hint)
        return errbuf_fail(err, LM_EDATA, "it is %s, not text; %s", found->name, found->hint);
    d->charset = !found                                 ? DECODER_UTF8
                 : strcmp(found->name, "UTF-16LE") == 0 ? DECODER_UTF16LE
                 : strcmp(found->name, "UTF-16BE") == 0 ? DECODER_UTF16BE
                                                        : DECODER_UTF8;
    if (found)
        buffer_consume(&d->raw, found->len);
    return 0;
}

/* ---- UTF-16 ---- */

static void append_code_point(struct buffer *b, unsigned code)
{
    char bytes[UTF8_LEN_MAX];

    buffer_append(b, bytes, utf8_write(code, bytes));
}

static void append_unit(struct decoder *d, struct buffer *b, unsigned unit)
{
    bool is_high = unit >= 0xd800 && unit < 0xdc00, is_low = unit >= 0xdc00 && unit < 0xe000;

    if (d->high && is_low) {
        append_code_point(b, 0x10000 + ((d->high - 0xd800) << 10) + (unit - 0xdc00));
        d->high = 0;
        return;
    }
    if (d->high)
        append_code_point(b, 0xfffd);
    d->high = is_high ? unit : 0;
    if (!is_high)
        append_code_point(b, is_low ? 0xfffd : unit);
}

/* Appends all of d->raw but for an odd byte at its end. */
static void append_utf16(struct decoder *d, bool is_last, struct buffer *b)
{
    size_t at = 0;

    for (; at + 2 <= d->raw.len; at += 2) {
        unsigned one = (unsigned char)d->raw.data[at], two = (unsigned char)d->raw.data[at + 1];

        append_unit(d, b, d->charset == DECODER_UTF16LE ? two << 8 | one : one << 8 | two);
    }
    buffer_consume(&d->raw, at);
    if (is_last && (d->high || d->raw.len > 0))
        append_code_point(b, 0xfffd);
}

/* ---- Which shape ---- */

/* Cuts blanks and then `word` off `*text`. 1, 0 if something else is there, -1 if it may be.
 */
static int cut(struct slice *text, const char *word)
{
    size_t len = strlen(word), blanks = 0;

    while (blanks < text->len && strchr(" \t\r\n", text->data[blanks]) && text->data[blanks])
        blanks++;
    *text = slice_of(text->data + blanks, text->len - blanks);
    if (text->len < len)
        return memcmp(text->data, word, text->len) == 0 ? -1 : 0;
    if (memcmp(text->data, word, len) != 0)
        return 0;
    *text = slice_of(text->data + len, text->len - len);
    return 1;
}

/* True (1) if `text` is an array of objects, or {"logs":[ with one; -1 if it may be. */
static int begins_array(struct slice text, bool *is_answer)
{
    static const char *const answer[] = {"{", "\"logs\"", ":", "["};
    struct slice rest = text;
    int found = 1;

    *is_answer = true;
    for (size_t i = 0; i < 4 && found == 1; i++)
        found = cut(&rest, answer[i]);
    if (found)
        return found;
    *is_answer = false;
    rest = text;
    found = cut(&rest, "[");
    if (found == 1)
        found = cut(&rest, "{");
    return found == 1 ? cut(&rest, "\"") : found;
}

static int begins_csv(struct slice text, bool is_last)
{
    size_t len = strlen(CSV_HEAD);

    if (is_last && slice_equal(text, SLICE_LITERAL(CSV_HEAD)))
        return 1;
    if (text.len <= len) /* the end of the line is to be seen */
        return memcmp(text.data, CSV_HEAD, text.len) == 0 ? -1 : 0;
    return memcmp(text.data, CSV_HEAD, len) == 0 &&
           (text.data[len] == '\r' || text.data[len] == '\n');
}

static int begins_journal(struct slice text)
{
    static const struct slice names[] = {SLICE_LITERAL("__CURSOR="),
                                         SLICE_LITERAL("__REALTIME_TIMESTAMP=")};
    int found = 0;

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        size_t len = names[i].len < text.len ? names[i].len : text.len;

        if (memcmp(text.data, names[i].data, len) == 0)
            found = len == names[i].len ? 1 : -1;
    }
    return found;
}

/* Sets d->shape if d->text is enough to tell: its first LOOK_MAX bytes always are. */
static void find_shape(struct decoder *d, bool is_last)
{
    struct slice text = buffer_slice(&d->text);
    bool is_answer = false;
    int csv, array, journal;

    if (text.len == 0)
        return;
    if (text.len >= LOOK_MAX) {
        text.len = LOOK_MAX;
        is_last = true;
    }
    csv = begins_csv(text, is_last);
    array = begins_array(text, &is_answer);
    journal = begins_journal(text);
    if (csv == 1)
        d->shape = DECODER_CSV;
    else if (journal == 1)
        d->shape = DECODER_JOURNAL;
    else if (array == 1)
        d->shape = DECODER_ARRAY;
    else if ((csv == 0 && array == 0 && journal == 0) || is_last)
        d->shape = DECODER_LINES;
    if (d->shape == DECODER_ARRAY)
        d->array.is_answer = is_answer;
    if (d->shape == DECODER_JOURNAL)
        d->journal = journal_reader_new(NULL);
}

static int append_entry(const struct record *record, void *ctx)
{
    struct buffer *out = ctx;

    record_append_json(out, record);
    buffer_append_char(out, '\n');
    return buffer_error(out);
}

static int feed_journal(struct decoder *d, struct slice text, bool is_last, struct buffer *out,
                        struct errbuf *err)
{
    struct format_counts counts = {0};
    int error = journal_read(d->journal, text, append_entry, out, &counts, err);

    if (!error && is_last)
        error = journal_finish(d->journal, append_entry, out, &counts, err);
    if (!error && counts.refused)
        return errbuf_fail(err, LM_EDATA, "an entry of the journal is more than a log may be");
    return error == LM_EINVAL ? LM_EDATA : error;
}

static int append_shaped(struct decoder *d, struct slice text, bool is_last, struct buffer *out,
                         struct errbuf *err)
{
    if (d->shape == DECODER_CSV)
        return csv_rows_feed(&d->csv, text, is_last, out, err);
    if (d->shape == DECODER_ARRAY)
        return json_array_feed(&d->array, text, is_last, out, err);
    if (d->shape == DECODER_JOURNAL)
        return feed_journal(d, text, is_last, out, err);
    buffer_append_slice(out, text);
    return buffer_error(out);
}

int decoder_feed(struct decoder *d, struct slice bytes, bool is_last, struct buffer *out,
                 struct errbuf *err)
{
    int error;

    if (d->charset == DECODER_UTF8 && d->shape != DECODER_BEGIN)
        return append_shaped(d, bytes, is_last, out, err);
    buffer_append_slice(&d->raw, bytes);
    if (d->charset == DECODER_UNKNOWN && (error = find_charset(d, is_last, err)))
        return error;
    if (d->charset == DECODER_UNKNOWN)
        return buffer_error(&d->raw);
    if (d->charset == DECODER_UTF8) {
        buffer_append_slice(&d->text, buffer_slice(&d->raw));
        buffer_clear(&d->raw);
    } else {
        append_utf16(d, is_last, &d->text);
    }
    if (buffer_error(&d->raw) || buffer_error(&d->text))
        return LM_ENOMEM;
    if (d->shape == DECODER_BEGIN)
        find_shape(d, is_last);
    if (d->shape == DECODER_BEGIN)
        return 0;
    error = append_shaped(d, buffer_slice(&d->text), is_last, out, err);
    buffer_clear(&d->text);
    return error;
}
