/*
 * MD5 of messages: SQS tells that of what it has taken, and of what it gives. A request is signed,
 * but no answer is: what was changed on the way back, or within, is told by nothing else.
 */
#include <string.h>

#include <openssl/evp.h>

#include "queue/sqs/internal.h"
#include "json/writer.h"

enum { DIGEST_BYTES = 16 };

bool queue_sqs_md5_differs(struct slice text, yyjson_val *told)
{
    static const char digits[] = "0123456789abcdef";
    struct slice hex = json_text(told);
    unsigned char digest[EVP_MAX_MD_SIZE];
    char own[2 * DIGEST_BYTES];

    if (hex.len != sizeof(own))
        return false;
    if (EVP_Digest(text.data ? text.data : "", text.len, digest, NULL, EVP_md5(), NULL) != 1)
        return false; /* there is none where only FIPS' digests are allowed */
    for (size_t i = 0; i < DIGEST_BYTES; i++) {
        own[2 * i] = digits[digest[i] >> 4];
        own[2 * i + 1] = digits[digest[i] & 15];
    }
    return memcmp(hex.data, own, sizeof(own)) != 0;
}
