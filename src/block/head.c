#include "block/head.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "block/bytes.h"

/*
 * varint version, varint number of heads, the heads, checksum of all before it (4 bytes). A head:
 * varint zigzag number, first and last key (log_key_pack), then varints rows, bytes, raw_bytes,
 * first_sequence, last_sequence, zigzag stored_us, number of levels; and of each level its text and
 * varint rows.
 */
enum {
    HEADS_VERSION = 1,
    CHECKSUM_BYTES = 4,
    HEAD_BYTES_MIN = 2 * LOG_KEY_BYTES + 8, /* of a head, written */
};

static void append_key(struct buffer *b, const struct log_key *key)
{
    char packed[LOG_KEY_BYTES];

    log_key_pack(key, packed);
    buffer_append(b, packed, sizeof(packed));
}

static void append_head(struct buffer *b, const struct block_head *h)
{
    bytes_append_varint(b, bytes_zigzag(h->number));
    append_key(b, &h->first);
    append_key(b, &h->last);
    bytes_append_varint(b, h->rows);
    bytes_append_varint(b, h->bytes);
    bytes_append_varint(b, h->raw_bytes);
    bytes_append_varint(b, h->first_sequence);
    bytes_append_varint(b, h->last_sequence);
    bytes_append_varint(b, bytes_zigzag(h->stored_us));
    bytes_append_varint(b, h->levels_len);
    for (unsigned i = 0; i < h->levels_len; i++) {
        bytes_append_text(b, h->levels[i].level);
        bytes_append_varint(b, h->levels[i].rows);
    }
}

void block_heads_append(struct buffer *b, const struct block_head *heads, size_t n)
{
    size_t start = b->len;
    char checksum[CHECKSUM_BYTES];

    bytes_append_varint(b, HEADS_VERSION);
    bytes_append_varint(b, n);
    for (size_t i = 0; i < n; i++)
        append_head(b, &heads[i]);
    if (buffer_error(b))
        return;
    byte_order_put32(checksum, bytes_checksum(slice_of(b->data + start, b->len - start)));
    buffer_append(b, checksum, sizeof(checksum));
}

static bool take_u32(struct slice *rest, uint32_t max, uint32_t *value)
{
    uint64_t v;

    if (!bytes_take_varint(rest, &v) || v > max)
        return false;
    *value = (uint32_t)v;
    return true;
}

static bool take_i64(struct slice *rest, int64_t *value)
{
    uint64_t v;

    if (!bytes_take_varint(rest, &v))
        return false;
    *value = bytes_unzigzag(v);
    return true;
}

static bool take_key(struct slice *rest, struct log_key *key)
{
    struct slice packed;

    if (!bytes_take(rest, LOG_KEY_BYTES, &packed))
        return false;
    log_key_unpack(packed.data, key);
    return true;
}

static bool take_levels(struct slice *rest, struct block_head *h)
{
    if (!take_u32(rest, BLOCK_HEAD_LEVELS_MAX, &h->levels_len))
        return false;
    for (unsigned i = 0; i < h->levels_len; i++)
        if (!bytes_take_text(rest, &h->levels[i].level) ||
            h->levels[i].level.len > BLOCK_HEAD_LEVEL_BYTES_MAX ||
            !take_u32(rest, h->rows, &h->levels[i].rows))
            return false;
    return true;
}

static bool take_head(struct slice *rest, struct block_head *h)
{
    *h = (struct block_head){0};
    return take_i64(rest, &h->number) && take_key(rest, &h->first) && take_key(rest, &h->last) &&
           take_u32(rest, BLOCK_ROWS_MAX, &h->rows) && h->rows > 0 &&
           take_u32(rest, UINT32_MAX, &h->bytes) && bytes_take_varint(rest, &h->raw_bytes) &&
           bytes_take_varint(rest, &h->first_sequence) &&
           bytes_take_varint(rest, &h->last_sequence) && take_i64(rest, &h->stored_us) &&
           take_levels(rest, h);
}

static int damaged(struct errbuf *err)
{
    return errbuf_fail(err, LM_EIO, "the heads of blocks are damaged");
}

int block_heads_read(struct slice bytes, struct block_head **heads, size_t *n, struct errbuf *err)
{
    uint64_t version, len;

    if (bytes.len < CHECKSUM_BYTES)
        return damaged(err);
    struct slice rest = slice_of(bytes.data, bytes.len - CHECKSUM_BYTES);
    if (byte_order_get32(rest.data + rest.len) != bytes_checksum(rest))
        return damaged(err);
    if (!bytes_take_varint(&rest, &version))
        return damaged(err);
    if (version != HEADS_VERSION)
        return errbuf_fail(err, LM_EIO,
                           "heads of blocks are of version %llu, of which this logmill knows 1",
                           (unsigned long long)version);
    if (!bytes_take_varint(&rest, &len) || len > rest.len / HEAD_BYTES_MIN)
        return damaged(err);

    /* The levels' texts are copied behind the heads; they are parts of `rest`. */
    struct block_head *read = try_malloc((size_t)len * sizeof(*read) + rest.len + 1);
    if (!read)
        return LM_ENOMEM;
    char *text = (char *)(read + len);
    if (rest.len)
        memcpy(text, rest.data, rest.len);
    rest.data = text;
    for (size_t i = 0; i < len; i++)
        if (!take_head(&rest, &read[i])) {
            free(read);
            return damaged(err);
        }
    if (rest.len > 0) {
        free(read);
        return damaged(err);
    }
    *heads = read;
    *n = (size_t)len;
    return 0;
}
