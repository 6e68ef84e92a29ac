/*
 * JSON text to a yyjson document, in memory that is used again for the next text.
 */
#ifndef LOGMILL_JSON_READER_H
#define LOGMILL_JSON_READER_H

#include <stdbool.h>

#include <yyjson.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"

/* A pool for texts up to this size is kept; larger texts are parsed in memory of their own. */
enum { JSON_DOC_POOL_TEXT_MAX = 256 * 1024 };

/* `text` without the byte order mark that it may begin with, which JSON has none of. */
struct slice json_without_bom(struct slice text);

struct json_doc {
    yyjson_doc *doc; /* NULL before the first text, and after one that was refused */
    char *pool;
    size_t pool_size;
    struct buffer cleaned; /* a text whose NULs have been replaced */
};

void json_doc_init(struct json_doc *d);
void json_doc_release(struct json_doc *d);

/*
 * Parses `text`. Numbers stay as their text (YYJSON_READ_NUMBER_AS_RAW).
 * Returns 0: d->doc lives until the next call or release, whatever becomes of `text`; LM_EINVAL
 * if `text` is not JSON in valid UTF-8; or LM_ENOMEM.
 */
int json_doc_read(struct json_doc *d, struct slice text) LM_MUST_CHECK;

/*
 * Cuts the first JSON text off *rest, and the white space before it; for texts one behind the other
 * with anything or nothing between them. It looks at brackets and quotes alone: what it returns
 * need not be JSON. It is empty if nothing is left, and all of *rest if that begins with no
 * bracket, or has no end.
 */
struct slice json_cut(struct slice *rest);

/* True if a string of `text`, which is JSON, may hold U+0000: JSON can only spell it \u0000. */
bool json_doc_may_hold_nul(struct slice text);

/* As json_doc_read, but U+0000 becomes U+FFFD; *nul_characters grows by how many there were. */
int json_doc_read_cleaned(struct json_doc *d, struct slice text,
                          size_t *nul_characters) LM_MUST_CHECK;

/* True if arrays and objects are nested more than `max_depth` deep in `value`, a part of it. */
bool json_doc_deeper_than(const struct json_doc *d, yyjson_val *value, size_t max_depth);

#endif
