/*
 * MD5 of messages: SQS tells that of what it has taken, and of what it gives. A request is signed,
 * but no answer is: what was changed on the way back, or within, is told by nothing else. Nor is
 * who has answered, which may be a proxy or a wrong server: SQS names the message that it has
 * taken.
 */
#include <string.h>

#include <openssl/evp.h>

#include "diag/diag.h"
#include "queue/sqs/internal.h"
#include "json/writer.h"

enum { DIGEST_BYTES = 16 };

/* True if `told`, an MD5 in hexadecimal digits, is another's than `text`'s; false if none is told.
 */
static bool md5_differs(struct slice text, yyjson_val *told)
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

int queue_sqs_check_sent(struct slice text, yyjson_doc *answer, struct errbuf *err)
{
    yyjson_val *root = yyjson_doc_get_root(answer);

    if (json_text(yyjson_obj_get(root, "MessageId")).len == 0)
        return errbuf_fail(err, LM_EUNAVAILABLE,
                           "SQS SendMessage: the answer names no message, so it is not of SQS");
    if (md5_differs(text, yyjson_obj_get(root, "MD5OfMessageBody")))
        return errbuf_fail(err, LM_EUNAVAILABLE,
                           "SQS SendMessage: the message was damaged on its way");
    return 0;
}

bool queue_sqs_came_whole(yyjson_val *message)
{
    struct slice id = json_text(yyjson_obj_get(message, "MessageId"));

    if (!md5_differs(json_text(yyjson_obj_get(message, "Body")),
                     yyjson_obj_get(message, "MD5OfBody")))
        return true;
    diag(DIAG_WARN, "a message came damaged from SQS", DIAG_STR("message", id.data ? id.data : ""));
    return false;
}
