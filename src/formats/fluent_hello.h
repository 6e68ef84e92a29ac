/*
 * The handshake of Fluent's forward protocol with a shared key, from the side of the server:
 *
 *   server ── ["HELO", {"nonce": …, "auth": "", "keepalive": true}] ──────────────► client
 *          ◄── ["PING", hostname, salt, digest, user, password] ───────────────────
 *          ─── ["PONG", true, "", hostname, digest], or ["PONG", false, why, "", ""] ─►
 *
 * A digest is the SHA-512, in hexadecimal digits, of salt, hostname of who sends it, nonce and
 * shared key.
 */
#ifndef LOGMILL_FORMATS_FLUENT_HELLO_H
#define LOGMILL_FORMATS_FLUENT_HELLO_H

#include "base/buffer.h"
#include "base/errbuf.h"
#include "formats/msgpack.h"
#include "formats/stream.h"

enum { FLUENT_NONCE_LEN = 16 };

/* Makes a nonce and appends a HELO. Aborts if the system has no random bits. */
void fluent_hello_begin(char nonce[FLUENT_NONCE_LEN], struct buffer *reply);

/*
 * Reads `message`, which came whole and should be a PING, and appends the PONG. Returns 0: the
 * client knows the key; LM_EINVAL: it does not, or it sent something else, as `why` says; or
 * LM_ENOMEM.
 */
int fluent_hello_answer(const struct stream_setup *setup, const char nonce[FLUENT_NONCE_LEN],
                        struct slice message, struct buffer *reply,
                        struct errbuf *why) LM_MUST_CHECK;

#endif
