/*
 * Rows are asked about as sets: of what AND has left the next test is asked, of what OR has not yet
 * found the next. Within a node those tests come first that cost least, so that dear ones have few
 * rows left to look at, or none. There are three answers: yes, no and maybe; what is not in `yes`
 * and not in `maybe` is no.
 *
 * What guards its siblings (query_builder_guard) comes before them. Rows of which it says maybe are
 * not asked about any more: the plain matcher is.
 */
#include "block/decide.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "block/leaf.h"
#include "block/row_set.h"

enum { SETS_OF_NODE = 4 };

struct decision {
    struct block_reader *reader;
    const struct asked *asked;
    size_t words;
    uint64_t *sets;                  /* SETS_OF_NODE for each level of nesting */
    const struct asked_test *latest; /* test */
    bool by_template;                /* … whose answer was so */
};

static void clear(const struct decision *d, uint64_t *set)
{
    memset(set, 0, d->words * sizeof(*set));
}

static uint64_t *set_of(const struct decision *d, unsigned depth, unsigned number)
{
    return d->sets + (SETS_OF_NODE * (size_t)depth + number) * d->words;
}

/* Of a test or node: what it says of `rows`. */
static int decide(struct decision *d, uint32_t i, unsigned depth, const uint64_t *rows,
                  uint64_t *yes, uint64_t *maybe, struct errbuf *err);

static int decide_test(struct decision *d, uint32_t i, const uint64_t *rows, uint64_t *yes,
                       uint64_t *maybe, struct errbuf *err)
{
    struct leaf_answer answer = {.yes = yes, .maybe = maybe};

    clear(d, yes);
    clear(d, maybe);
    int error = leaf_ask(d->reader, &d->asked->tests[i], rows, &answer, err);
    for (size_t word = 0; word < d->words; word++) {
        yes[word] &= rows[word];
        maybe[word] &= rows[word] & ~yes[word];
    }
    d->latest = &d->asked->tests[i];
    d->by_template = answer.by_template;
    return error;
}

static int decide_not(struct decision *d, uint32_t i, unsigned depth, const uint64_t *rows,
                      uint64_t *yes, uint64_t *maybe, struct errbuf *err)
{
    int error = decide(d, i + 1, depth, rows, yes, maybe, err);

    for (size_t word = 0; word < d->words; word++)
        yes[word] = rows[word] & ~(yes[word] | maybe[word]);
    return error;
}

/* `left`, of which all are asked, are those that none so far has refused. */
static void keep_taken(const struct decision *d, uint64_t *left, uint64_t *maybe,
                       const uint64_t *child_yes, const uint64_t *child_maybe)
{
    for (size_t word = 0; word < d->words; word++) {
        left[word] = child_yes[word] | child_maybe[word];
        maybe[word] = (maybe[word] | child_maybe[word]) & left[word];
    }
}

/* `left` are those that none so far has taken. */
static void add_taken(const struct decision *d, uint64_t *left, uint64_t *yes, uint64_t *maybe,
                      const uint64_t *child_yes, const uint64_t *child_maybe)
{
    for (size_t word = 0; word < d->words; word++) {
        yes[word] |= child_yes[word];
        maybe[word] = (maybe[word] | child_maybe[word]) & ~yes[word];
        left[word] &= ~yes[word];
    }
}

/* An AND or OR under way: what its children have said so far. */
struct family {
    uint32_t node;
    unsigned depth;
    bool is_and;
    uint64_t *left, *yes, *maybe;
};

/* Those that guard, or those that do not. */
static int ask_children(struct decision *d, const struct family *f, bool guards, struct errbuf *err)
{
    const struct query_node *nodes = d->asked->query->nodes;
    uint64_t *yes = set_of(d, f->depth, 1);
    uint64_t *maybe = set_of(d, f->depth, 2);
    int error = 0;

    for (unsigned cost = 0; cost < ASKED_COSTS; cost++) {
        for (uint32_t k = f->node + 1; k < nodes[f->node].end && !error; k = nodes[k].end) {
            if (d->asked->tests[k].cost != cost || nodes[k].guards != guards ||
                row_set_is_empty(f->left, d->words))
                continue;
            error = decide(d, k, f->depth + 1, f->left, yes, maybe, err);
            if (f->is_and)
                keep_taken(d, f->left, f->maybe, yes, maybe);
            else
                add_taken(d, f->left, f->yes, f->maybe, yes, maybe);
        }
    }
    return error;
}

/* AND and OR. */
static int decide_children(struct decision *d, uint32_t i, unsigned depth, const uint64_t *rows,
                           uint64_t *yes, uint64_t *maybe, struct errbuf *err)
{
    struct family f = {i,   depth, d->asked->query->nodes[i].kind == QUERY_AND, set_of(d, depth, 0),
                       yes, maybe};
    uint64_t *unsure = set_of(d, depth, 3);

    memcpy(f.left, rows, d->words * sizeof(*rows));
    clear(d, yes);
    clear(d, maybe);
    int error = ask_children(d, &f, true, err);
    memcpy(unsure, maybe, d->words * sizeof(*maybe));
    for (size_t word = 0; f.is_and && word < d->words; word++)
        f.left[word] &= ~unsure[word];
    if (!error)
        error = ask_children(d, &f, false, err);
    for (size_t word = 0; f.is_and && word < d->words; word++) {
        yes[word] = f.left[word] & ~maybe[word];
        maybe[word] |= unsure[word];
    }
    return error;
}

/* Recursive, up to QUERY_DEPTH_MAX. */
static int decide(struct decision *d, uint32_t i, unsigned depth, const uint64_t *rows,
                  uint64_t *yes, uint64_t *maybe, struct errbuf *err)
{
    switch (d->asked->query->nodes[i].kind) {
    case QUERY_AND:
    case QUERY_OR:
        return decide_children(d, i, depth, rows, yes, maybe, err);
    case QUERY_NOT:
        return decide_not(d, i, depth, rows, yes, maybe, err);
    case QUERY_TEST:
        break;
    }
    return decide_test(d, i, rows, yes, maybe, err);
}

int decide_rows(struct block_reader *r, const struct asked *a, uint64_t *rows, uint64_t *maybe,
                struct decide_why *why, struct errbuf *err)
{
    struct decision d = {.reader = r, .asked = a, .words = ROW_SET_WORDS(block_rows(r))};
    size_t sets = 1 + SETS_OF_NODE * (size_t)a->depth;

    *why = (struct decide_why){0};
    uint64_t *memory = try_malloc(sets * d.words * sizeof(*memory));
    if (!memory)
        return errbuf_fail(err, LM_ENOMEM, "no memory to search a block");
    d.sets = memory + d.words;
    int error = decide(&d, 0, 0, rows, memory, maybe, err);
    for (size_t word = 0; word < d.words && !error; word++)
        rows[word] = memory[word] | maybe[word];
    free(memory);
    if (error || !d.latest || !row_set_is_empty(rows, d.words))
        return error;
    why->by_dictionary = d.latest->node->field == QUERY_ATTRIBUTE;
    why->by_template = d.by_template;
    return 0;
}
