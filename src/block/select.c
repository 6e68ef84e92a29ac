#include "block/select.h"

/* Clears the bit of `row` unless the plain matcher takes the log. */
static int match_row(struct block_reader *r, const struct block_plan *p, size_t row, uint64_t *rows,
                     struct errbuf *err)
{
    struct record record;
    bool matches;
    int error = block_record(r, row, &record, err);

    if (error)
        return error;
    error = log_matcher_match(p->matcher, &record, &matches);
    if (error)
        return errbuf_fail(err, error, "no memory to match a log");
    if (!matches)
        rows[row / 64] &= ~(UINT64_C(1) << row % 64);
    return 0;
}

int block_select(struct block_reader *r, const struct block_plan *p, uint64_t *rows,
                 struct block_explain *explain, struct errbuf *err)
{
    struct block_explain unwanted = {0};
    size_t n = block_rows(r);

    explain = explain ? explain : &unwanted;
    if (!log_matcher_has_predicates(p->matcher))
        return 0;
    explain->blocks_read++;
    explain->rows += n;
    for (size_t word = 0; word < BLOCK_ROW_WORDS(n); word++) {
        for (uint64_t left = rows[word]; left; left &= left - 1) {
            int error = match_row(r, p, word * 64 + (size_t)__builtin_ctzll(left), rows, err);

            if (error)
                return error;
            explain->rows_matched++;
        }
    }
    return 0;
}
