#include "store/inspect.h"

#include <stdlib.h>

#include "store/store.h"

static int fail(struct errbuf *err)
{
    return errbuf_fail(err, LM_EINVAL, "this store cannot be looked into");
}

int store_info(struct store *s, struct store_info *info, struct errbuf *err)
{
    *info = (struct store_info){0};
    return s->ops->info ? s->ops->info(s, info, err) : fail(err);
}

void store_info_release(struct store_info *info)
{
    for (size_t i = 0; i < info->columns_len; i++) {
        free(info->columns[i].name);
        free(info->columns[i].kinds);
    }
    free(info->columns);
}

int store_verify(struct store *s, const struct store_verifier *v, struct store_verified *all,
                 struct errbuf *err)
{
    *all = (struct store_verified){0};
    return s->ops->verify ? s->ops->verify(s, v, all, err) : fail(err);
}

int store_recount(struct store *s, struct errbuf *err)
{
    return s->ops->recount ? s->ops->recount(s, err)
                           : errbuf_fail(err, LM_EINVAL, "this store keeps no counts of its own");
}
