#include "store/postgres/predicates.h"

#include <string.h>

#include "query/levels.h"
#include "query/number.h"
#include "query/path.h"
#include "query/pattern.h"
#include "query/regex_literals.h"
#include "json/writer.h"

enum {
    ESCAPE_GROWTH = 6, /* of a text in JSON's quotes */
    CONDITION_BYTES = 256,
};

/* What a piece of SQL is to take. */
enum bound {
    AT_MOST,  /* what matches, and maybe more */
    AT_LEAST, /* nothing but what matches */
};

struct writing {
    struct store_postgres_statement *st;
    const struct query *q;
    const char *collation;
    bool for_indexes;
};

static void sql(const struct writing *w, const char *text)
{
    store_postgres_statement_sql(w->st, text);
}

/* ---- What can be told ---- */

static bool is_one_name(struct slice path)
{
    size_t dots = 0;

    for (size_t i = 0; i < path.len; i++)
        dots += path.data[i] == '.';
    return dots == 0 || dots >= PATH_NAMES_MAX;
}

static bool is_exact(const struct query_node *node)
{
    switch (node->field) {
    case QUERY_MESSAGE:
        return node->test != QUERY_REGEX && node->test != QUERY_PATTERN;
    case QUERY_ATTRIBUTE:
        return node->test == QUERY_EXISTS && is_one_name(node->path);
    case QUERY_ANY:
        return node->test == QUERY_EXISTS;
    default:
        return true;
    }
}

bool store_postgres_predicates_are_exact(const struct query *q)
{
    for (uint32_t i = 0; i < q->len; i++)
        if (q->nodes[i].kind == QUERY_TEST && !is_exact(&q->nodes[i]))
            return false;
    return true;
}

static bool is_of_levels(const struct query *q, uint32_t i)
{
    for (uint32_t k = i; k < q->nodes[i].end; k++)
        if (q->nodes[k].kind == QUERY_TEST && q->nodes[k].field != QUERY_LEVEL)
            return false;
    return true;
}

bool store_postgres_predicates_are_of_levels(const struct query *q)
{
    return q->len == 0 || is_of_levels(q, 0);
}

/* ---- Level and message ---- */

/*
 * Letters beyond ASCII of which the small ones are within it, the only ones (the Kelvin sign, I
 * with a dot): a text without them is compared without case as fast as can be, byte by byte.
 */
static const struct {
    char ascii;
    const char *letter;
} strange_letters[] = {{'k', "\xe2\x84\xaa"}, {'i', "\xc4\xb0"}};
enum { STRANGE_LETTERS = sizeof(strange_letters) / sizeof(strange_letters[0]) };

#define BYTEWISE " COLLATE \"C\""

static bool is_ascii(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.data[i] >= 0x80)
            return false;
    return true;
}

static bool has_letter(struct slice text, char letter)
{
    return text.len > 0 &&
           (memchr(text.data, letter, text.len) || memchr(text.data, letter - 0x20, text.len));
}

/* Appends a comparison of `what` within `collation`. */
typedef void compare_fn(const struct writing *w, const char *what, const char *collation,
                        const void *with);

/*
 * The comparison with the texts, all of them ASCII or not: byte by byte if that says the same, and
 * once more for what has such letters. But an index is of one collation.
 */
static void add_comparison(const struct writing *w, const char *what, const struct slice *texts,
                           size_t n, compare_fn *compare, const void *with)
{
    bool bytewise = !w->for_indexes;

    for (size_t i = 0; i < n; i++)
        bytewise = bytewise && is_ascii(texts[i]);
    if (!bytewise) {
        compare(w, what, w->collation, with);
        return;
    }
    compare(w, what, BYTEWISE, with);
    for (size_t k = 0; k < STRANGE_LETTERS; k++) {
        bool any = false;

        for (size_t i = 0; i < n; i++)
            any = any || has_letter(texts[i], strange_letters[k].ascii);
        if (!any)
            continue;
        sql(w, " OR strpos(");
        sql(w, what);
        sql(w, ", '");
        sql(w, strange_letters[k].letter);
        sql(w, "') > 0 AND ");
        compare(w, what, w->collation, with);
    }
}

static void compare_by_ilike(const struct writing *w, const char *what, const char *collation,
                             const void *with)
{
    sql(w, what);
    sql(w, collation);
    sql(w, " ILIKE ");
    store_postgres_statement_again(w->st, *(const int *)with);
}

