#include "access/key.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include <openssl/evp.h>
#include <zlib.h>

enum { SIGNS = 62, PREFIX_LEN = sizeof(KEY_PREFIX) - 1, LOT = 64 };

static_assert((int)KEY_TEXT_LEN == (int)PREFIX_LEN + KEY_RANDOM_LEN + KEY_CHECK_LEN,
              "the parts of a key are the key");

static const char signs[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/* CRC-32 of what stands before it, in base 62. */
static void append_check(char text[KEY_TEXT_SIZE])
{
    const size_t len = KEY_TEXT_LEN - KEY_CHECK_LEN;
    unsigned long crc = crc32(0, (const unsigned char *)text, (unsigned)len);

    for (size_t i = KEY_TEXT_LEN; i-- > len; crc /= SIGNS)
        text[i] = signs[crc % SIGNS];
    text[KEY_TEXT_LEN] = '\0';
}

static int draw(unsigned char *bytes, size_t len, struct errbuf *err)
{
    while (len > 0) {
        ssize_t n = getrandom(bytes, len, 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return errbuf_fail(err, LM_EUNAVAILABLE, "no random bytes from the system: %s",
                               strerror(errno));
        bytes += n;
        len -= (size_t)n;
    }
    return 0;
}

/* Bytes from 248 = 4 * 62 on are drawn again, so that each sign is as likely as any other. */
int key_make(char text[KEY_TEXT_SIZE], struct errbuf *err)
{
    unsigned char bytes[LOT];
    size_t at = LOT;

    memcpy(text, KEY_PREFIX, PREFIX_LEN);
    for (size_t i = PREFIX_LEN; i < PREFIX_LEN + KEY_RANDOM_LEN;) {
        if (at == LOT) {
            int error = draw(bytes, LOT, err);
            if (error)
                return error;
            at = 0;
        }

        unsigned char byte = bytes[at++];

        if (byte < 4 * SIGNS)
            text[i++] = signs[byte % SIGNS];
    }
    explicit_bzero(bytes, sizeof(bytes));
    append_check(text);
    return 0;
}

bool key_is_meant(struct slice text)
{
    return text.len > PREFIX_LEN && memcmp(text.data, KEY_PREFIX, PREFIX_LEN) == 0;
}

static bool is_sign(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool key_is_whole(struct slice text)
{
    char expected[KEY_TEXT_SIZE];

    if (text.len != KEY_TEXT_LEN || !key_is_meant(text))
        return false;
    for (size_t i = PREFIX_LEN; i < text.len; i++)
        if (!is_sign(text.data[i]))
            return false;
    memcpy(expected, text.data, KEY_TEXT_LEN);
    append_check(expected);
    return memcmp(expected, text.data, KEY_TEXT_LEN) == 0;
}

bool key_digest(struct slice text, uint8_t digest[KEY_DIGEST_BYTES])
{
    return EVP_Digest(text.data ? text.data : "", text.len, digest, NULL, EVP_sha256(), NULL) == 1;
}
