/*
 * Filters, compared with the plainest way to do the same (tests/unit/query/oracle.h). An input is a
 * list of texts with a NUL after each: wanted text, message, wanted level, level, path and value of
 * a wanted attribute, and the JSON text of the attributes.
 */
#include <stdlib.h>
#include <string.h>

#include "../unit/query/oracle.h"
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

/* A text is found in its own lower-cased form, and equals it. */
static void check_lower(struct slice s)
{
    struct buffer lower;

    buffer_init(&lower, OUTPUT_MAX);
    text_append_lower(&lower, s);
    must(buffer_error(&lower) == 0 && utf8_valid(buffer_slice(&lower)));
    must(text_equal_nocase(buffer_slice(&lower), s));
    buffer_release(&lower);
}

/* The oracle writes numbers out: it knows none of more digits, or with a larger exponent. */
static bool is_for_oracle(struct slice json)
{
    enum { DIGITS_MAX = 100, EXPONENT_DIGITS_MAX = 2 };
    size_t digits = 0;
    bool exponent = false;

    for (size_t i = 0; i < json.len; i++) {
        char c = json.data[i];

        if (c >= '0' && c <= '9') {
            digits++;
        } else if (digits && (c == 'e' || c == 'E')) {
            digits = 0;
            exponent = true;
        } else if (!((c == '+' || c == '-') && exponent && digits == 0) && c != '.') {
            digits = 0;
            exponent = false;
        }
        if (digits > (exponent ? EXPONENT_DIGITS_MAX : DIGITS_MAX))
            return false;
    }
    return true;
}

static void check(const struct log_filter *f, const struct record *r)
{
    struct log_matcher *m = log_matcher_new(f);
    bool matches = false;

    must(m && log_matcher_match(m, r, &matches, NULL) == 0);
    must(log_matcher_equal(m, m));
    const struct query *q = log_matcher_filter(m)->query;
    must(matches == (!q || oracle_matches(q, r)));
    log_matcher_unref(m);
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
    check_lower(r.message);
    check_lower(r.level);
    check(&f, &r);
    f.attributes[f.attributes_len++] = (struct log_attribute_filter){.name = name, .value = value};
    if (is_for_oracle(value) && is_for_oracle(r.attributes))
        check(&f, &r);
    yyjson_doc_free(compact);
    yyjson_doc_free(doc);
    buffer_release(&attributes);
    return 0;
}