/* By ILIKE, which a trigram index can serve. */
static void add_ilike(const struct writing *w, const char *what, const struct query_node *node)
{
    struct buffer *b = &w->st->texts;
    size_t from = b->len;

    if (node->test != QUERY_BEGINS)
        buffer_append_char(b, '%');
    for (size_t i = 0; i < node->text.len; i++) {
        if (strchr("%_\\", node->text.data[i]))
            buffer_append_char(b, '\\');
        buffer_append_char(b, node->text.data[i]);
    }
    if (node->test != QUERY_ENDS)
        buffer_append_char(b, '%');
    int number = store_postgres_statement_value(w->st, slice_of(b->data + from, b->len - from));
    add_comparison(w, what, &node->text, 1, compare_by_ilike, &number);
}

static void add_regex(const struct writing *w, const struct query_node *node, enum bound bound)
{
    struct regex_literals l;
    struct slice literal;

    regex_literals_find(node->text, &l);
    if (bound == AT_LEAST || l.len == 0 || !l.with_case) {
        sql(w, bound == AT_MOST ? "true" : "false");
        return;
    }
    literal = store_postgres_statement_keep(w->st, l.each[0]);
    sql(w, "strpos(message, ");
    store_postgres_statement_text(w->st, literal);
    sql(w, ") > 0");
}

/* A message of the pattern has its longest piece. */
static void add_pattern(const struct writing *w, const struct query_node *node, enum bound bound)
{
    struct slice pieces[PATTERN_PIECES_MAX];

    if (bound == AT_LEAST || pattern_pieces(node->text, pieces) == 0) {
        sql(w, bound == AT_MOST ? "true" : "false");
        return;
    }
    sql(w, "strpos(message, ");
    store_postgres_statement_text(w->st, store_postgres_statement_keep(w->st, pieces[0]));
    sql(w, ") > 0");
}

static void add_message(const struct writing *w, const struct query_node *node, enum bound bound)
{
    if (node->test == QUERY_EXISTS)
        sql(w, "true");
    else if (node->test == QUERY_REGEX)
        add_regex(w, node, bound);
    else if (node->test == QUERY_PATTERN)
        add_pattern(w, node, bound);
    else
        add_ilike(w, "message", node);
}

static bool is_within(const struct query_node *node, int severity)
{
    int low = node->low.data ? level_severity(node->low) : 0;
    int high = node->high.data ? level_severity(node->high) : LEVEL_SEVERITIES;

    if (low == LEVEL_WITHOUT_SEVERITY || high == LEVEL_WITHOUT_SEVERITY)
        return false;
    return (severity > low || (severity == low && (node->low_included || !node->low.data))) &&
           (severity < high || (severity == high && node->high_included));
}

/* Values that follow each other. */
struct values {
    const struct slice *texts;
    int first, n;   /* their numbers */
    bool are_small; /* letters */
};

/*
 * Byte by byte a small text is as long as the large one: most levels are told apart by that, for
 * half the price.
 */
static void add_lengths(const struct writing *w, const char *what, const struct values *names)
{
    sql(w, "octet_length(");
    sql(w, what);
    sql(w, ") IN (");
    for (int i = 0; i < names->n; i++)
        buffer_appendf(&w->st->sql, "%s%zu", i > 0 ? ", " : "", names->texts[i].len);
    sql(w, ") AND ");
}

static void compare_by_name(const struct writing *w, const char *what, const char *collation,
                            const void *with)
{
    const struct values *names = with;

    if (strcmp(collation, BYTEWISE) == 0)
        add_lengths(w, what, names);
    sql(w, "lower(");
    sql(w, what);
    sql(w, collation);
    sql(w, ") IN (");
    for (int i = 0; i < names->n; i++) {
        sql(w, i > 0 ? ", " : "");
        sql(w, names->are_small ? "" : "lower(");
        store_postgres_statement_again(w->st, names->first + i);
        sql(w, names->are_small ? "" : collation);
        sql(w, names->are_small ? "" : ")");
    }
    sql(w, ")");
}

static void add_level_names(const struct writing *w, const struct slice *names, size_t n,
                            bool are_small)
{
    struct values values = {.texts = names, .n = (int)n, .are_small = are_small};

    for (size_t i = 0; i < n; i++) {
        int number = store_postgres_statement_value(w->st, names[i]);

        values.first = i > 0 ? values.first : number;
    }
    add_comparison(w, "level", names, n, compare_by_name, &values);
}

static void add_severities(const struct writing *w, const struct query_node *node)
{
    struct slice names[2 * LEVEL_SEVERITIES];
    size_t n = 0;

    for (int severity = 0; severity < LEVEL_SEVERITIES; severity++)
        if (is_within(node, severity))
            n += level_names(severity, names + n);
    if (n > 0)
        add_level_names(w, names, n, true);
    else
        sql(w, "false");
}

