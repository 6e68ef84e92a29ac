/*
 * How a running process hands its open sockets to the one that takes its place, over a local socket
 * in a directory that both know:
 *
 *   new                      old
 *   HELLO what it is    ──►       the same user's (SO_PEERCRED)? Of the same roles?
 *                       ◄──  WELCOME, or REFUSED and why
 *   …makes sure that it could start…
 *   GO                  ──►       stops taking in what is new
 *                       ◄──  SOCKETS, as often as needed: descriptors; the first is their table
 *                       ◄──  HANDED and how many
 *   …starts with them…
 *   TAKEN               ──►       cannot go back any more
 *                       ◄──  YOURS; or CANCELLED: it took too long, the old one goes on
 *
 * Until TAKEN the old one can go on, and does if the connection ends; after YOURS the new one is
 * the only reader of what was handed over. If the connection ends without an answer to TAKEN, the
 * old one is dead.
 *
 * A message is HAND_OVER_MESSAGE bytes, in network order: "lmho", 16 bits: version of this
 * protocol, 16: what it is, 32: a number, and a text. Nobody is waited for beyond a time limit;
 * what is no such message ends the hand-over.
 */
#ifndef LOGMILL_NET_HAND_OVER_H
#define LOGMILL_NET_HAND_OVER_H

#include "net/given.h"

enum {
    HAND_OVER_VERSION = 1,
    HAND_OVER_MESSAGE = 512,   /* bytes */
    HAND_OVER_HELLO_MS = 1000, /* in which a peer says what it is */
};

/* ---- The old one ---- */

/*
 * Makes the socket `name` in `directory` (mode 0600), in place of one that is there, by which
 * others find this process. Returns a descriptor that is readable when somebody comes, or -1 with
 * `err` filled. Whoever calls it holds a lock that no other process of that name has.
 */
int hand_over_listen(const char *directory, const char *name, struct errbuf *err);

/* Closes that socket and takes its name away: who copies the directory of a process that has
 * stopped is to find files alone. Not after a hand-over, since it is the new one's then. */
void hand_over_leave(int listening, const char *directory, const char *name);

/*
 * Somebody has come: makes sure who, and waits until it wants the sockets, at most `limit_ms`, or
 * until `interrupt` (a descriptor) is readable. Returns a descriptor of the connection; or -1, with
 * `err` filled: nothing comes of it.
 */
int hand_over_welcome(int listening, unsigned roles, int interrupt, unsigned limit_ms,
                      struct errbuf *err);

/* Hands over all that is in `g`; descriptors of the set stay open. 0, LM_EUNAVAILABLE. */
int hand_over_send(int peer, const struct given *g, unsigned limit_ms,
                   struct errbuf *err) LM_MUST_CHECK;

/*
 * Waits until the new one has taken them, and tells it that they are its own. Returns 0; or, if it
 * will not come to that, LM_EUNAVAILABLE when the new one has ended, LM_ETIMEOUT when it has been
 * told that it came too late, and has not ended in another `limit_ms`.
 */
int hand_over_finish(int peer, unsigned limit_ms, struct errbuf *err) LM_MUST_CHECK;

/* ---- The new one ---- */

/*
 * Finds the old one. Returns a descriptor of the connection, welcomed; or LM_ENOTFOUND: nobody
 * listens there; or LM_EUNAVAILABLE with `err` filled: it refuses, or does not answer.
 */
int hand_over_ask(const char *directory, const char *name, unsigned roles, unsigned limit_ms,
                  struct errbuf *err);

/*
 * Has the old one hand over, and adds to `g` what it gives. Returns 0; LM_ENOTFOUND: it has ended
 * meanwhile, and `g` is as it was; LM_EUNAVAILABLE with `err` filled: it failed otherwise, or sent
 * what cannot be.
 */
int hand_over_receive(int peer, struct given *g, unsigned limit_ms,
                      struct errbuf *err) LM_MUST_CHECK;

/* Tells it that all is taken. Returns 0 if the sockets are ours; LM_ETIMEOUT if the old one has
 * them again. */
int hand_over_taken(int peer, unsigned limit_ms, struct errbuf *err) LM_MUST_CHECK;

#endif
