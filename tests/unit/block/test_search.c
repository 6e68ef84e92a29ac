#include "block/search.h"

#include <stdlib.h>
#include <string.h>

#include "../cmocka_all.h"
#include "base/hash.h"
#include "base/text.h"
#include "block/equal.h"
#include "block/row_set.h"

enum { TEMPLATES = 6, SLOTS = 4, POOLS = 4, TEXTS = 40, ROOM = 256, QUERIES = 60 };

/* Messages by chance, made of templates, and the same as texts. */
struct world {
    uint64_t state;
    struct column column;
    struct templates templates;
    struct template each[TEMPLATES];
    struct slice pieces[TEMPLATES][SLOTS + 1];
    char pieces_text[TEMPLATES * (SLOTS + 1) * 32];
    size_t pieces_len;
    struct template_pool pools[POOLS];
    uint8_t sorts[POOLS][SLOTS];
    struct column columns[POOLS][SLOTS];
    struct slice slots[POOLS][SLOTS][TEXTS];
    char slots_text[POOLS][SLOTS][TEXTS][16];
    uint16_t codes[TEXTS];
    uint32_t places[TEXTS];
    char texts[TEXTS][ROOM];
    size_t texts_len[TEXTS];
};

static unsigned below(struct world *w, unsigned n)
{
    w->state += UINT64_C(0x9e3779b97f4a7c15);
    return (unsigned)(hash_mix(w->state) % n);
}

static const char *const pieces[] = {
    "",  " ",    "=",    "user ", "a", "Fade=", " timeout",     "ÄRGER", "\xc3",
    "-", "dead", "beef", ":",     "K", "ab cd", "\xe2\x84\xaa", "0",     "12 "};
static const char *const free_texts[] = {"",  "bob", "Bob", "é",    "É9", "\xff",        "timeout",
                                         "a", "ber", "0a",  " x=1", "K",  "\xe2\x84\xaa"};

static void make_slot(struct world *w, unsigned pool, unsigned slot, unsigned place)
{
    char *to = w->slots_text[pool][slot][place];
    const char *digits = below(w, 2) ? "0123456789abcdef" : "0123456789ABCDEF";
    unsigned sort = w->sorts[pool][slot];
    unsigned len = 1 + below(w, 5);

    if (sort == SLOT_NUMBER)
        digits = below(w, 2) ? "0123456789.-+:.-" : "0123456789abcde.";
    if (sort == SLOT_TEXT) {
        const char *text = free_texts[below(w, sizeof(free_texts) / sizeof(*free_texts))];

        len = (unsigned)strlen(text);
        memcpy(to, text, len);
    } else {
        for (unsigned i = 0; i < len; i++)
            to[i] = digits[below(w, sort == SLOT_DIGITS ? 10 : 16)];
    }
    w->slots[pool][slot][place] = slice_of(to, len);
}

static void make_pool(struct world *w, unsigned pool)
{
    w->pools[pool] = (struct template_pool){.sorts = w->sorts[pool],
                                            .columns = w->columns[pool],
                                            .slots = below(w, SLOTS + 1),
                                            .len = TEXTS};
    for (unsigned k = 0; k < SLOTS; k++) {
        w->sorts[pool][k] = (uint8_t)(below(w, 4) ? below(w, 3) : below(w, 4));
        for (unsigned i = 0; i < TEXTS; i++)
            make_slot(w, pool, k, i);
        w->columns[pool][k] = (struct column){
            .kind = COLUMN_TEXT, .len = TEXTS, .entries = w->slots[pool][k], .entries_len = TEXTS};
    }
}

static void make_template(struct world *w, unsigned t)
{
    unsigned pool = below(w, POOLS);

    for (unsigned k = 0; k <= w->pools[pool].slots; k++) {
        char *to = w->pieces_text + w->pieces_len;
        size_t len = 0;

        for (unsigned n = below(w, 4); n > 0; n--) {
            const char *piece = pieces[below(w, sizeof(pieces) / sizeof(*pieces))];
            memcpy(to + len, piece, strlen(piece));
            len += strlen(piece);
        }
        w->pieces[t][k] = slice_of(to, len);
        w->pieces_len += len;
    }
    w->each[t] =
        (struct template){.pieces = w->pieces[t], .slots = w->pools[pool].slots, .pool = pool};
}

