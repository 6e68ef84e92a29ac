/*
 * The tree is decided on sets of rows (block/decide.h). What columns cannot tell of a row is the
 * plain matcher's, which is asked about the rebuilt log: it is the one who says what a strange log
 * is.
 */
#include "block/select.h"

#include "block/decide.h"
#include "block/planned.h"
#include "block/row_set.h"

struct selection {
    struct block_reader *reader;
    const struct block_plan *plan;
    uint64_t *rows;                    /* that are left */
    uint64_t maybe[ROW_SET_WORDS_MAX]; /* of them: the plain matcher is to be asked about these */
};

static int ask_matcher(struct selection *s, size_t row, struct errbuf *err)
{
    struct record record;
    bool matches;
    int error = block_record(s->reader, row, &record, err);

    if (error)
        return error;
    error = log_matcher_match(s->plan->matcher, &record, &matches, err);
    if (error)
        return error;
    if (!matches)
        row_set_remove(s->rows, row);
    return 0;
}

static int ask_about_doubtful(struct selection *s, size_t words, uint64_t *asked,
                              struct errbuf *err)
{
    for (size_t word = 0; word < words; word++) {
        for (uint64_t left = s->rows[word] & s->maybe[word]; left; left &= left - 1) {
            int error = ask_matcher(s, word * 64 + (size_t)__builtin_ctzll(left), err);

            if (error)
                return error;
            ++*asked;
        }
    }
    return 0;
}

int block_select(struct block_reader *r, const struct block_plan *p, uint64_t *rows,
                 struct block_explain *explain, struct errbuf *err)
{
    struct selection s = {.reader = r, .plan = p, .rows = rows};
    size_t words = BLOCK_ROW_WORDS(block_rows(r));
    struct decide_why why = {0};
    uint64_t asked = 0;

    if (!p->has_tree || row_set_is_empty(rows, words))
        return 0;
    int error = decide_rows(r, &p->tree, rows, s.maybe, &why, err);
    if (!error)
        error = ask_about_doubtful(&s, words, &asked, err);
    if (error || !explain)
        return error;
    if (why.by_dictionary)
        explain->by_dictionary++;
    else if (why.by_template)
        explain->by_template++;
    else {
        explain->blocks_read++;
        explain->rows += block_rows(r);
    }
    explain->rows_matched += asked;
    return 0;
}
