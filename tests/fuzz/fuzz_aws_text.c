/*
 * Texts that come from AWS or its files. The first byte of an input chooses which: the shared
 * config, a service's error, or credentials as JSON; the rest is read.
 */

#include "aws/credentials.h"
#include "aws/error.h"
#include "aws/ini.h"
#include "base/text.h"
#include "must.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void must_be_within(struct slice view, struct slice text)
{
    if (view.len == 0)
        return;
    must(view.data >= text.data && view.data + view.len <= text.data + text.len);
    must(!memchr(view.data, '\n', view.len));
}

/* `ctx` is the whole text. */
static void check_item(const struct aws_ini_item *item, void *ctx)
{
    const struct slice *text = ctx;

    must_be_within(item->section, *text);
    must_be_within(item->key, *text);
    must_be_within(item->value, *text);
}

static void check_error(struct slice body)
{
    static const long statuses[] = {400, 403, 404, 413, 429, 500, 503};

    for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++) {
        struct errbuf text = ERRBUF_INIT;
        struct aws_error e;
        aws_error_read(&e, statuses[i], body, &text);
        must(memchr(e.type, '\0', sizeof(e.type)));
        must(text.text[0] != '\0' && !strchr(text.text, '\n'));
    }
}

static void check_credentials(struct slice text)
{
    struct aws_credentials c = {.access_key_id = NULL};
    struct errbuf err = ERRBUF_INIT;

    if (aws_credentials_from_json(text, "Token", &c, &err) == 0)
        must(c.access_key_id && c.secret_access_key);
    else
        must(err.text[0] != '\0');
    aws_credentials_release(&c);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    if (size == 0)
        return 0;
    struct slice text = slice_of((const char *)data + 1, size - 1);

    if (data[0] % 3 == 0)
        aws_ini_parse(text, check_item, &text);
    else if (data[0] % 3 == 1)
        check_error(text);
    else
        check_credentials(text);
    return 0;
}