static void add_level(const struct writing *w, const struct query_node *node)
{
    struct slice other = level_other_name(node->text);

    switch (node->test) {
    case QUERY_EXISTS:
        sql(w, "true");
        break;
    case QUERY_EQUALS:
        add_level_names(w, (const struct slice[]){node->text, other}, other.data ? 2 : 1, false);
        break;
    case QUERY_RANGE:
        add_severities(w, node);
        break;
    default:
        add_ilike(w, "level", node);
    }
}

/* ---- Attributes: by a path of SQL ---- */

bool store_postgres_predicates_may_be_no_string(struct slice text)
{
    static const char *const literals[] = {"true", "false", "null"};
    size_t signs = 0;

    for (size_t i = 0; i < text.len; i++)
        signs += text.data[i] && strchr("0123456789+-.eE", text.data[i]);
    for (size_t i = 0; i < 3; i++)
        if (text.len == 0 || memmem(literals[i], strlen(literals[i]), text.data, text.len))
            return true;
    return signs == text.len;
}

static void add_equal_condition(struct buffer *b, struct slice text)
{
    struct number number;

    buffer_append_string(b, "@ == ");
    json_append_string(b, text);
    if (number_parse_string(text, &number)) {
        buffer_append_string(b, " || @ == ");
        buffer_append_slice(b, text);
    } else if (store_postgres_predicates_may_be_no_string(text)) {
        buffer_append_string(b, " || @.type() != \"string\"");
    }
}

static void add_bound_condition(struct buffer *b, const char *relation, bool included,
                                struct slice text)
{
    struct number number;

    if (!number_parse_string(text, &number))
        return; /* it is looked at by the matcher alone */
    buffer_appendf(b, " && @ %s%s ", relation, included ? "=" : "");
    buffer_append_slice(b, text);
}

/* What a value is to be, at most, as a condition of SQL's paths. */
static void add_condition(struct buffer *b, const struct query_node *node)
{
    switch (node->test) {
    case QUERY_EQUALS:
        add_equal_condition(b, node->text);
        return;
    case QUERY_RANGE:
        buffer_append_string(b, "(@.type() == \"number\"");
        add_bound_condition(b, ">", node->low_included, node->low);
        add_bound_condition(b, "<", node->high_included, node->high);
        buffer_append_string(b, ") || @ like_regex \"^-?[0-9]\"");
        return;
    case QUERY_BEGINS:
        buffer_append_string(b, "@ starts with ");
        json_append_string(b, node->text);
        break;
    case QUERY_ENDS:
    case QUERY_CONTAINS:
        buffer_append_string(b, "@ like_regex ");
        json_append_string(b, node->text);
        buffer_append_string(b, " flag \"q\"");
        break;
    default:
        buffer_append_string(b, "1 == 1");
        return;
    }
    if (store_postgres_predicates_may_be_no_string(node->text))
        buffer_append_string(b, " || @.type() != \"string\"");
}

/* The value, or one in it, at one of the names with which the path may begin. */
static void add_path(const struct writing *w, const struct query_node *node)
{
    struct buffer *b = &w->st->texts;
    size_t from = b->len;
    struct slice path = node->path;

    buffer_append_string(b, "\x01$ ? (");
    for (size_t len = 0; len <= path.len; len++) {
        if (len < path.len && (path.data[len] != '.' || is_one_name(path)))
            continue;
        buffer_append_string(b, b->len - from > 6 ? " || exists(@." : "exists(@.");
        json_append_string(b, slice_of(path.data ? path.data : "", len));
        if (node->test != QUERY_EXISTS) { /* of an empty array there is nothing to ask about */
            buffer_append_string(b, ".** ? (");
            add_condition(b, node);
            buffer_append_char(b, ')');
        }
        buffer_append_char(b, ')');
    }
    buffer_append_char(b, ')');
    sql(w, "attributes @? ");
    store_postgres_statement_path(w->st, slice_of(b->data + from, b->len - from));
}

/*
 * ->> gives a string's characters, and the text of all else; but NULL for null, of which
 * jsonb_typeof() says "null", and also the text of objects and arrays, which match nothing.
 */
static void add_plain_equality(const struct writing *w, const struct query_node *node)
{
    char name[24];

    sql(w, "COALESCE(attributes ->> ");
    store_postgres_statement_text(w->st, node->path);
    snprintf(name, sizeof(name), "$%d", w->st->len);
    sql(w, ", jsonb_typeof(attributes -> ");
    sql(w, name);
    sql(w, ")) = ");
    store_postgres_statement_text(w->st, node->text);
    sql(w, " AND jsonb_typeof(attributes -> ");
    sql(w, name);
    sql(w, ") NOT IN ('object', 'array')");
}

