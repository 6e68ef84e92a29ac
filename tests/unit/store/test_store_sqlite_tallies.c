/* What is remembered of blocks: what is kept, what is not, and how much. */
#include <stdio.h>
#include <string.h>

#include "../cmocka_all.h"
#include "query/aggregate.h"
#include "store/sqlite/tallies.h"

enum { ROWS = 1000 };

struct place {
    struct tallies t;
    struct log_fields fields;
    uint32_t codes[ROWS];
    struct log_value values[ROWS];
    char texts[ROWS][TALLY_TEXT_MAX + 2];
    struct log_column column;
    struct log_batch batch;
};

static struct place place; /* large */

static int set_up(void **state)
{
    tallies_init(&place.t);
    place.fields = (struct log_fields){
        .items = {{LOG_FIELD_ATTRIBUTE, SLICE_LITERAL("host")}}, .len = 1, .any_time = true};
    *state = &place;
    return 0;
}

static int tear_down(void **state)
{
    tallies_release(&place.t);
    return 0;
}

/* Rows with `values` different ones, as many of each; a row more has none. */
static const struct log_batch *batch_of(struct place *p, uint32_t rows, uint32_t values, char first)
{
    for (uint32_t i = 0; i < values; i++) {
        int len = snprintf(p->texts[i], sizeof(p->texts[i]), "%c%u", first, i);

        p->values[i] = (struct log_value){slice_of(p->texts[i], (size_t)len), LOG_VALUE_STRING};
    }
    for (uint32_t i = 0; i < rows; i++)
        p->codes[i] = i % values;
    p->codes[rows] = LOG_CODE_NONE;
    p->column = (struct log_column){.values = p->values, .values_len = values, .codes = p->codes};
    p->batch = (struct log_batch){.rows = rows + 1, .columns = &p->column};
    return &p->batch;
}

static int add_up(const struct log_batch *batch, void *ctx)
{
    uint64_t *sums = ctx; /* of those without, of values that end with 1, of all */
    const struct log_column *c = &batch->columns[0];

    for (size_t row = 0; row < batch->rows; row++) {
        struct slice text =
            c->codes[row] == LOG_CODE_NONE ? slice_of("", 0) : c->values[c->codes[row]].text;

        sums[0] += text.len == 0 ? batch->counts[row] : 0;
        sums[1] += text.len > 0 && text.data[text.len - 1] == '1' ? batch->counts[row] : 0;
        sums[2] += batch->counts[row];
    }
    return 0;
}

static void what_a_block_has_is_added_up_by_values(void **state)
{
    struct place *p = *state;
    struct tally *tally = tallies_ask(&p->t, &p->fields, NULL);
    struct tally_sum sum = {.any_time = true};
    uint64_t sums[3] = {0};

    assert_non_null(tally);
    assert_false(tallies_recall(&p->t, tally, 7, &sum));
    assert_true(tallies_note(&p->t, tally, 7, batch_of(p, 40, 10, 'a'), &sum));
    assert_true(tallies_note(&p->t, tally, 8, batch_of(p, 20, 2, 'b'), &sum));
    assert_true(tallies_note(&p->t, tally, 9, &(struct log_batch){.rows = 0}, &sum));
    assert_true(tallies_recall(&p->t, tally, 7, &sum));
    assert_true(tallies_recall(&p->t, tally, 9, &sum));
    assert_false(tallies_recall(&p->t, tally, 10, &sum));
    assert_int_equal(tallies_hand_out(&p->t, tally, &sum, add_up, sums), 0);
    assert_int_equal(sums[0], 3);
    assert_int_equal(sums[1], 4 + 10 + 4);
    assert_int_equal(sums[2], 41 + 21 + 41);
    assert_int_equal(tallies_hand_out(&p->t, tally, &sum, add_up, sums), 0);
    assert_int_equal(sums[2], 41 + 21 + 41);
    tally_sum_release(&sum);
    tallies_give_back(&p->t, tally);
}

static void another_question_has_blocks_of_its_own(void **state)
{
    struct place *p = *state;
    struct log_fields other = p->fields;
    struct tally *tally = tallies_ask(&p->t, &p->fields, NULL), *more;
    struct tally_sum sum = {.any_time = true};
    struct query_builder b;
    struct query *q;

    assert_true(tallies_note(&p->t, tally, 7, batch_of(p, 40, 10, 'a'), &sum));
    other.items[0].path = SLICE_LITERAL("hosts");
    more = tallies_ask(&p->t, &other, NULL);
    assert_false(tallies_recall(&p->t, more, 7, &sum));
    tallies_give_back(&p->t, more);
    query_builder_init(&b);
    query_builder_test(&b, &(struct query_node){.kind = QUERY_TEST,
                                                .field = QUERY_ATTRIBUTE,
                                                .test = QUERY_EXISTS,
                                                .path = SLICE_LITERAL("x")});
    assert_int_equal(query_builder_finish(&b, &q), 0);
    more = tallies_ask(&p->t, &p->fields, q);
    assert_false(tallies_recall(&p->t, more, 7, &sum));
    tallies_give_back(&p->t, more);
    query_unref(q);
    other = p->fields; /* whose paths are not remembered as places in memory */
    other.items[0].path = slice_of("hostile", 4);
    more = tallies_ask(&p->t, &other, NULL);
    assert_true(tallies_recall(&p->t, more, 7, &sum));
    tallies_give_back(&p->t, more);
    tallies_give_back(&p->t, tally);
    tally_sum_release(&sum);
}

