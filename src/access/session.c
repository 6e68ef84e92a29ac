#include "access/session.h"

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "base/base64.h"

enum { VERSION = 1, NONCE = 12, TIME = 8, TAG = 16, SEAL_KEY = 32 };
enum {
    HEAD = 1 + KEY_BEGIN_BYTES, /* bound to the rest: nobody changes it either */
    BYTES_MIN = HEAD + NONCE + TIME + 1 + TAG,
    BYTES_MAX = HEAD + NONCE + TIME + SESSION_KEY_MAX + TAG
};

/* One for each digest, of which it tells nothing. */
static bool seal_key(const uint8_t digest[KEY_DIGEST_BYTES], uint8_t key[SEAL_KEY])
{
    static const unsigned char what[] = "logmill session 1";

    return HMAC(EVP_sha256(), digest, KEY_DIGEST_BYTES, what, sizeof(what) - 1, key, NULL);
}

/* `sealed` has room for TIME + key.len bytes, and the tag. */
static bool seal(const uint8_t digest[KEY_DIGEST_BYTES], const uint8_t *head, const uint8_t *nonce,
                 const uint8_t *plain, int len, uint8_t *sealed)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    uint8_t key[SEAL_KEY];
    int n, rest;
    bool ok = ctx && seal_key(digest, key) &&
              EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, nonce) == 1 &&
              EVP_EncryptUpdate(ctx, NULL, &n, head, HEAD) == 1 &&
              EVP_EncryptUpdate(ctx, sealed, &n, plain, len) == 1 &&
              EVP_EncryptFinal_ex(ctx, sealed + n, &rest) == 1 &&
              EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG, sealed + len) == 1;

    OPENSSL_cleanse(key, sizeof(key));
    EVP_CIPHER_CTX_free(ctx);
    return ok;
}

static bool unseal(const uint8_t digest[KEY_DIGEST_BYTES], const uint8_t *head,
                   const uint8_t *nonce, uint8_t *sealed, int len, uint8_t *plain)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    uint8_t key[SEAL_KEY];
    int n, rest;
    bool ok = ctx && seal_key(digest, key) &&
              EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, nonce) == 1 &&
              EVP_DecryptUpdate(ctx, NULL, &n, head, HEAD) == 1 &&
              EVP_DecryptUpdate(ctx, plain, &n, sealed, len) == 1 &&
              EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG, sealed + len) == 1 &&
              EVP_DecryptFinal_ex(ctx, plain + n, &rest) == 1;

    OPENSSL_cleanse(key, sizeof(key));
    EVP_CIPHER_CTX_free(ctx);
    return ok;
}

int session_append(struct buffer *b, struct slice key, const uint8_t digest[KEY_DIGEST_BYTES],
                   int64_t made_us)
{
    uint8_t bytes[BYTES_MAX], plain[TIME + SESSION_KEY_MAX];
    uint8_t *nonce = bytes + HEAD;
    size_t len = TIME + key.len;

    if (key.len == 0 || key.len > SESSION_KEY_MAX)
        return LM_ETOOBIG;
    bytes[0] = VERSION;
    memcpy(bytes + 1, digest, KEY_BEGIN_BYTES);
    memcpy(plain, &made_us, TIME);
    memcpy(plain + TIME, key.data, key.len);

    bool ok = RAND_bytes(nonce, NONCE) == 1 &&
              seal(digest, bytes, nonce, plain, (int)len, bytes + HEAD + NONCE);

    OPENSSL_cleanse(plain, sizeof(plain));
    if (!ok)
        return LM_EUNAVAILABLE;
    base64_append(b, slice_of((const char *)bytes, HEAD + NONCE + len + TAG));
    return buffer_error(b);
}

/* Its bytes; 0: it is none. */
static size_t decode(struct slice text, uint8_t bytes[BYTES_MAX])
{
    struct buffer b;

    if (text.len > SESSION_TEXT_MAX)
        return 0;
    buffer_init_over(&b, (char *)bytes, BYTES_MAX);
    if (base64_append_decoded(&b, text) || buffer_error(&b) || b.len < BYTES_MIN ||
        bytes[0] != VERSION)
        return 0;
    return b.len;
}

bool session_begin(struct slice text, uint8_t begin[KEY_BEGIN_BYTES])
{
    uint8_t bytes[BYTES_MAX];

    if (decode(text, bytes) == 0)
        return false;
    memcpy(begin, bytes + 1, KEY_BEGIN_BYTES);
    return true;
}

bool session_open(struct slice text, const uint8_t digest[KEY_DIGEST_BYTES], struct session *s)
{
    uint8_t bytes[BYTES_MAX], plain[TIME + SESSION_KEY_MAX], of_key[KEY_DIGEST_BYTES];
    size_t len = decode(text, bytes);

    if (len == 0)
        return false;
    len -= HEAD + NONCE + TAG;

    bool ok = unseal(digest, bytes, bytes + HEAD, bytes + HEAD + NONCE, (int)len, plain);

    if (ok) {
        memcpy(&s->made_us, plain, TIME);
        s->key = slice_of(s->room, len - TIME);
        memcpy(s->room, plain + TIME, s->key.len);
        /* Who has only the file could have sealed something: not the key. */
        ok = key_digest(s->key, of_key) && CRYPTO_memcmp(of_key, digest, KEY_DIGEST_BYTES) == 0;
    }
    OPENSSL_cleanse(plain, sizeof(plain));
    return ok;
}

/* ---- The cookie ---- */

struct slice session_cookie_name(char room[SESSION_NAME_MAX], struct slice host, bool is_https)
{
    static const struct slice names[] = {{"logmill", 7}, {"__Host-logmill", 14}};
    struct slice port = host;
    struct buffer b;

    buffer_init_over(&b, room, SESSION_NAME_MAX);
    buffer_append_slice(&b, names[is_https]);
    while (port.len > 0 && port.data[port.len - 1] >= '0' && port.data[port.len - 1] <= '9')
        port.len--;

    struct slice digits = slice_of(host.data + port.len, host.len - port.len);

    if (port.len > 0 && port.data[port.len - 1] == ':' && digits.len > 0 && digits.len <= 5) {
        buffer_append_char(&b, '-');
        buffer_append_slice(&b, digits);
    }
    return buffer_slice(&b);
}

struct slice session_next_cookie(struct slice *header, struct slice name)
{
    while (header->len > 0) {
        struct slice value = slice_trim(slice_cut(header, ';'));

        if (slice_equal(slice_cut(&value, '='), name))
            return value.data ? value : slice_of("", 0);
    }
    return slice_of(NULL, 0);
}

void session_append_cookie(struct buffer *b, struct slice name, struct slice text,
                           uint64_t max_age_s, bool is_https)
{
    buffer_append_slice(b, name);
    buffer_append_char(b, '=');
    buffer_append_slice(b, text);
    buffer_append_string(b, "; Path=/; Max-Age=");
    buffer_append_u64(b, max_age_s);
    buffer_append_string(b, "; HttpOnly; SameSite=Strict");
    if (is_https)
        buffer_append_string(b, "; Secure");
}
