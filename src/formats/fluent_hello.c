#include "formats/fluent_hello.h"

#include <stdlib.h>
#include <sys/random.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

enum {
    DIGEST_LEN = 64, /* of SHA-512 */
    HEX_LEN = 2 * DIGEST_LEN,
    PING_COUNT = 6,
    PING_COUNT_MIN = 4, /* with what is looked at */
};

void fluent_hello_begin(char nonce[FLUENT_NONCE_LEN], struct buffer *reply)
{
    if (getrandom(nonce, FLUENT_NONCE_LEN, 0) != FLUENT_NONCE_LEN)
        abort(); /* Linux gives so few at once */
    msgpack_append_array(reply, 2);
    msgpack_append_text(reply, SLICE_LITERAL("HELO"));
    msgpack_append_map(reply, 3);
    msgpack_append_text(reply, SLICE_LITERAL("nonce"));
    msgpack_append_bytes(reply, slice_of(nonce, FLUENT_NONCE_LEN));
    msgpack_append_text(reply, SLICE_LITERAL("auth"));
    msgpack_append_text(reply, SLICE_LITERAL("")); /* no user is asked for */
    msgpack_append_text(reply, SLICE_LITERAL("keepalive"));
    msgpack_append_bool(reply, true);
}

/* The digest of these four. Returns 0 or LM_ENOMEM. */
static int digest_of(const struct slice parts[4], char hex[HEX_LEN])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char digest[DIGEST_LEN];
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    bool good = hash && EVP_DigestInit_ex(hash, EVP_sha512(), NULL) == 1;

    for (size_t i = 0; good && i < 4; i++)
        good = EVP_DigestUpdate(hash, parts[i].data, parts[i].len) == 1;
    good = good && EVP_DigestFinal_ex(hash, digest, NULL) == 1;
    EVP_MD_CTX_free(hash);
    if (!good)
        return LM_ENOMEM;
    for (size_t i = 0; i < DIGEST_LEN; i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 0x0f];
    }
    return 0;
}

struct ping {
    struct slice hostname, salt, digest;
};

static bool next_text(struct msgpack *p, struct slice *text)
{
    struct msgpack_value v;

    if (!msgpack_next(p, &v) || !msgpack_is_text(&v))
        return false;
    *text = v.bytes;
    return true;
}

static bool read_ping(struct slice message, struct ping *ping)
{
    struct msgpack p = msgpack_of(message);
    struct msgpack_value v;
    struct slice name;

    return msgpack_next(&p, &v) && v.type == MSGPACK_ARRAY && v.count >= PING_COUNT_MIN &&
           v.count <= PING_COUNT && next_text(&p, &name) &&
           slice_equal(name, SLICE_LITERAL("PING")) && next_text(&p, &ping->hostname) &&
           next_text(&p, &ping->salt) && next_text(&p, &ping->digest);
}

static void append_pong(struct buffer *reply, bool good, struct slice reason, struct slice hostname,
                        struct slice digest)
{
    msgpack_append_array(reply, 5);
    msgpack_append_text(reply, SLICE_LITERAL("PONG"));
    msgpack_append_bool(reply, good);
    msgpack_append_text(reply, reason);
    msgpack_append_text(reply, hostname);
    msgpack_append_text(reply, digest);
}

static int refuse(struct buffer *reply, struct errbuf *why, const char *reason)
{
    struct slice nothing = SLICE_LITERAL("");

    append_pong(reply, false, slice_of_string(reason), nothing, nothing);
    return errbuf_fail(why, LM_EINVAL, "%s", reason);
}

int fluent_hello_answer(const struct stream_setup *setup, const char nonce[FLUENT_NONCE_LEN],
                        struct slice message, struct buffer *reply, struct errbuf *why)
{
    struct slice key = slice_of_string(setup->shared_key);
    struct slice own = slice_of_string(setup->hostname ? setup->hostname : "");
    struct slice once = slice_of(nonce, FLUENT_NONCE_LEN);
    struct ping ping;
    char hex[HEX_LEN];

    if (!read_ping(message, &ping))
        return refuse(reply, why,
                      "a shared key is asked for (FLUENT_SHARED_KEY): PING comes first");
    int error = digest_of((struct slice[]){ping.salt, ping.hostname, once, key}, hex);
    if (error)
        return error;
    if (ping.digest.len != HEX_LEN || CRYPTO_memcmp(ping.digest.data, hex, HEX_LEN) != 0)
        return refuse(reply, why, "the shared key is another one (FLUENT_SHARED_KEY)");
    if (slice_equal(ping.hostname, own)) /* on one machine: fluentd takes that for a mistake */
        own = SLICE_LITERAL("logmill");
    error = digest_of((struct slice[]){ping.salt, own, once, key}, hex);
    if (!error)
        append_pong(reply, true, SLICE_LITERAL(""), own, slice_of(hex, HEX_LEN));
    return error;
}
