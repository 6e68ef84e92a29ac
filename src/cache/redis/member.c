#include "cache/redis/member.h"

#include <string.h>

static void put(char *out, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        out[i] = (char)(value >> (8 * (bytes - 1 - i)));
}

static uint64_t get(const char *in, unsigned bytes)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < bytes; i++)
        value = value << 8 | (unsigned char)in[i];
    return value;
}

static const uint64_t TIMESTAMP_BIAS = UINT64_C(1) << 63;

void cache_member_key(const struct log_key *key, char out[CACHE_MEMBER_KEY_LEN])
{
    put(out, (uint64_t)key->timestamp_us ^ TIMESTAMP_BIAS, 8);
    memcpy(out + 8, key->id.bytes, sizeof(key->id.bytes));
}

size_t cache_member_len(const struct record *r)
{
    return CACHE_MEMBER_HEAD_LEN + r->level.len + r->message.len + r->attributes.len;
}

void cache_member_append(struct buffer *b, const struct record *r)
{
    char head[CACHE_MEMBER_HEAD_LEN];

    cache_member_key(&r->key, head);
    put(head + CACHE_MEMBER_KEY_LEN, r->level.len, 4);
    put(head + CACHE_MEMBER_KEY_LEN + 4, r->message.len, 4);
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
    level_len = get(member.data + CACHE_MEMBER_KEY_LEN, 4);
    message_len = get(member.data + CACHE_MEMBER_KEY_LEN + 4, 4);
    if (level_len > texts_len || message_len > texts_len - level_len)
        return LM_EINVAL;
    r->key.timestamp_us = (int64_t)(get(member.data, 8) ^ TIMESTAMP_BIAS);
    memcpy(r->key.id.bytes, member.data + 8, sizeof(r->key.id.bytes));
    r->level = slice_of(texts, level_len);
    r->message = slice_of(texts + level_len, message_len);
    r->attributes = slice_of(texts + level_len + message_len, texts_len - level_len - message_len);
    return 0;
}
