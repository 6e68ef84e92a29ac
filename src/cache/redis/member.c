#include "cache/redis/member.h"

#include "base/byte_order.h"

size_t cache_member_len(const struct record *r)
{
    return CACHE_MEMBER_HEAD_LEN + r->level.len + r->message.len + r->attributes.len;
}

void cache_member_append(struct buffer *b, const struct record *r)
{
    char head[CACHE_MEMBER_HEAD_LEN];

    log_key_pack_ordered(&r->key, head);
    byte_order_put32(byte_order_put32(head + LOG_KEY_BYTES, (uint32_t)r->level.len),
                     (uint32_t)r->message.len);
    buffer_append(b, head, sizeof(head));
    buffer_append_slice(b, r->level);
    buffer_append_slice(b, r->message);
    buffer_append_slice(b, r->attributes);
}

int cache_member_decode(struct slice member, struct record *r)
{
    const char *texts = member.data + CACHE_MEMBER_HEAD_LEN;
    size_t level_len, message_len, texts_len;

    if (member.len < CACHE_MEMBER_HEAD_LEN)
        return LM_EINVAL;
    texts_len = member.len - CACHE_MEMBER_HEAD_LEN;
    level_len = byte_order_get32(member.data + LOG_KEY_BYTES);
    message_len = byte_order_get32(member.data + LOG_KEY_BYTES + 4);
    if (level_len > texts_len || message_len > texts_len - level_len)
        return LM_EINVAL;
    log_key_unpack_ordered(member.data, &r->key);
    r->level = slice_of(texts, level_len);
    r->message = slice_of(texts + level_len, message_len);
    r->attributes = slice_of(texts + level_len + message_len, texts_len - level_len - message_len);
    return 0;
}
