/* Reading the files of tests/vectors, whose directory the environment names in LOGMILL_VECTORS. */
#ifndef LOGMILL_TESTS_VECTORS_H
#define LOGMILL_TESTS_VECTORS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <yyjson.h>

#include "base/slice.h"

/* The document of `name`; numbers that C cannot hold are raw. Free it with yyjson_doc_free. */
static inline yyjson_doc *vectors_read(const char *name)
{
    const char *dir = getenv("LOGMILL_VECTORS");
    char path[1024];
    yyjson_read_err err;
    yyjson_doc *doc;

    snprintf(path, sizeof(path), "%s/%s", dir ? dir : "tests/vectors", name);
    doc = yyjson_read_file(path, YYJSON_READ_BIGNUM_AS_RAW, NULL, &err);
    if (!doc)
        fail_msg("%s: %s", path, err.msg);
    return doc;
}

static inline struct slice vector_text(yyjson_val *value)
{
    return slice_of(yyjson_get_str(value), yyjson_get_len(value));
}

/* The text of member `index` of a vector that is an array; data is NULL where it is no string. */
static inline struct slice vector_text_at(yyjson_val *vector, size_t index)
{
    return vector_text(yyjson_arr_get(vector, index));
}

#endif