static void add_attribute(const struct writing *w, const struct query_node *node, enum bound bound)
{
    if (is_exact(node)) {
        sql(w, "attributes ? ");
        store_postgres_statement_text(w->st, node->path);
    } else if (bound == AT_MOST) {
        add_path(w, node);
    } else if (node->test == QUERY_EQUALS) {
        add_plain_equality(w, node);
    } else {
        sql(w, "false");
    }
}

/* ---- Anything ---- */

/* False if jsonb's text spells it in another way than by itself. */
static bool is_spelled_by_itself(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.data[i] < 0x20 || strchr("\"\\", text.data[i]))
            return false;
    return true;
}

static void add_any(const struct writing *w, const struct query_node *node, enum bound bound)
{
    if (node->test == QUERY_EXISTS) {
        sql(w, "true");
    } else if (bound == AT_LEAST) {
        add_ilike(w, "message", node);
    } else if (is_spelled_by_itself(node->text)) {
        add_ilike(w, "message", node);
        sql(w, " OR ");
        add_ilike(w, "attributes::text", node);
    } else {
        sql(w, "true");
    }
}

/* ---- The tree ---- */

/* False if no log that can be stored has it: U+0000, or bytes that are not UTF-8. */
static bool is_storable(struct slice s)
{
    return s.len == 0 || (!memchr(s.data, '\0', s.len) && utf8_valid(s));
}

static void add_time(const struct writing *w, const struct query_node *node)
{
    if (node->test == QUERY_EXISTS) {
        sql(w, "true");
        return;
    }
    sql(w, "\"timestamp\" >= ");
    store_postgres_statement_time(w->st, node->low_us);
    sql(w, " AND \"timestamp\" < ");
    store_postgres_statement_time(w->st, node->high_us);
}

static void add_id(const struct writing *w, const struct query_node *node)
{
    struct errbuf reason;
    struct uuid id;

    if (node->test == QUERY_EXISTS) {
        sql(w, "true");
    } else if (uuid_parse(node->text, &id, &reason)) {
        sql(w, "false");
    } else {
        sql(w, "id = ");
        store_postgres_statement_id(w->st, &id);
    }
}

/*
 * Without attributes, what is asked of them is NULL: as good as false, but not within NOT. (Such an
 * IS TRUE keeps indexes out.)
 */
static void add_test(const struct writing *w, const struct query_node *node, enum bound bound,
                     bool is_negated)
{
    bool may_be_null = node->field == QUERY_ATTRIBUTE || node->field == QUERY_ANY;

    sql(w, "((");
    if (!is_storable(node->path) || (node->test != QUERY_REGEX && !is_storable(node->text))) {
        sql(w, "false");
    } else {
        switch (node->field) {
        case QUERY_MESSAGE:
            add_message(w, node, bound);
            break;
        case QUERY_LEVEL:
            add_level(w, node);
            break;
        case QUERY_TIMESTAMP:
            add_time(w, node);
            break;
        case QUERY_ID:
            add_id(w, node);
            break;
        case QUERY_ATTRIBUTE:
            add_attribute(w, node, bound);
            break;
        case QUERY_ANY:
            add_any(w, node, bound);
            break;
        }
    }
    sql(w, is_negated && may_be_null ? ") IS TRUE)" : "))");
}

/* What it costs to ask it. */
enum price { OF_LEVEL, OF_MESSAGE, OF_ATTRIBUTES, PRICES };

static enum price price_of_test(const struct query_node *node)
{
    switch (node->field) {
    case QUERY_LEVEL:
    case QUERY_TIMESTAMP:
    case QUERY_ID:
        return OF_LEVEL;
    case QUERY_MESSAGE:
        return OF_MESSAGE;
    default:
        return OF_ATTRIBUTES;
    }
}

/* That of its dearest test. */
static enum price price_of(const struct query *q, uint32_t i)
{
    enum price price = OF_LEVEL;

    for (uint32_t k = i; k < q->nodes[i].end; k++)
        if (q->nodes[k].kind == QUERY_TEST && price_of_test(&q->nodes[k]) > price)
            price = price_of_test(&q->nodes[k]);
    return price;
}

static void add_node(const struct writing *w, uint32_t i, enum bound bound, bool is_negated);

