#include "query/tree.h"

#include <stdlib.h>

#include "base/array.h"
#include "base/check.h"
#include "base/xalloc.h"

/* ---- Building ---- */

void query_builder_init(struct query_builder *b)
{
    *b = (struct query_builder){0};
}

void query_builder_release(struct query_builder *b)
{
    free(b->nodes);
    query_builder_init(b);
}

static void append(struct query_builder *b, const struct query_node *node)
{
    b->nodes = array_reserve(b->nodes, &b->capacity, b->len + 1, sizeof(*b->nodes));
    b->nodes[b->len] = *node;
    b->nodes[b->len].end = (uint32_t)b->len + 1;
    b->nodes[b->len].guards |= b->guards;
    b->len++;
}

/* Takes a node out; what is below it goes up to the one above. */
static void take_out(struct query_builder *b, size_t i)
{
    b->len--;
    memmove(&b->nodes[i], &b->nodes[i + 1], (b->len - i) * sizeof(*b->nodes));
    for (size_t k = i; k < b->len; k++)
        b->nodes[k].end--;
}

/* True if what begins at `i` and ends where all ends is one subtree. */
static bool is_one(const struct query_builder *b, size_t i)
{
    return i < b->len && b->nodes[i].end == b->len;
}

static void open_node(struct query_builder *b, const struct query_node *node)
{
    if (b->error)
        return;
    if (b->depth == QUERY_OPEN_MAX) {
        b->error = LM_ETOOBIG;
        return;
    }
    b->open[b->depth++] = b->len;
    append(b, node);
}

void query_builder_open(struct query_builder *b, enum query_kind kind)
{
    open_node(b, &(struct query_node){.kind = kind});
}

/* Brings the subtree at `i`, which is closed, in order with itself and the one above. */
static void settle(struct query_builder *b, size_t i)
{
    bool is_not = b->nodes[i].kind == QUERY_NOT;

    if (i + 1 == b->len || (!is_not && is_one(b, i + 1))) {
        take_out(b, i);
    } else if (is_not && b->nodes[i + 1].kind == QUERY_NOT) {
        take_out(b, i);
        take_out(b, i);
    }
    if (i == b->len || b->depth == 0)
        return;

    enum query_kind above = b->nodes[b->open[b->depth - 1]].kind;
    if (above != QUERY_NOT && b->nodes[i].kind == above)
        take_out(b, i);
}

void query_builder_close(struct query_builder *b)
{
    if (b->error)
        return;

    size_t i = b->open[--b->depth];

    b->nodes[i].end = (uint32_t)b->len;
    settle(b, i);
}

void query_builder_test(struct query_builder *b, const struct query_node *test)
{
    if (b->error)
        return;
    b->tests++;
    b->regexes += test->test == QUERY_REGEX;
    if (b->tests > QUERY_TESTS_MAX || b->regexes > QUERY_REGEX_MAX) {
        b->error = LM_ETOOBIG;
        return;
    }
    append(b, test);
    b->nodes[b->len - 1].kind = QUERY_TEST;
}

void query_builder_add(struct query_builder *b, const struct query *q)
{
    uint32_t ends[QUERY_DEPTH_MAX];
    unsigned depth = 0;

    for (uint32_t i = 0; i < q->len; i++) {
        if (q->nodes[i].kind == QUERY_TEST) {
            query_builder_test(b, &q->nodes[i]);
        } else {
            open_node(b, &q->nodes[i]);
            ends[depth++] = q->nodes[i].end;
        }
        for (; depth && ends[depth - 1] == i + 1; depth--)
            query_builder_close(b);
    }
}

void query_builder_guard(struct query_builder *b, const struct query *q)
{
    b->guards = true;
    query_builder_add(b, q);
    b->guards = false;
}

/* How deep AND, OR and NOT are within each other. */
static unsigned depth_of(const struct query_node *nodes, size_t len)
{
    uint32_t ends[QUERY_OPEN_MAX];
    unsigned depth = 0;
    unsigned deepest = 0;

    for (size_t i = 0; i < len; i++) {
        if (nodes[i].kind != QUERY_TEST) {
            ends[depth++] = nodes[i].end;
            deepest = depth > deepest ? depth : deepest;
        }
        for (; depth && ends[depth - 1] == i + 1; depth--)
            ;
    }
    return deepest;
}

