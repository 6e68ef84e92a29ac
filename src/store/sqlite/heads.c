#include "store/sqlite/heads.h"

static int is_marked(struct descent *w, const struct block_head *head, bool *any)
{
    uint64_t rows[BLOCK_ROW_WORDS(BLOCK_ROWS_MAX)] = {0};

    return segment_unmark(&w->r->db, head->number, rows, head->rows, any, w->err);
}

int heads_is_whole(struct descent *w, const struct source *s, const struct log_key *target,
                   const struct block_head *head, bool *is_whole)
{
    bool any = false;

    *is_whole = s->state == SOURCE_NEAR && log_key_compare(&head->last, &w->start) < 0 &&
                log_key_compare(&head->first, target) >= 0;
    if (!*is_whole || s->segment->segment.erased == 0)
        return 0;

    int error = is_marked(w, head, &any);

    *is_whole = !any;
    return error;
}

int heads_can_tell(struct descent *w, const struct source *s, const struct log_key *target,
                   const struct block_head *head, bool by_levels, bool *can)
{
    *can = head->levels_len > 0 && (by_levels || block_plan_tells(w->plan, head));
    return *can ? heads_is_whole(w, s, target, head, can) : 0;
}

bool heads_take(const struct descent *w, const struct block_head *head, unsigned level)
{
    struct block_head one;

    if (!w->plan)
        return true;
    one = *head;
    one.levels[0] = head->levels[level];
    one.levels_len = 1;
    return block_plan_judge(w->plan, &one) != BLOCK_NONE;
}

int heads_of(struct descent *w, const struct source *s, const struct block_head **head)
{
    size_t n;
    int error = catalog_heads(&w->r->catalog, &w->r->db, s->segment, head, &n, w->err);

    if (!error)
        *head += s->blocks - 1;
    return error;
}
