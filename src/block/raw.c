#include "block/raw.h"

#include "block/bytes.h"

/*
 * varint length of what follows; key (log_key_pack); varint sequence; level, message, attributes,
 * each a varint length and its bytes; checksum of all before it, 4 bytes.
 */
enum { CHECKSUM_BYTES = 4 };

static size_t varint_len(uint64_t value)
{
    size_t len = 1;

    for (; value >= 0x80; value >>= 7)
        len++;
    return len;
}

static size_t text_len(struct slice text)
{
    return varint_len(text.len) + text.len;
}

static char *put_text(char *p, struct slice text)
{
    p = bytes_put_varint(p, text.len);
    if (text.len)
        memcpy(p, text.data, text.len);
    return p + text.len;
}

void block_raw_append(struct buffer *b, const struct block_row *row)
{
    const struct record *r = &row->record;
    size_t len = LOG_KEY_BYTES + varint_len(row->sequence) + text_len(r->level) +
                 text_len(r->message) + text_len(r->attributes) + CHECKSUM_BYTES;
    char *to = buffer_reserve(b, varint_len(len) + len);

    if (!to)
        return;
    char *start = bytes_put_varint(to, len);
    char *p = start;
    log_key_pack(&r->key, p);
    p = bytes_put_varint(p + LOG_KEY_BYTES, row->sequence);
    p = put_text(p, r->level);
    p = put_text(p, r->message);
    p = put_text(p, r->attributes);
    p = byte_order_put32(p, bytes_checksum(slice_of(start, (size_t)(p - start))));
    b->len += (size_t)(p - to);
}

static int damaged(struct errbuf *err)
{
    return errbuf_fail(err, LM_EIO, "a log is damaged: it is not what its checksum says");
}

int block_raw_next(struct slice *rest, struct block_row *row, struct errbuf *err)
{
    struct slice left = *rest;
    struct slice log, key;

    if (left.len == 0)
        return LM_ENOTFOUND;
    if (!bytes_take_text(&left, &log) || log.len < LOG_KEY_BYTES + CHECKSUM_BYTES)
        return damaged(err);
    log.len -= CHECKSUM_BYTES;
    if (byte_order_get32(log.data + log.len) != bytes_checksum(log))
        return damaged(err);
    *row = (struct block_row){0};
    if (!bytes_take(&log, LOG_KEY_BYTES, &key) || !bytes_take_varint(&log, &row->sequence) ||
        !bytes_take_text(&log, &row->record.level) ||
        !bytes_take_text(&log, &row->record.message) ||
        !bytes_take_text(&log, &row->record.attributes) || log.len > 0)
        return damaged(err);
    log_key_unpack(key.data, &row->record.key);
    *rest = left;
    return 0;
}
