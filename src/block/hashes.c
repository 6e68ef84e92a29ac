#include "block/hashes.h"

#include <stdlib.h>

#include "base/text.h"
#include "base/xalloc.h"
#include "block/words.h"
#include "json/reader.h"
#include "json/writer.h"

/* A set: open addressing; 0, which no hash of a word is but by a rare chance, has a place of its
 * own. */
struct block_hashes {
    uint64_t *places;
    size_t mask; /* places - 1, of which there are a power of two */
    bool has_zero;
    uint64_t *list;
    size_t len;
    bool no_memory;
    struct buffer folded;
    struct json_doc doc;
};

enum { PLACES_MIN = 1024 };

struct block_hashes *block_hashes_new(void)
{
    struct block_hashes *h = xcalloc(1, sizeof(*h));

    buffer_init(&h->folded, SIZE_MAX / 2);
    json_doc_init(&h->doc);
    return h;
}

void block_hashes_free(struct block_hashes *h)
{
    if (!h)
        return;
    buffer_release(&h->folded);
    json_doc_release(&h->doc);
    free(h->places);
    free(h->list);
    free(h);
}

void block_hashes_clear(struct block_hashes *h)
{
    if (h->places)
        memset(h->places, 0, (h->mask + 1) * sizeof(*h->places));
    h->len = 0;
    h->has_zero = false;
    h->no_memory = false;
}

static bool place(uint64_t *places, size_t mask, uint64_t hash)
{
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        if (places[i] == hash)
            return false;
        if (places[i] == 0) {
            places[i] = hash;
            return true;
        }
    }
}

/* Room for as many hashes again: the table at most half full. */
static bool grow(struct block_hashes *h)
{
    size_t len = h->places ? 2 * (h->mask + 1) : PLACES_MIN;
    uint64_t *places = try_malloc(len * sizeof(*places));
    uint64_t *list = try_realloc(h->list, len / 2 * sizeof(*list));

    if (list)
        h->list = list;
    if (!places || !list) {
        free(places);
        return false;
    }
    memset(places, 0, len * sizeof(*places));
    for (size_t i = 0; i < h->len; i++)
        if (h->list[i] != 0)
            place(places, len - 1, h->list[i]);
    free(h->places);
    h->places = places;
    h->mask = len - 1;
    return true;
}

static void add(struct block_hashes *h, uint64_t hash)
{
    if ((!h->places || h->len >= (h->mask + 1) / 2) && !grow(h)) {
        h->no_memory = true;
        return;
    }
    if (hash == 0 ? h->has_zero : !place(h->places, h->mask, hash))
        return;
    h->has_zero |= hash == 0;
    h->list[h->len++] = hash;
}

static void add_word(uint64_t hash, struct slice word, void *ctx)
{
    add(ctx, hash);
}

static int gather_message(struct block_hashes *h, struct slice message)
{
    buffer_clear(&h->folded);
    char *to = buffer_reserve(&h->folded, TEXT_FOLD_GROWTH * message.len + 1);

    if (!to)
        return LM_ENOMEM;
    block_words(slice_of(to, text_fold(message, to)), add_word, h);
    return 0;
}

static struct slice value_text(yyjson_val *value)
{
    switch (yyjson_get_type(value)) {
    case YYJSON_TYPE_BOOL:
        return slice_of_string(yyjson_get_bool(value) ? "true" : "false");
    case YYJSON_TYPE_NULL:
        return SLICE_LITERAL("null");
    default:
        return json_text(value);
    }
}

/* What cannot be parsed, which no entrance lets in, matches no filter of attributes. */
static int gather_attributes(struct block_hashes *h, struct slice attributes)
{
    yyjson_obj_iter iter;
    int error = attributes.len ? json_doc_read(&h->doc, attributes) : LM_EINVAL;

    if (error)
        return error == LM_ENOMEM ? LM_ENOMEM : 0;
    iter = yyjson_obj_iter_with(yyjson_doc_get_root(h->doc.doc));
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&iter));) {
        yyjson_val *value = yyjson_obj_iter_get_val(key);

        if (!yyjson_is_ctn(value))
            add(h, block_value_hash(json_text(key), value_text(value)));
    }
    return 0;
}

int block_hashes_gather(struct block_hashes *h, const struct block_row *rows, size_t n)
{
    block_hashes_clear(h);
    for (size_t i = 0; i < n; i++) {
        int error = gather_message(h, rows[i].record.message);

        if (!error)
            error = gather_attributes(h, rows[i].record.attributes);
        if (error)
            return error;
    }
    return h->no_memory ? LM_ENOMEM : 0;
}

void block_hashes_get(const struct block_hashes *h, const uint64_t **hashes, size_t *n)
{
    *hashes = h->list;
    *n = h->len;
}
