#include "store/postgres/indexed.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "query/levels.h"
#include "query/number.h"
#include "store/postgres/predicates.h"

enum { TRIGRAM = 3 };

void store_postgres_indexed_release(struct store_postgres_indexed *x)
{
    for (int i = 0; i < STORE_POSTGRES_INDEX_KINDS; i++)
        free(x->days[i]);
    *x = (struct store_postgres_indexed){0};
}

int store_postgres_indexed_read(struct store_postgres_indexed *x, struct store_postgres_conn *c,
                                struct errbuf *err)
{
    PGresult *rows;
    int error = store_postgres_conn_exec(
        c,
        "SELECT substr(n.relname, 6, 8)::date - date '1970-01-01', substr(n.relname, 23) "
        "FROM pg_inherits AS i JOIN pg_index AS x ON x.indrelid = i.inhrelid "
        "JOIN pg_class AS n ON n.oid = x.indexrelid WHERE i.inhparent = to_regclass('logs') "
        "AND x.indisvalid AND n.relname ~ " STORE_POSTGRES_INDEX_NAMES " ORDER BY 1",
        &rows, err);

    store_postgres_indexed_release(x);
    if (error)
        return error;
    size_t n = (size_t)PQntuples(rows);
    for (int i = 0; i < STORE_POSTGRES_INDEX_KINDS; i++)
        x->days[i] = n > 0 ? xcalloc(n, sizeof(*x->days[i])) : NULL;
    for (size_t row = 0; row < n; row++) {
        char initial = PQgetvalue(rows, (int)row, 1)[0];
        int kind = initial == 'm'   ? STORE_POSTGRES_INDEX_MESSAGE
                   : initial == 'a' ? STORE_POSTGRES_INDEX_ATTRIBUTES
                                    : STORE_POSTGRES_INDEX_LEVELS;

        x->days[kind][x->len[kind]++] = strtoll(PQgetvalue(rows, (int)row, 0), NULL, 10);
    }
    PQclear(rows);
    return 0;
}

/* How many of that kind are of days up to `day`. */
static size_t count_until(const struct store_postgres_indexed *x, int kind, int64_t day)
{
    size_t low = 0, high = x->len[kind];

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (x->days[kind][middle] <= day)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool has(const struct store_postgres_indexed *x, int kind, int64_t day)
{
    size_t n = count_until(x, kind, day);

    return n > 0 && x->days[kind][n - 1] == day;
}

int64_t store_postgres_indexed_newest(const struct store_postgres_indexed *x, int64_t day)
{
    int64_t newest = INT64_MIN;

    for (int i = 0; i < STORE_POSTGRES_INDEX_LEVELS; i++) {
        size_t n = count_until(x, i, day);

        if (n > 0 && x->days[i][n - 1] > newest)
            newest = x->days[i][n - 1];
    }
    return newest;
}

/* True if the text has a trigram: there are such letters and digits in a row, whatever the locale.
 */
static bool has_trigram(struct slice text)
{
    size_t row = 0;

    for (size_t i = 0; i < text.len && row < TRIGRAM; i++) {
        char c = text.data[i];
        bool is_of_word =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

        row = is_of_word ? row + 1 : 0;
    }
    return row == TRIGRAM;
}

/* True if what predicates.c writes of it names a value: "@ == …", with no other way to match. */
static bool names_a_value(const struct query_node *node)
{
    struct number number;

    return node->test == QUERY_EQUALS && node->path.len > 0 &&
           (number_parse_string(node->text, &number) ||
            !store_postgres_predicates_may_be_no_string(node->text));
}

static bool serves(const struct store_postgres_indexed *x, const struct query *q, uint32_t i,
                   int64_t day)
{
    const struct query_node *node = &q->nodes[i];
    bool is_and = node->kind == QUERY_AND;

    if (node->kind == QUERY_TEST && node->field == QUERY_MESSAGE)
        return node->test != QUERY_EXISTS && node->test != QUERY_REGEX &&
               node->test != QUERY_PATTERN && has_trigram(node->text) &&
               has(x, STORE_POSTGRES_INDEX_MESSAGE, day);
    if (node->kind == QUERY_TEST)
        return node->field == QUERY_ATTRIBUTE && names_a_value(node) &&
               has(x, STORE_POSTGRES_INDEX_ATTRIBUTES, day);
    if (node->kind == QUERY_NOT)
        return false;
    for (uint32_t k = i + 1; k < node->end; k = q->nodes[k].end)
        if (serves(x, q, k, day) == is_and)
            return is_and; /* one of an AND is enough, each of an OR has to */
    return !is_and;
}

bool store_postgres_indexed_serve(const struct store_postgres_indexed *x, const struct query *q,
                                  int64_t day)
{
    return q && q->len > 0 && serves(x, q, 0, day);
}

/* ---- By level ---- */

static bool is_ascii(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.data[i] >= 0x80)
            return false;
    return true;
}

/* True if no log has it whose level is below "warning", by one of its names. */
static bool is_of_weight(const struct query_node *node)
{
    int severity;

    if (node->field != QUERY_LEVEL)
        return false;
    if (node->test == QUERY_RANGE) {
        severity = node->low.data ? level_severity(node->low) : 0;
        return severity + !node->low_included >= LEVEL_WARNING;
    }
    if (node->test != QUERY_EQUALS || !is_ascii(node->text)) /* which may fold to a name */
        return false;
    severity = level_severity(node->text);
    return severity == LEVEL_WITHOUT_SEVERITY || severity >= LEVEL_WARNING;
}

static bool is_all_of_weight(const struct query *q, uint32_t i)
{
    const struct query_node *node = &q->nodes[i];
    bool is_and = node->kind == QUERY_AND;

    if (node->kind == QUERY_TEST)
        return is_of_weight(node);
    if (node->kind == QUERY_NOT)
        return false;
    for (uint32_t k = i + 1; k < node->end; k = q->nodes[k].end)
        if (is_all_of_weight(q, k) == is_and)
            return is_and; /* one of an AND is enough, each of an OR has to */
    return !is_and;
}

bool store_postgres_indexed_by_level(const struct store_postgres_indexed *x, const struct query *q,
                                     int64_t first, int64_t last)
{
    size_t n = count_until(x, STORE_POSTGRES_INDEX_LEVELS, last);

    return n > 0 && x->days[STORE_POSTGRES_INDEX_LEVELS][n - 1] >= first && q && q->len > 0 &&
           is_all_of_weight(q, 0);
}
