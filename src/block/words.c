#include "block/words.h"

#include "base/byte_order.h"
#include "base/hash.h"

/* ---- Hashes: they are in stored filters, so they never change (block.h: BLOCK_VERSION) ---- */

static const uint64_t WORD_SEED = UINT64_C(0x9e3779b97f4a7c15);
static const uint64_t VALUE_SEED = UINT64_C(0xc2b2ae3d27d4eb4f);

/* Eight bytes a step: words are hashed for every log. */
static uint64_t hash_text(uint64_t hash, struct slice text)
{
    const char *p = text.data;
    size_t left = text.len;

    for (; left >= 8; p += 8, left -= 8)
        hash = hash_mix(hash ^ byte_order_get64(p)) + WORD_SEED;
    uint64_t last = 0;
    for (size_t i = 0; i < left; i++)
        last = last << 8 | (unsigned char)p[i];
    return hash_mix(hash ^ last ^ (uint64_t)text.len << 56);
}

uint64_t block_value_hash(struct slice name, struct slice value)
{
    return hash_text(hash_text(VALUE_SEED, name), value);
}

/* ---- Words ---- */

enum { NO_WORD, DIGIT, LETTER };

/* Of folded texts, which have no capitals of ASCII. */
static unsigned kind_of(unsigned char c)
{
    if (c >= '0' && c <= '9')
        return DIGIT;
    return (c >= 'a' && c <= 'z') || c == '_' || c >= 0x80 ? LETTER : NO_WORD;
}

void block_words(struct slice folded, block_word_fn *fn, void *ctx)
{
    const unsigned char *s = (const unsigned char *)folded.data;
    size_t at = 0;

    while (at < folded.len) {
        size_t start = at;
        unsigned kinds = 0;
        unsigned kind;

        while (at < folded.len && (kind = kind_of(s[at])) != NO_WORD) {
            kinds |= kind;
            at++;
        }
        size_t least = kinds == DIGIT ? BLOCK_NUMBER_MIN : BLOCK_WORD_MIN;
        if (at - start >= least) {
            struct slice word = slice_of(folded.data + start, at - start);
            fn(hash_text(WORD_SEED, word), word, ctx);
        }
        at += at == start;
    }
}
