/*
 * Rolls of things, each of which may be in several: a node of each roll is in the thing itself.
 * To add and to remove one takes the same time, however many there are.
 *
 *     for (struct roll_node *n = r.first; n; n = n->behind)
 *         look_at(container_of(n, struct thing, in_roll));
 *
 * It owns none of them, and whether a thing is in it is for its user to know.
 */
#ifndef LOGMILL_FOLLOW_ROLL_H
#define LOGMILL_FOLLOW_ROLL_H

struct roll_node {
    struct roll_node *before, *behind;
};

/* All zeroes: empty. */
struct roll {
    struct roll_node *first, *last;
};

void roll_append(struct roll *r, struct roll_node *n);
void roll_prepend(struct roll *r, struct roll_node *n);
void roll_remove(struct roll *r, struct roll_node *n);

/* Removes the first one, and returns it; NULL: there is none. */
struct roll_node *roll_take(struct roll *r);

/* All of them, in a roll of their own; `r` is empty then. */
struct roll roll_take_all(struct roll *r);

#endif
