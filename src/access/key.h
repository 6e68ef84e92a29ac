/*
 * The text of a key, as whoever asks sends it:
 *
 *     lm_ + 43 letters and digits, drawn at random (256 bits) + 6 that are their checksum
 *
 * The prefix lets people and scanners of source code know one when they see it; the checksum tells
 * a mistyped one from one that is not known, without asking anybody. Nothing keeps the text: a file
 * of keys (access/keys.h) has its SHA-256, from which, since so much of it is random, it cannot be
 * found again.
 */
#ifndef LOGMILL_ACCESS_KEY_H
#define LOGMILL_ACCESS_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/errbuf.h"
#include "base/slice.h"

#define KEY_PREFIX "lm_"

enum {
    KEY_RANDOM_LEN = 43, /* of 62 signs each: 256.03 bits */
    KEY_CHECK_LEN = 6,
    KEY_TEXT_LEN = 3 + KEY_RANDOM_LEN + KEY_CHECK_LEN,
    KEY_TEXT_SIZE = KEY_TEXT_LEN + 1,
    KEY_DIGEST_BYTES = 32,
    KEY_BEGIN_BYTES = 8, /* of a digest, by which keys_find_begun finds it */
};

/* Draws a new one: terminated. Returns 0, or LM_EUNAVAILABLE: the system has no randomness. */
int key_make(char text[KEY_TEXT_SIZE], struct errbuf *err) LM_MUST_CHECK;

/* Whether `text` has the form of a key, its checksum included. */
bool key_is_whole(struct slice text);

/* Whether it begins as a key does: it was meant as one. */
bool key_is_meant(struct slice text);

/* The SHA-256 of `text`, whatever it is. False: the library has none. */
bool key_digest(struct slice text, uint8_t digest[KEY_DIGEST_BYTES]);

#endif
