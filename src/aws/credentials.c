#include "aws/credentials.h"

#include <stdlib.h>
#include <string.h>

#include "aws/profile.h"
#include "base/timestamp.h"
#include "base/xalloc.h"
#include "json/writer.h"

char *aws_credentials_copy(struct slice text)
{
    char *copy = xcalloc(1, text.len + 1);

    if (text.len > 0)
        memcpy(copy, text.data, text.len);
    return copy;
}

void aws_credentials_release(struct aws_credentials *c)
{
    aws_profile_free_text(c->access_key_id);
    aws_profile_free_text(c->secret_access_key);
    aws_profile_free_text(c->session_token);
    *c = (struct aws_credentials){0};
}

int aws_credentials_set_expiry(struct aws_credentials *c, struct slice text, struct errbuf *err)
{
    struct timestamp_error reason;

    if (timestamp_parse_text(text, &c->expires_us, &reason) || c->expires_us <= 0)
        return errbuf_fail(err, LM_EUNAVAILABLE, "the expiry of the credentials is no time");
    return 0;
}

int aws_credentials_from_json(struct slice text, const char *token_name, struct aws_credentials *c,
                              struct errbuf *err)
{
    yyjson_doc *doc = yyjson_read(text.data, text.len, 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    struct slice key = json_text(yyjson_obj_get(root, "AccessKeyId"));
    struct slice secret = json_text(yyjson_obj_get(root, "SecretAccessKey"));
    struct slice token = json_text(yyjson_obj_get(root, token_name));
    struct slice expiry = json_text(yyjson_obj_get(root, "Expiration"));
    int error = 0;

    if (key.len == 0 || secret.len == 0) {
        /* Why there are none; the services use both spellings. */
        struct slice code = json_text(yyjson_obj_get(root, "Code"));

        if (code.len == 0)
            code = json_text(yyjson_obj_get(root, "code"));
        error = errbuf_fail(err, LM_EUNAVAILABLE, "the answer holds no credentials%s%.*s",
                            code.len > 0 ? ": " : "", SLICE_ARG(code));
    } else if (expiry.len > 0) {
        error = aws_credentials_set_expiry(c, expiry, err);
    }
    if (!error) {
        c->access_key_id = aws_credentials_copy(key);
        c->secret_access_key = aws_credentials_copy(secret);
        c->session_token = token.len > 0 ? aws_credentials_copy(token) : NULL;
    }
    yyjson_doc_free(doc);
    return error;
}
