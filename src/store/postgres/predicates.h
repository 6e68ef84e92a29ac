/*
 * A tree as SQL. Where SQL cannot tell exactly what a test means (values by dotted paths, regular
 * expressions), it asks for what the test may take at most, or, within NOT, takes for certain: so
 * all logs that match are found, and others, which the plain matcher then leaves out.
 */
#ifndef LOGMILL_STORE_POSTGRES_PREDICATES_H
#define LOGMILL_STORE_POSTGRES_PREDICATES_H

#include "store/postgres/statement.h"

/* True if SQL says the same as the plain matcher. */
bool store_postgres_predicates_are_exact(const struct query *q);

/* True if it tells by the level alone, of which SQL says the same. */
bool store_postgres_predicates_are_of_levels(const struct query *q);

/* True if `text` may be in the text of a number, of true, false or null. */
bool store_postgres_predicates_may_be_no_string(struct slice text);

struct store_postgres_predicates_form {
    const char *collation; /* " COLLATE …" of what is compared without case, or empty */
    bool for_indexes; /* in the form that an index can serve, rather than one to be asked fast */
};

/* True if some of it has to be true of the level of each log that matches. */
bool store_postgres_predicates_name_levels(const struct query *q);

/* Appends that part of it, as " AND …" of a column `level`. */
void store_postgres_predicates_add_levels(struct store_postgres_statement *st,
                                          const struct query *q, const char *collation);

/* Appends " AND …". `q` must live until the statement has run. */
void store_postgres_predicates_add(struct store_postgres_statement *st, const struct query *q,
                                   const struct store_postgres_predicates_form *form);

#endif
