/*
 * The files that a browser gets, built into the program: those that web/assets.txt lists, and what
 * Vite makes of the page in web/page. tools/embed-web writes them as C when the program is built.
 */
#ifndef LOGMILL_WEB_ASSETS_H
#define LOGMILL_WEB_ASSETS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/slice.h"

struct web_asset {
    const char *path; /* of its URL: "/docs" */
    const char *content_type;
    const char *etag;  /* as the header has it, quotes and all; the same for both forms */
    struct slice gzip; /* its bytes, gzip-compressed; lives for ever */
    size_t plain_len;  /* its length when inflated */
    bool is_hashed;    /* its path holds a hash of its content, so it never changes */
};

/* The file at `path`, or NULL. */
const struct web_asset *web_asset_find(struct slice path);

/* Inflates `asset` into `out`, which has room for its plain_len. Returns 0, LM_EDATA or LM_ENOMEM.
 */
int web_asset_inflate(const struct web_asset *asset, char *out) LM_MUST_CHECK;

/* All of them, in order of path. */
extern const struct web_asset web_assets[];
extern const size_t web_assets_len;

#endif
