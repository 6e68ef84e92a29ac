#include "kept_records.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../cmocka_all.h"

static struct slice copy(struct slice s)
{
    char *data = malloc(s.len + 1);

    assert_non_null(data);
    if (s.len)
        memcpy(data, s.data, s.len);
    data[s.len] = '\0';
    return slice_of(data, s.len);
}

int kept_sink(const struct record *r, void *ctx)
{
    struct kept *k = ctx;

    if (k->fail_at == (int)k->records_len)
        return LM_EFULL;
    assert_true(k->records_len < KEPT_MAX);
    k->records[k->records_len++] = (struct record){
        .key = r->key,
        .level = copy(r->level),
        .message = copy(r->message),
        .attributes = copy(r->attributes),
    };
    return 0;
}

int kept_reject(struct slice item, const char *reason, void *ctx)
{
    struct kept *k = ctx;
    size_t size = item.len + strlen(reason) + 3;

    assert_true(k->rejects_len < KEPT_MAX);
    char *text = malloc(size);
    assert_non_null(text);
    snprintf(text, size, "%.*s: %s", SLICE_ARG(item), reason);
    k->rejects[k->rejects_len++] = text;
    return 0;
}

void kept_forget(struct kept *k)
{
    for (size_t i = 0; i < k->records_len; i++) {
        free((char *)k->records[i].level.data);
        free((char *)k->records[i].message.data);
        free((char *)k->records[i].attributes.data);
    }
    for (size_t i = 0; i < k->rejects_len; i++)
        free(k->rejects[i]);
    *k = (struct kept){.fail_at = -1};
}
