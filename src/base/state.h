/*
 * States as an enum with a table of allowed moves:
 *
 *   enum door { DOOR_CLOSED, DOOR_OPEN, DOOR_LOCKED, DOOR_STATES };
 *   static const state_moves door_moves[DOOR_STATES] = {
 *       [DOOR_CLOSED] = STATE(DOOR_OPEN) | STATE(DOOR_LOCKED),
 *       [DOOR_OPEN] = STATE(DOOR_CLOSED),
 *       [DOOR_LOCKED] = STATE(DOOR_CLOSED),
 *   };
 *
 * One function of an object, foo_move, changes its state, and is also the only one that links it
 * into the list that belongs to a state. It CHECKs state_may_move, so that a move that is not in
 * the table ends a test.
 */
#ifndef LOGMILL_BASE_STATE_H
#define LOGMILL_BASE_STATE_H

#include <stdbool.h>
#include <stdint.h>

/* The states that may follow one, as a set; at most 32 states. */
typedef uint32_t state_moves;

#define STATE(state) (UINT32_C(1) << (state))

static inline bool state_may_move(const state_moves *moves, unsigned from, unsigned to)
{
    return (moves[from] & STATE(to)) != 0;
}

/* Whether `state` is in `set`: STATE(A) | STATE(B). */
static inline bool state_in(unsigned state, state_moves set)
{
    return (STATE(state) & set) != 0;
}

#endif
