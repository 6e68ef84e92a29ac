/*
 * Queries of any bytes: a mistake has its place within the text and is told in UTF-8, and what is
 * understood is printed as a text that means the same. Nothing is read beyond the text.
 */
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "must.h"
#include "query/language.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

enum { PRINTED_MAX = 1 << 20 };

static const int64_t NOW_US = INT64_C(1767225600000000);

static void check_mistake(struct slice text, const struct query_mistake *m)
{
    size_t message_len = strnlen(m->message, sizeof(m->message));
    size_t allowed_len = strnlen(m->allowed, sizeof(m->allowed));

    must(message_len > 0 && message_len < sizeof(m->message));
    must(allowed_len < sizeof(m->allowed));
    must(m->offset <= text.len && m->len <= text.len - m->offset && m->position <= m->offset);
    must(utf8_valid(slice_of(m->message, message_len)));
    must(utf8_valid(slice_of(m->allowed, allowed_len)));
}

static void check_printing(const struct query *q)
{
    struct buffer printed;
    struct query_mistake mistake;
    struct query *again = NULL;

    buffer_init(&printed, PRINTED_MAX);
    query_print(&printed, q);
    must(buffer_error(&printed) == 0);
    if (printed.len <= QUERY_TEXT_MAX) {
        must(query_parse(buffer_slice(&printed), NOW_US + 1, NULL, &again, &mistake) == 0);
        must(query_equal(q, again));
    }
    query_unref(again);
    buffer_release(&printed);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    char *text = malloc(size ? size : 1);
    struct query_mistake mistake;
    struct query *q;

    must(text);
    if (size)
        memcpy(text, data, size);

    int error = query_parse(slice_of(text, size), NOW_US, NULL, &q, &mistake);

    must(!error || (error == LM_EINVAL && !q));
    if (error)
        check_mistake(slice_of(text, size), &mistake);
    free(text);
    if (q)
        check_printing(q);
    query_unref(q);
    return 0;
}