static void append(struct world *w, unsigned i, struct slice s)
{
    assert_true(w->texts_len[i] + s.len <= ROOM);
    if (s.len)
        memcpy(w->texts[i] + w->texts_len[i], s.data, s.len);
    w->texts_len[i] += s.len;
}

static struct slice text_of(const struct world *w, unsigned i)
{
    return slice_of(w->texts[i], w->texts_len[i]);
}

static void make_world(struct world *w, uint64_t seed)
{
    memset(w, 0, sizeof(*w));
    w->state = seed;
    for (unsigned p = 0; p < POOLS; p++)
        make_pool(w, p);
    for (unsigned t = 0; t < TEMPLATES; t++)
        make_template(w, t);
    for (unsigned i = 0; i < TEXTS; i++) {
        const struct template *t = &w->each[w->codes[i] = (uint16_t)below(w, TEMPLATES)];

        w->places[i] = i;
        for (unsigned k = 0; k < t->slots; k++) {
            append(w, i, t->pieces[k]);
            append(w, i, w->slots[t->pool][k][i]);
        }
        append(w, i, t->pieces[t->slots]);
    }
    w->templates = (struct templates){.templates = w->each,
                                      .templates_len = TEMPLATES,
                                      .pools = w->pools,
                                      .pools_len = POOLS,
                                      .codes = w->codes,
                                      .places = w->places};
    w->column = (struct column){.kind = COLUMN_TEMPLATES, .len = TEXTS, .templates = &w->templates};
}

/* A part of a text, perhaps with another character or case. */
static struct slice make_needle(struct world *w, char room[ROOM + 1])
{
    struct slice text = text_of(w, below(w, TEXTS));
    size_t start = text.len ? below(w, (unsigned)text.len) : 0;
    size_t len = text.len - start;

    if (below(w, 3) && len > 0)
        len = 1 + below(w, (unsigned)(len < 12 ? len : 12));
    if (len > text.len - start)
        len = text.len - start;
    memcpy(room, text.data + start, len);
    if (below(w, 3) == 0 && len)
        room[below(w, (unsigned)len)] = "a9 fgK="[below(w, 7)];
    if (below(w, 3) == 0)
        for (size_t i = 0; i < len; i++)
            if ((room[i] >= 'a' && room[i] <= 'z') || (room[i] >= 'A' && room[i] <= 'Z'))
                room[i] ^= 0x20;
    return slice_of(room, len);
}

static bool holds(struct slice text, struct slice folded_needle)
{
    char folded[TEXT_FOLD_GROWTH * ROOM];
    size_t len = text_fold(text, folded);

    return folded_needle.len == 0 ||
           (len && memmem(folded, len, folded_needle.data, folded_needle.len));
}

static void check_search(struct world *w, struct slice needle, bool excludes, size_t *found)
{
    char folded[TEXT_FOLD_GROWTH * (ROOM + 1)];
    struct errbuf err = ERRBUF_INIT;
    struct search_needle n;
    uint64_t places[1] = {(UINT64_C(1) << TEXTS) - 1};
    bool by_template;

    search_needle_init(&n, slice_of(folded, text_fold(needle, folded)));
    assert_int_equal(search_column(NULL, &w->column, &n, excludes, places, &by_template, &err), 0);
    for (unsigned i = 0; i < TEXTS; i++) {
        assert_int_equal(row_set_has(places, i), holds(text_of(w, i), n.needle.folded) != excludes);
        *found += row_set_has(places, i);
    }
    assert_true(!by_template || places[0] == 0);
}

static void templates_hold_what_their_texts_do(void **state)
{
    struct world *w = malloc(sizeof(*w));
    size_t found = 0;

    for (uint64_t seed = 1; seed <= 400; seed++) {
        make_world(w, seed << 32);
        for (unsigned q = 0; q < QUERIES; q++) {
            char room[ROOM + 1];
            struct slice needle = make_needle(w, room);
            if (needle.len)
                check_search(w, needle, q % 2, &found);
        }
    }
    free(w);
    assert_in_range(found, 1000, 400 * QUERIES * TEXTS);
}