static void what_is_much_or_says_not_all_is_not_kept(void **state)
{
    struct place *p = *state;
    struct log_fields fields = p->fields;
    struct tally *tally = tallies_ask(&p->t, &p->fields, NULL);
    struct tally_sum sum = {.any_time = true};

    assert_false(tallies_note(&p->t, tally, 1, batch_of(p, ROWS - 1, TALLY_ROWS_MAX, 'a'), &sum));
    assert_true(
        tallies_note(&p->t, tally, 1, batch_of(p, ROWS - 1, TALLY_ROWS_MAX - 1, 'a'), &sum));
    batch_of(p, 10, 3, 'c');
    memset(p->texts[1], 'x', TALLY_TEXT_MAX + 1);
    p->values[1].text = slice_of(p->texts[1], TALLY_TEXT_MAX + 1);
    assert_false(tallies_note(&p->t, tally, 2, &p->batch, &sum));
    batch_of(p, 10, 3, 'd');
    p->codes[4] = LOG_CODE_LIST;
    assert_false(tallies_note(&p->t, tally, 2, &p->batch, &sum));
    batch_of(p, 10, 3, 'e');
    p->column.integers = (const int64_t[11]){0};
    assert_false(tallies_note(&p->t, tally, 2, &p->batch, &sum));
    for (int i = 0; i < TALLY_COMBINATIONS_MAX; i++) /* of all blocks together */
        tallies_note(&p->t, tally, 10 + i, batch_of(p, 90, 90, (char)('f' + i % 100)), &sum);
    assert_false(tallies_note(&p->t, tally, 3, batch_of(p, 10, 3, '!'), &sum));
    assert_true(sum.capacity <= 2 * TALLY_COMBINATIONS_MAX);
    tallies_give_back(&p->t, tally);
    tally_sum_release(&sum);
    fields.any_time = false; /* each log's time is asked for */
    assert_null(tallies_ask(&p->t, &fields, NULL));
    fields = p->fields;
    fields.items[0].kind = LOG_FIELD_MESSAGE;
    assert_null(tallies_ask(&p->t, &fields, NULL));
}

static void memory_is_bounded_and_what_was_not_asked_for_goes_first(void **state)
{
    struct place *p = *state;
    struct log_fields fields = p->fields;
    struct tally_sum sum = {.any_time = true};
    struct tally *tally;
    char path[16];

    p->t.bytes_max = 100000;
    for (int i = 0; i < 3 * TALLIES_MAX; i++) {
        fields.items[0].path = slice_of(path, (size_t)snprintf(path, sizeof(path), "f%d", i));
        tally = tallies_ask(&p->t, &fields, NULL);
        for (int k = 0; k < 10; k++)
            assert_true(tallies_note(&p->t, tally, k, batch_of(p, 50, 50, 'a'), &sum));
        assert_true(p->t.bytes <= p->t.bytes_max + 10000);
        tallies_give_back(&p->t, tally);
    }
    assert_true(p->t.len <= TALLIES_MAX);
    tally = tallies_ask(&p->t, &fields, NULL); /* the last one */
    assert_true(tallies_recall(&p->t, tally, 9, &sum));
    for (int k = 10; tallies_note(&p->t, tally, k, batch_of(p, 50, 50, 'a'), &sum); k++)
        assert_true(p->t.bytes <= p->t.bytes_max + 10000);
    assert_int_equal(p->t.len, 1);
    tallies_give_back(&p->t, tally);
    for (int i = 0; i < 100; i++) { /* of which 9 is not a part any more */
        tally = tallies_ask(&p->t, &fields, NULL);
        assert_true(tallies_recall(&p->t, tally, 12, &sum));
        tallies_give_back(&p->t, tally);
    }
    tally = tallies_ask(&p->t, &fields, NULL);
    assert_true(tallies_note(&p->t, tally, 1000, batch_of(p, 50, 50, 'a'), &sum));
    assert_true(tallies_recall(&p->t, tally, 12, &sum));
    assert_false(tallies_recall(&p->t, tally, 9, &sum));
    tallies_give_back(&p->t, tally);
    tally_sum_release(&sum);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest cases[] = {
        CASE(what_a_block_has_is_added_up_by_values),
        CASE(another_question_has_blocks_of_its_own),
        CASE(what_is_much_or_says_not_all_is_not_kept),
        CASE(memory_is_bounded_and_what_was_not_asked_for_goes_first),
    };

    return cmocka_run_group_tests_name("store_sqlite tallies", cases, NULL, NULL);
}
