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
    bool leaves_out;
    struct buffer folded;
    struct buffer path;
    struct json_doc doc;
};

enum { PLACES_MIN = 1024 };

struct block_hashes *block_hashes_new(void)
{
    struct block_hashes *h = xcalloc(1, sizeof(*h));

    buffer_init(&h->folded, SIZE_MAX / 2);
    buffer_init(&h->path, SIZE_MAX / 2);
    json_doc_init(&h->doc);
    return h;
}

void block_hashes_free(struct block_hashes *h)
{
    if (!h)
        return;
    buffer_release(&h->folded);
    buffer_release(&h->path);
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
    h->leaves_out = false;
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

void block_hashes_add_text(struct block_hashes *h, struct slice text)
{
    buffer_clear(&h->folded);
    char *to = buffer_reserve(&h->folded, TEXT_FOLD_GROWTH * text.len + 1);

    if (to)
        block_words(slice_of(to, text_fold(text, to)), add_word, h);
    else
        h->no_memory = true;
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

static void add_number(struct block_hashes *h, struct slice path, struct slice text)
{
    char room[BLOCK_NUMBER_ROOM];
    struct slice number = block_number_text(text, room);

    if (number.data != text.data && number.data)
        add(h, block_value_hash(path, number));
    h->leaves_out |= !number.data;
}

static void add_all(struct block_hashes *h, yyjson_val *value);

static void add_elements(struct block_hashes *h, yyjson_val *array)
{
    yyjson_arr_iter iter = yyjson_arr_iter_with(array);

    if (yyjson_arr_size(array) > BLOCK_HASHES_ELEMENTS_MAX) {
        h->leaves_out = true;
        return;
    }
    for (yyjson_val *v; (v = yyjson_arr_iter_next(&iter));)
        add_all(h, v);
}

static void add_members(struct block_hashes *h, yyjson_val *object, bool is_first)
{
    yyjson_obj_iter iter = yyjson_obj_iter_with(object);
    size_t len = h->path.len;

    for (yyjson_val *key; (key = yyjson_obj_iter_next(&iter));) {
        if (!is_first)
            buffer_append_char(&h->path, '.');
        buffer_append_slice(&h->path, json_text(key));
        add_all(h, yyjson_obj_iter_get_val(key));
        buffer_truncate(&h->path, len);
    }
}

/* Of the value at h->path. Recursive, as deep as JSON is read. */
static void add_all(struct block_hashes *h, yyjson_val *value)
{
    if (yyjson_is_arr(value)) {
        add_elements(h, value);
    } else if (yyjson_is_obj(value)) {
        add_members(h, value, false);
    } else {
        add(h, block_value_hash(buffer_slice(&h->path), value_text(value)));
        if (yyjson_is_raw(value))
            add_number(h, buffer_slice(&h->path), json_text(value));
    }
}

/* False: there is none, or no memory. */
static bool read_object(struct block_hashes *h, struct slice json)
{
    int error = json_doc_read(&h->doc, json);

    h->no_memory |= error == LM_ENOMEM;
    return !error;
}

void block_hashes_add_object(struct block_hashes *h, struct slice json)
{
    if (!read_object(h, json))
        return;
    buffer_clear(&h->path);
    add_members(h, yyjson_doc_get_root(h->doc.doc), true);
    h->no_memory |= buffer_error(&h->path) != 0;
}

void block_hashes_add_top(struct block_hashes *h, struct slice json)
{
    yyjson_obj_iter iter;

    if (!read_object(h, json))
        return;
    iter = yyjson_obj_iter_with(yyjson_doc_get_root(h->doc.doc));
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&iter));) {
        yyjson_val *value = yyjson_obj_iter_get_val(key);

        if (!yyjson_is_ctn(value))
            add(h, block_value_hash(json_text(key), value_text(value)));
    }
}

static bool has_escape(struct slice s)
{
    return s.len > 0 && memchr(s.data, '\\', s.len);
}

void block_hashes_add_value(struct block_hashes *h, struct slice path, struct slice value,
                            bool is_string)
{
    if (!has_escape(path) && !(is_string && has_escape(value))) {
        add(h, block_value_hash(path, value));
        if (!is_string && value.len > 0 && value.data[0] <= '9') /* no literal */
            add_number(h, path, value);
        return;
    }
    buffer_clear(&h->folded);
    buffer_append_string(&h->folded, "{\"");
    buffer_append_slice(&h->folded, path);
    buffer_append_string(&h->folded, is_string ? "\":\"" : "\":");
    buffer_append_slice(&h->folded, value);
    buffer_append_string(&h->folded, is_string ? "\"}" : "}");
    if (buffer_error(&h->folded))
        h->no_memory = true;
    else
        block_hashes_add_object(h, buffer_slice(&h->folded));
}

int block_hashes_error(const struct block_hashes *h)
{
    return h->no_memory ? LM_ENOMEM : 0;
}

void block_hashes_leave_out(struct block_hashes *h)
{
    h->leaves_out = true;
}

bool block_hashes_are_all(const struct block_hashes *h)
{
    return !h->leaves_out;
}

void block_hashes_get(const struct block_hashes *h, const uint64_t **hashes, size_t *n)
{
    *hashes = h->list;
    *n = h->len;
}