static size_t text_bytes(const struct query_node *node)
{
    return node->path.len + node->text.len + node->low.len + node->high.len;
}

/* Copies a text to `*to`, which it moves past it. */
static void move_text(struct slice *text, char **to)
{
    if (!text->data)
        return;
    if (text->len)
        memcpy(*to, text->data, text->len);
    text->data = *to;
    *to += text->len;
}

static struct query *copy_of(const struct query_builder *b)
{
    size_t nodes_bytes = b->len * sizeof(*b->nodes);
    size_t texts = 0;

    for (size_t i = 0; i < b->len; i++)
        texts += text_bytes(&b->nodes[i]);

    struct query *q = try_malloc(sizeof(*q) + nodes_bytes + texts);
    if (!q)
        return NULL;
    atomic_init(&q->references, 1);
    q->len = (uint32_t)b->len;
    memcpy(q->nodes, b->nodes, nodes_bytes);

    char *to = (char *)&q->nodes[q->len];
    for (size_t i = 0; i < q->len; i++) {
        move_text(&q->nodes[i].path, &to);
        move_text(&q->nodes[i].text, &to);
        move_text(&q->nodes[i].low, &to);
        move_text(&q->nodes[i].high, &to);
    }
    return q;
}

int query_builder_finish(struct query_builder *b, struct query **q)
{
    int error = b->error;

    CHECK(error || b->depth == 0);
    *q = NULL;
    if (!error && depth_of(b->nodes, b->len) > QUERY_DEPTH_MAX)
        error = LM_ETOOBIG;
    if (!error && b->len > 0) {
        *q = copy_of(b);
        if (*q)
            CHECKED(query_check(*q));
        else
            error = LM_ENOMEM;
    }
    query_builder_release(b);
    return error;
}

/* ---- Life ---- */

struct query *query_ref(struct query *q)
{
    if (q)
        atomic_fetch_add_explicit(&q->references, 1, memory_order_relaxed);
    return q;
}

void query_unref(struct query *q)
{
    if (q && atomic_fetch_sub_explicit(&q->references, 1, memory_order_acq_rel) == 1)
        free(q);
}

/* ---- Looking at one ---- */

static bool bounds_equal(struct slice a, struct slice b)
{
    return a.data && b.data ? slice_equal(a, b) : a.data == b.data;
}

static bool nodes_equal(const struct query_node *a, const struct query_node *b)
{
    if (a->kind != b->kind || a->end != b->end || a->guards != b->guards)
        return false;
    if (a->kind != QUERY_TEST)
        return true;
    return a->field == b->field && a->test == b->test && slice_equal(a->path, b->path) &&
           slice_equal(a->text, b->text) && bounds_equal(a->low, b->low) &&
           bounds_equal(a->high, b->high) && a->low_us == b->low_us && a->high_us == b->high_us &&
           a->low_included == b->low_included && a->high_included == b->high_included;
}

bool query_equal(const struct query *a, const struct query *b)
{
    if (a == b || !a || !b)
        return a == b;
    for (uint32_t i = 0; i < a->len && i < b->len; i++)
        if (!nodes_equal(&a->nodes[i], &b->nodes[i]))
            return false;
    return a->len == b->len;
}

static void check_children(const struct query *q, uint32_t i)
{
    const struct query_node *node = &q->nodes[i];
    uint32_t children = 0;

    for (uint32_t k = i + 1; k < node->end; k = q->nodes[k].end) {
        CHECK(q->nodes[k].end > k && q->nodes[k].end <= node->end);
        CHECK(q->nodes[k].kind != node->kind);
        children++;
    }
    CHECK(node->kind == QUERY_NOT ? children == 1 : children >= 2);
}

void query_check(const struct query *q)
{
    unsigned tests = 0;

    CHECK(q->len > 0 && q->nodes[0].end == q->len);
    CHECK(depth_of(q->nodes, q->len) <= QUERY_DEPTH_MAX);
    for (uint32_t i = 0; i < q->len; i++) {
        if (q->nodes[i].kind == QUERY_TEST) {
            CHECK(q->nodes[i].end == i + 1);
            tests++;
        } else {
            check_children(q, i);
        }
    }
    CHECK(tests <= QUERY_TESTS_MAX);
}