/* The children of that price; returns how many there are. `add`: not only to be counted. */
static unsigned add_children(const struct writing *w, uint32_t i, enum price price,
                             enum bound bound, bool is_negated, bool add)
{
    const struct query_node *node = &w->q->nodes[i];
    unsigned n = 0;

    for (uint32_t k = i + 1; k < node->end; k = w->q->nodes[k].end) {
        if (price != PRICES && price_of(w->q, k) != price)
            continue;
        if (add && n > 0)
            sql(w, node->kind == QUERY_AND ? " AND " : " OR ");
        if (add)
            add_node(w, k, bound, is_negated);
        n++;
    }
    return n;
}

/*
 * What is cheap is asked first: to PostgreSQL an ILIKE is one call of a function, and a comparison
 * of lower(level) two, so that it would ask the other way round. An index does not serve what is
 * within CASE.
 */
static void add_and_by_price(const struct writing *w, uint32_t i, enum bound bound, bool is_negated)
{
    unsigned left = add_children(w, i, PRICES, bound, is_negated, false), open = 0;

    for (enum price price = OF_LEVEL; price < PRICES; price++) {
        unsigned n = add_children(w, i, price, bound, is_negated, false);

        if (n == 0)
            continue;
        left -= n;
        if (left > 0)
            sql(w, "CASE WHEN ");
        add_children(w, i, price, bound, is_negated, true);
        if (left > 0)
            sql(w, " THEN ");
        open += left > 0;
    }
    while (open-- > 0)
        sql(w, " ELSE false END");
}

/* Recursive, as deep as a tree may be. */
static void add_node(const struct writing *w, uint32_t i, enum bound bound, bool is_negated)
{
    const struct query_node *node = &w->q->nodes[i];

    if (node->kind == QUERY_TEST) {
        add_test(w, node, bound, is_negated);
    } else if (node->kind == QUERY_NOT) {
        sql(w, "NOT ");
        add_node(w, i + 1, bound == AT_MOST ? AT_LEAST : AT_MOST, true);
    } else {
        sql(w, "(");
        if (node->kind == QUERY_AND && !w->for_indexes)
            add_and_by_price(w, i, bound, is_negated);
        else
            add_children(w, i, PRICES, bound, is_negated, true);
        sql(w, ")");
    }
}

/* All texts that are made here: they may not move once the statement has them. */
static size_t texts_bytes(const struct query *q)
{
    size_t bytes = 0;

    for (uint32_t i = 0; i < q->len; i++) {
        const struct query_node *node = &q->nodes[i];
        size_t names = 1;

        for (size_t k = 0; k < node->path.len; k++)
            names += node->path.data[k] == '.';
        if (names > PATH_NAMES_MAX)
            names = 1;
        bytes += names * (ESCAPE_GROWTH * (node->path.len + 2 * node->text.len) + node->low.len +
                          node->high.len + CONDITION_BYTES) +
                 2 * (2 * node->text.len + 2);
    }
    return bytes;
}

void store_postgres_predicates_add(struct store_postgres_statement *st, const struct query *q,
                                   const struct store_postgres_predicates_form *form)
{
    const struct writing w = {st, q, form->collation, form->for_indexes};

    if (!buffer_reserve(&st->texts, texts_bytes(q))) {
        st->sql.error = buffer_error(&st->texts);
        return;
    }
    sql(&w, " AND ");
    add_node(&w, 0, AT_MOST, false);
}

/* ---- Levels alone ---- */

/* The next of the trees of levels that all have to be true, from `i` on; q->len: there is none. */
static uint32_t next_of_levels(const struct query *q, uint32_t i)
{
    bool is_and = q->len > 0 && q->nodes[0].kind == QUERY_AND;

    if (!is_and)
        return i == 0 && q->len > 0 && is_of_levels(q, 0) ? 0 : q->len;
    for (i = i == 0 ? 1 : i; i < q->len && !is_of_levels(q, i); i = q->nodes[i].end)
        continue;
    return i;
}

bool store_postgres_predicates_name_levels(const struct query *q)
{
    return next_of_levels(q, 0) < q->len;
}

void store_postgres_predicates_add_levels(struct store_postgres_statement *st,
                                          const struct query *q, const char *collation)
{
    const struct writing w = {st, q, collation, false};

    if (!buffer_reserve(&st->texts, texts_bytes(q))) {
        st->sql.error = buffer_error(&st->texts);
        return;
    }
    for (uint32_t i = next_of_levels(q, 0); i < q->len; i = next_of_levels(q, q->nodes[i].end)) {
        sql(&w, " AND ");
        add_node(&w, i, AT_MOST, false);
    }
}
