/*
 * REDIS_URL and the members of the cache's sorted set. The first byte of an input chooses which;
 * the rest is read. What was read is within its bounds; a member, written again, is the same.
 */
#include <stdlib.h>

#include "cache/redis/member.h"
#include "cache/redis/url.h"
#include "must.h"

enum { OUTPUT_MAX = 64 << 20 };

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void check_url(struct slice input)
{
    struct errbuf err = ERRBUF_INIT;
    struct redis_url u;
    char *text = strndup(input.data, input.len);

    must(text);
    if (redis_url_parse(text, &u, &err) == 0) {
        must(u.name && u.name[0]);
        must(!u.path != !u.host);
        must(u.path || (u.host[0] && strlen(u.host) < REDIS_URL_HOST_MAX));
        must(u.port <= 65535 && u.db <= REDIS_URL_DB_MAX);
        redis_url_release(&u);
    } else {
        must(err.text[0] != '\0');
    }
    free(text);
}

static void check_member(struct slice member)
{
    struct record r;
    struct buffer again;

    if (cache_member_decode(member, &r) != 0)
        return;
    buffer_init(&again, OUTPUT_MAX);
    cache_member_append(&again, &r);
    must(slice_equal(buffer_slice(&again), member));
    must(cache_member_len(&r) == member.len);
    buffer_release(&again);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    if (size == 0)
        return 0;
    struct slice input = slice_of((const char *)data + 1, size - 1);

    if (data[0] % 2 == 0)
        check_url(input);
    else
        check_member(input);
    return 0;
}
