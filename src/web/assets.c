#include "web/assets.h"

#include <zlib.h>

/* zlib's windowBits for a 32 KiB window with a gzip header. */
enum { GZIP_WINDOW_BITS = 15 + 16 };

const struct web_asset *web_asset_find(struct slice path)
{
    for (size_t i = 0; i < web_assets_len; i++)
        if (slice_equal(path, slice_of_string(web_assets[i].path)))
            return &web_assets[i];
    return NULL;
}

int web_asset_inflate(const struct web_asset *asset, char *out)
{
    z_stream z = {
        .next_in = (z_const Bytef *)asset->gzip.data,
        .avail_in = (uInt)asset->gzip.len,
        .next_out = (Bytef *)out,
        .avail_out = (uInt)asset->plain_len,
    };

    if (inflateInit2(&z, GZIP_WINDOW_BITS) != Z_OK)
        return LM_ENOMEM;

    int result = inflate(&z, Z_FINISH);
    bool whole = result == Z_STREAM_END && z.total_out == asset->plain_len;

    inflateEnd(&z);
    if (result == Z_MEM_ERROR)
        return LM_ENOMEM;
    return whole ? 0 : LM_EDATA;
}
