/*
 * The files that a browser gets, built into the program: web/assets.txt lists them, tools/embed-web
 * writes them as C when the program is built.
 */
#ifndef LOGMILL_WEB_ASSETS_H
#define LOGMILL_WEB_ASSETS_H

#include <stddef.h>

#include "base/error.h"
#include "base/slice.h"

struct web_asset {
    const char *path; /* of its URL: "/docs" */
    const char *content_type;
    const char *etag;  /* as the header has it, quotes and all; the same for both forms */
    struct slice gzip; /* its bytes, gzip-compressed; lives for ever */
    size_t plain_len;  /* its length when inflated */
};

/* The file at `path`, or NULL. */
const struct web_asset *web_asset_find(struct slice path);

/* Inflates `asset` into `out`, which has room for its plain_len. Returns 0 or LM_EDATA. */
int web_asset_inflate(const struct web_asset *asset, char *out) LM_MUST_CHECK;

/* All of them, in order of path. */
extern const struct web_asset web_assets[];
extern const size_t web_assets_len;

#endif
