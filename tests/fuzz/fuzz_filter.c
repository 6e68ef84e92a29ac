/*
 * Filters, compared with the obvious way to do the same. An input is a list of texts with a NUL
 * after each: wanted text, message, wanted level, level, name and value of a wanted attribute, and
 * the JSON text of the attributes.
 */
#include <stdlib.h>
#include <string.h>

#include "must.h"
#include "query/filter.h"
#include "query/matcher.h"
#include "json/writer.h"

enum { OUTPUT_MAX = 64 << 20 };

/* Takes the first text off `*input`. */
static struct slice take(struct slice *input)
{
    const char *nul = input->len ? memchr(input->data, '\0', input->len) : NULL;
    size_t len = nul ? (size_t)(nul - input->data) : input->len;
    struct slice text = slice_of(input->data, len);
    size_t skip = nul ? len + 1 : len;

    *input = slice_of(input->data + skip, input->len - skip);
    return utf8_valid(text) ? text : SLICE_LITERAL("");
}

static struct slice lower(struct buffer *b, struct slice s)
{
    buffer_init(b, OUTPUT_MAX);
    text_append_lower(b, s);
    must(utf8_valid(buffer_slice(b)));
    return buffer_slice(b);
}

static bool contains(struct slice haystack, struct slice needle)
{
    return needle.len == 0 ||
           (haystack.len && memmem(haystack.data, haystack.len, needle.data, needle.len));
}

static bool has_attribute(yyjson_val *attributes, struct slice name, struct slice wanted)
{
    yyjson_obj_iter iter = yyjson_obj_iter_with(attributes);

    for (yyjson_val *key; (key = yyjson_obj_iter_next(&iter));) {
        yyjson_val *value = yyjson_obj_iter_get_val(key);
        struct buffer text;
        if (!slice_equal(json_text(key), name))
            continue;
        if (yyjson_is_str(value))
            return slice_equal(json_text(value), wanted);
        if (yyjson_is_ctn(value))
            return false;
        buffer_init(&text, OUTPUT_MAX);
        json_append_value(&text, value);
        bool equal = slice_equal(buffer_slice(&text), wanted);
        buffer_release(&text);
        return equal;
    }
    return false;
}

/* Two folded forms are equal where the texts are, whatever bytes they are of. */
static void check_folding(struct slice a, struct slice b)
{
    char *folded_a = malloc(a.len * TEXT_FOLD_GROWTH + 1);
    char *folded_b = malloc(b.len * TEXT_FOLD_GROWTH + 1);

    must(folded_a && folded_b);
    must(text_equal_nocase(a, b) == slice_equal(slice_of(folded_a, text_fold(a, folded_a)),
                                                slice_of(folded_b, text_fold(b, folded_b))));
    free(folded_a);
    free(folded_b);
}

static bool match(const struct log_filter *f, const struct record *r)
{
    struct log_matcher *m = log_matcher_new(f);
    bool matches = false;

    must(m && log_matcher_match(m, r, &matches, NULL) == 0);
    must(log_matcher_equal(m, m));
    log_matcher_unref(m);
    return matches;
}

/* The texts are those of the record, `f` asks for one of each. */
static void check(const struct log_filter *f, const struct record *r, bool attribute)
{
    struct buffer buffers[4];
    struct slice wanted_text = lower(&buffers[0], f->text);
    struct slice message = lower(&buffers[1], r->message);
    struct slice wanted_level = lower(&buffers[2], f->levels[0]);
    struct slice level = lower(&buffers[3], r->level);
    bool text_matches = contains(message, wanted_text);
    bool level_matches = slice_equal(level, wanted_level);

    must(text_equal_nocase(r->level, f->levels[0]) == level_matches);
    must(text_equal_nocase(message, r->message));
    must(match(f, r) == (text_matches && level_matches && attribute));
    for (size_t i = 0; i < 4; i++)
        buffer_release(&buffers[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_of((const char *)data, size);
    struct log_filter f;
    struct record r = {.level = SLICE_LITERAL("")};
    struct buffer attributes;

    check_folding(slice_of(input.data, size / 2), slice_of(input.data + size / 2, size - size / 2));
    log_filter_init(&f);
    f.text = take(&input);
    r.message = take(&input);
    f.levels[f.levels_len++] = take(&input);
    r.level = take(&input);
    struct slice name = take(&input);
    struct slice value = take(&input);

    /* Attributes as a record has them: compact, each name once. */
    yyjson_doc *doc =
        input.len ? yyjson_read(input.data, input.len, YYJSON_READ_NUMBER_AS_RAW) : NULL;
    yyjson_doc *compact = NULL;
    buffer_init(&attributes, OUTPUT_MAX);
    if (yyjson_is_obj(yyjson_doc_get_root(doc)))
        json_append_value(&attributes, yyjson_doc_get_root(doc));
    if (attributes.len && !buffer_error(&attributes)) {
        compact = yyjson_read(attributes.data, attributes.len, YYJSON_READ_NUMBER_AS_RAW);
        must(compact);
        r.attributes = buffer_slice(&attributes);
    }
    check(&f, &r, true);
    f.attributes[f.attributes_len++] = (struct log_attribute_filter){.name = name, .value = value};
    check(&f, &r, has_attribute(yyjson_doc_get_root(compact), name, value));
    yyjson_doc_free(compact);
    yyjson_doc_free(doc);
    buffer_release(&attributes);
    return 0;
}
