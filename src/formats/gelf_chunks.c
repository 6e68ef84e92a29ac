#include "formats/gelf_chunks.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/xalloc.h"

enum {
    HEAD_BYTES = 12,
    ID_BYTES = 8,
    SENDER_BYTES_MAX = 32, /* of an address of IPv6 and its port there are 28 */
    BUCKETS = 256,
};

struct chunk {
    uint32_t at, len; /* in the bytes of its message */
    bool is_there;
};

struct chunked {
    struct chunked *next_in_bucket;
    struct chunked *older, *newer;
    unsigned bucket;
    uint64_t began_ms;
    char key[ID_BYTES + SENDER_BYTES_MAX];
    size_t key_len;
    unsigned chunks_len, there_len;
    struct buffer bytes; /* of the chunks, in the order in which they came */
    struct chunk chunks[GELF_CHUNKS_MAX];
};

struct table {
    struct account *account;
    struct chunked *buckets[BUCKETS];
    struct chunked *oldest, *newest;
    size_t len, bytes;
    struct buffer whole; /* the message given last */
};

static void *table_new(struct account *account)
{
    struct table *t = xcalloc(1, sizeof(*t));

    t->account = account;
    buffer_init(&t->whole, GELF_CHUNKED_BYTES_MAX);
    t->whole.account = account;
    return t;
}

static void forget(struct table *t, struct chunked *c)
{
    struct chunked **link = &t->buckets[c->bucket];

    while (*link != c)
        link = &(*link)->next_in_bucket;
    *link = c->next_in_bucket;
    if (c->older)
        c->older->newer = c->newer;
    else
        t->oldest = c->newer;
    if (c->newer)
        c->newer->older = c->older;
    else
        t->newest = c->older;
    t->len--;
    t->bytes -= c->bytes.len;
    buffer_release(&c->bytes);
    account_give(t->account, sizeof(*c));
    free(c);
}

static void forget_oldest(struct table *t)
{
    CHECK(!t->oldest->older);
    forget(t, t->oldest);
}

static void table_free(void *joiner)
{
    struct table *t = joiner;

    if (!t)
        return;
    while (t->oldest)
        forget_oldest(t);
    buffer_release(&t->whole);
    free(t);
}

static size_t expire(void *joiner, uint64_t now_ms)
{
    struct table *t = joiner;
    size_t lost = 0;

    for (; t->oldest && t->oldest->began_ms + GELF_CHUNKED_MS < now_ms; lost++)
        forget_oldest(t);
    return lost;
}

static unsigned bucket_of(const char *key, size_t len)
{
    unsigned hash = 2166136261u; /* FNV-1a: who makes it collide walks a table that is bounded */

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)key[i]) * 16777619u;
    return hash % BUCKETS;
}

static struct chunked *find(const struct table *t, unsigned bucket, const char *key, size_t len)
{
    for (struct chunked *c = t->buckets[bucket]; c; c = c->next_in_bucket)
        if (c->key_len == len && memcmp(c->key, key, len) == 0)
            return c;
    return NULL;
}

static struct chunked *begin(struct table *t, unsigned bucket, const char *key, size_t len,
                             unsigned chunks_len, uint64_t now_ms)
{
    struct chunked *c = account_take(t->account, sizeof(*c)) ? try_malloc(sizeof(*c)) : NULL;

    if (!c)
        return NULL;
    *c = (struct chunked){.bucket = bucket,
                          .began_ms = now_ms,
                          .key_len = len,
                          .chunks_len = chunks_len,
                          .next_in_bucket = t->buckets[bucket],
                          .older = t->newest};
    memcpy(c->key, key, len);
    buffer_init(&c->bytes, GELF_CHUNKED_BYTES_MAX);
    c->bytes.account = t->account;
    t->buckets[bucket] = c;
    if (t->newest)
        t->newest->newer = c;
    else
        t->oldest = c;
    t->newest = c;
    t->len++;
    return c;
}

/* Puts the chunks in their order. False: there is no room for it. */
static bool put_together(struct table *t, const struct chunked *c, struct slice *whole)
{
    buffer_release(&t->whole);
    for (unsigned i = 0; i < c->chunks_len; i++)
        buffer_append(&t->whole, c->bytes.data + c->chunks[i].at, c->chunks[i].len);
    *whole = buffer_slice(&t->whole);
    return !buffer_error(&t->whole);
}

static bool add(struct table *t, struct chunked *c, unsigned index, struct slice part)
{
    struct chunk *chunk = &c->chunks[index];

    if (chunk->is_there)
        return true;
    *chunk = (struct chunk){(uint32_t)c->bytes.len, (uint32_t)part.len, true};
    buffer_append_slice(&c->bytes, part);
    if (buffer_error(&c->bytes))
        return false;
    t->bytes += part.len;
    c->there_len++;
    return true;
}

static enum stream_join take_chunk(struct table *t, struct slice sender, struct slice datagram,
                                   uint64_t now_ms, struct slice *whole, size_t *lost)
{
    unsigned index = (unsigned char)datagram.data[HEAD_BYTES - 2];
    unsigned chunks_len = (unsigned char)datagram.data[HEAD_BYTES - 1];
    struct slice part = slice_of(datagram.data + HEAD_BYTES, datagram.len - HEAD_BYTES);
    char key[ID_BYTES + SENDER_BYTES_MAX];
    size_t key_len = ID_BYTES + sender.len;

    if (chunks_len == 0 || chunks_len > GELF_CHUNKS_MAX || index >= chunks_len)
        return STREAM_JOIN_REFUSED;
    memcpy(key, datagram.data + 2, ID_BYTES);
    memcpy(key + ID_BYTES, sender.data, sender.len);

    unsigned bucket = bucket_of(key, key_len);
    struct chunked *c = find(t, bucket, key, key_len);

    if (c && c->chunks_len != chunks_len)
        return STREAM_JOIN_REFUSED;
    while (t->oldest &&
           ((!c && t->len >= GELF_CHUNKED_MAX) || t->bytes + part.len > GELF_CHUNKED_BYTES_MAX)) {
        bool is_own = t->oldest == c;

        forget_oldest(t);
        ++*lost;
        if (is_own)
            return STREAM_JOIN_PART;
    }
    if (!c)
        c = begin(t, bucket, key, key_len, chunks_len, now_ms);
    if (!c || !add(t, c, index, part)) {
        if (c)
            forget(t, c);
        ++*lost;
        return STREAM_JOIN_PART;
    }
    if (c->there_len < c->chunks_len)
        return STREAM_JOIN_PART;

    bool is_whole = put_together(t, c, whole);

    forget(t, c);
    if (!is_whole)
        ++*lost;
    return is_whole ? STREAM_JOIN_WHOLE : STREAM_JOIN_PART;
}

static enum stream_join join(void *joiner, struct slice sender, struct slice datagram,
                             uint64_t now_ms, struct slice *whole, size_t *lost)
{
    CHECK(sender.len <= SENDER_BYTES_MAX);
    *lost = expire(joiner, now_ms);
    if (datagram.len < 2 || memcmp(datagram.data, "\x1e\x0f", 2) != 0) {
        *whole = datagram;
        return STREAM_JOIN_WHOLE;
    }
    if (datagram.len < HEAD_BYTES)
        return STREAM_JOIN_REFUSED;
    return take_chunk(joiner, sender, datagram, now_ms, whole, lost);
}

const struct stream_joiner gelf_chunks = {
    .new = table_new, .free = table_free, .join = join, .expire = expire};