static void templates_are_equal_where_their_texts_are(void **state)
{
    struct world *w = malloc(sizeof(*w));
    struct errbuf err = ERRBUF_INIT;

    for (uint64_t seed = 1; seed <= 400; seed++) {
        make_world(w, seed << 32);
        for (unsigned q = 0; q < QUERIES; q++) {
            uint64_t places[1] = {0};
            enum equal_found found;
            char room[ROOM + 1];
            struct slice text = q % 2 ? text_of(w, below(w, TEXTS)) : make_needle(w, room);

            assert_int_equal(equal_column(NULL, &w->column, text, places, &found, &err), 0);
            for (unsigned i = 0; i < TEXTS; i++)
                assert_int_equal(found == EQUAL_ALL || row_set_has(places, i),
                                 slice_equal(text_of(w, i), text));
            assert_int_equal(found == EQUAL_SOME, places[0] != 0);
        }
    }
    free(w);
}

/* Integers as they are, or with zeros before them, and parts of their digits. */
static void integers_hold_what_their_digits_do(void **state)
{
    static const uint64_t values[] = {
        0,  7,   10,   47,     100,        4711,       1000000,
        47, 471, 9999, 999999, 4294967295, 4294967296, 999999999999999999};
    enum { VALUES = sizeof(values) / sizeof(*values) };
    static const char *const needles[] = {"0",   "7",   "00",         "47",  "471",
                                          "11",  "000", "0047",       "9",   "999999999999",
                                          "429", "96",  "0000000047", "-47", "04"};

    for (unsigned digits = 0; digits <= 18; digits += 18) {
        struct column c = {.kind = COLUMN_INTEGER,
                           .len = VALUES,
                           .numbers = {.form = NUMBERS_WHOLE, .len = VALUES, .values = values},
                           .min = 0,
                           .max = (int64_t)values[VALUES - 1],
                           .digits = (uint8_t)digits};

        for (size_t k = 0; k < sizeof(needles) / sizeof(*needles); k++) {
            uint64_t places[1] = {(1 << VALUES) - 1};
            struct errbuf err = ERRBUF_INIT;
            struct search_needle n;
            bool by_template;

            search_needle_init(&n, slice_of_string(needles[k]));
            assert_int_equal(search_column(NULL, &c, &n, false, places, &by_template, &err), 0);
            for (size_t i = 0; i < VALUES; i++) {
                char room[COLUMN_ROOM];
                assert_int_equal(row_set_has(places, i),
                                 holds(column_text(&c, i, room), n.needle.folded));
            }
        }
    }
}

/* A needle with a letter beyond f, in blocks whose slots are of digits. */
static void what_no_piece_holds_is_out_at_once(void **state)
{
    struct slice pieces_of[] = {SLICE_LITERAL("user "), SLICE_LITERAL(" gone")};
    char text[] = "user  gone";
    uint8_t sort = SLOT_HEX;
    struct template_pool pool = {.sorts = &sort, .slots = 1, .len = 1}; /* columns are not read */
    struct template t = {.pieces = pieces_of, .slots = 1};
    uint16_t code = 0;
    uint32_t place = 0;
    struct templates templates = {&t, 1, &pool, 1, &code, &place};
    struct column column = {.kind = COLUMN_TEMPLATES, .len = 1, .templates = &templates};
    static const char *const absent[] = {"timeout", "user x", "xdead gone", "user gone"};
    static const char *const present[] = {"user", "gone", " GONE"};
    struct errbuf err = ERRBUF_INIT;
    struct search_needle n;
    bool by_template;

    pieces_of[0] = slice_of(text, 5);
    pieces_of[1] = slice_of(text + 5, 5);
    for (size_t i = 0; i < sizeof(absent) / sizeof(*absent); i++) {
        uint64_t places[1] = {1};

        search_needle_init(&n, slice_of_string(absent[i]));
        assert_int_equal(search_column(NULL, &column, &n, false, places, &by_template, &err), 0);
        assert_true(by_template && places[0] == 0);
    }
    for (size_t i = 0; i < sizeof(present) / sizeof(*present); i++) {
        char folded[32];
        uint64_t places[1] = {1};

        search_needle_init(&n, slice_of(folded, text_fold(slice_of_string(present[i]), folded)));
        assert_int_equal(search_column(NULL, &column, &n, false, places, &by_template, &err), 0);
        assert_true(!by_template && places[0] == 1);
        assert_int_equal(search_column(NULL, &column, &n, true, places, &by_template, &err), 0);
        assert_true(by_template && places[0] == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(templates_hold_what_their_texts_do),
        cmocka_unit_test(templates_are_equal_where_their_texts_are),
        cmocka_unit_test(integers_hold_what_their_digits_do),
        cmocka_unit_test(what_no_piece_holds_is_out_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
