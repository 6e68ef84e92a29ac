#include "query_drawing.h"

#include "base/timestamp.h"

static void draw_us(struct buffer *b, int64_t us)
{
    if (us > TIMESTAMP_MAX_US || us < TIMESTAMP_MIN_US)
        buffer_appendf(b, "%lld", (long long)us);
    else
        timestamp_append(b, us);
}

static void draw_range(struct buffer *b, const struct query_node *node)
{
    if (node->field == QUERY_TIMESTAMP) {
        buffer_append_string(b, " from ");
        if (node->low_us != INT64_MIN)
            draw_us(b, node->low_us);
        buffer_append_string(b, " to ");
        if (node->high_us != INT64_MAX)
            draw_us(b, node->high_us);
        return;
    }
    if (node->low.data)
        buffer_appendf(b, " %s %.*s", node->low_included ? ">=" : ">", SLICE_ARG(node->low));
    if (node->high.data)
        buffer_appendf(b, " %s %.*s", node->high_included ? "<=" : "<", SLICE_ARG(node->high));
}

static void draw_test(struct buffer *b, const struct query_node *node)
{
    static const char *const fields[] = {"message", "level", "timestamp", "id", NULL, "any"};
    static const char *const tests[] = {"exists", "=",        "holds", "begins",
                                        "ends",   "contains", "regex", "pattern"};

    if (fields[node->field])
        buffer_append_string(b, fields[node->field]);
    else
        buffer_appendf(b, ".%.*s", SLICE_ARG(node->path));
    if (node->test == QUERY_RANGE) {
        draw_range(b, node);
        return;
    }
    buffer_appendf(b, " %s", tests[node->test]);
    if (node->test != QUERY_EXISTS)
        buffer_appendf(b, " <%.*s>", SLICE_ARG(node->text));
}

void query_draw(struct buffer *b, const struct query *q)
{
    static const char *const kinds[] = {"AND(", "OR(", "NOT("};
    uint32_t ends[QUERY_DEPTH_MAX];
    uint32_t firsts[QUERY_DEPTH_MAX];
    unsigned depth = 0;

    if (!q)
        buffer_append_string(b, "all");
    for (uint32_t i = 0; q && i < q->len; i++) {
        const struct query_node *node = &q->nodes[i];

        if (depth && i > firsts[depth - 1])
            buffer_append_string(b, ", ");
        if (node->kind == QUERY_TEST) {
            draw_test(b, node);
        } else {
            buffer_append_string(b, kinds[node->kind]);
            firsts[depth] = i + 1;
            ends[depth++] = node->end;
        }
        for (; depth && ends[depth - 1] == i + 1; depth--)
            buffer_append_char(b, ')');
    }
    buffer_append(b, "", 1);
}
