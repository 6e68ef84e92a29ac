/*
 * What a browser bears in place of a key once somebody has logged in: the text of a cookie.
 *
 *     base64 of: version (1) | the digest's first 8 bytes | nonce (12) | sealed | tag (16)
 *     sealed:    when it was made, in microseconds (8) | the key's text
 *
 * It is sealed (AES-256-GCM) by a key that is made of the digest in the file of keys, so every
 * process that has the file can open it, and nothing is kept of it anywhere: it holds across
 * restarts and behind a load balancer, and ends at once where the key is revoked. It is not made
 * of the digest alone, but holds the key: who reads the file of keys can make no session of it,
 * just as they can make no key. Who steals the cookie has neither key nor file, and what they have
 * ends after a time, which they cannot change.
 *
 * The name of the cookie has the port of Host in it, since browsers give one host's cookies to all
 * of its ports: several servers on one machine do not log each other out. Over TLS it begins with
 * __Host-, so that no other host and no page over plain HTTP can have set it.
 */
#ifndef LOGMILL_ACCESS_SESSION_H
#define LOGMILL_ACCESS_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "access/key.h"
#include "base/buffer.h"
#include "base/errbuf.h"

enum {
    SESSION_KEY_MAX = 256, /* bytes of a key by which one can log in */
    SESSION_TEXT_MAX = 4 * ((1 + KEY_BEGIN_BYTES + 12 + 8 + SESSION_KEY_MAX + 16 + 2) / 3),
    SESSION_NAME_MAX = 32,     /* bytes of a cookie's name */
    SESSION_COOKIES_MAX = 4,   /* of that name that are looked at */
    SESSION_SKEW_US = 60000000 /* so far the clock of another process may be ahead */
};

struct session {
    int64_t made_us;
    char room[SESSION_KEY_MAX];
    struct slice key; /* in `room` */
};

/*
 * Appends the text that stands for `key`, whose digest that is. Returns 0; LM_ETOOBIG: the key is
 * longer than SESSION_KEY_MAX; or LM_EUNAVAILABLE: the library cannot.
 */
int session_append(struct buffer *b, struct slice key, const uint8_t digest[KEY_DIGEST_BYTES],
                   int64_t made_us) LM_MUST_CHECK;

/* What the digest of its key begins with. False: `text` is no session. */
bool session_begin(struct slice text, uint8_t begin[KEY_BEGIN_BYTES]);

/* Opens it, if it was made of a key with this digest, and nobody has changed it. */
bool session_open(struct slice text, const uint8_t digest[KEY_DIGEST_BYTES], struct session *s);

/* The name of its cookie at `host`, the header. */
struct slice session_cookie_name(char room[SESSION_NAME_MAX], struct slice host, bool is_https);

/*
 * The value of the next cookie of that name in `*header`, which is moved behind it; data NULL:
 * there is none. There may be several: of the paths of a host, or set by its other ports.
 */
struct slice session_next_cookie(struct slice *header, struct slice name);

/* Appends the value of Set-Cookie. `max_age_s` 0: it goes away. */
void session_append_cookie(struct buffer *b, struct slice name, struct slice text,
                           uint64_t max_age_s, bool is_https);

#endif
