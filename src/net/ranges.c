#include "net/ranges.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

enum { V4_OFFSET = 12, V4_BITS = 96 }; /* of an IPv4 address within the IPv6 one that maps it */

static void map_v4(uint8_t address[16], const void *v4)
{
    memset(address, 0, V4_OFFSET - 2);
    memset(address + V4_OFFSET - 2, 0xff, 2);
    memcpy(address + V4_OFFSET, v4, 4);
}

/* Reads "10.0.0.0/8" or "::1" of `text`, which is changed. */
static bool parse_one(struct range *r, char *text)
{
    char *slash = strchr(text, '/');
    uint8_t v4[4];
    unsigned most = 128, first = 0;

    if (slash)
        *slash = '\0';
    if (inet_pton(AF_INET, text, v4) == 1) {
        map_v4(r->address, v4);
        first = V4_BITS;
        most = 32;
    } else if (inet_pton(AF_INET6, text, r->address) != 1) {
        return false;
    }
    r->bits = first + most;
    if (slash) {
        char *end;
        unsigned long bits = strtoul(slash + 1, &end, 10);

        if (slash[1] < '0' || slash[1] > '9' || *end || bits > most)
            return false;
        r->bits = first + (unsigned)bits;
    }
    return true;
}

int ranges_parse(struct ranges *r, const char *text, struct errbuf *err)
{
    r->len = 0;
    if (strcmp(text, "none") == 0)
        return 0;
    for (;;) {
        char one[INET6_ADDRSTRLEN + sizeof("/128")];
        size_t len;

        text += strspn(text, ", ");
        len = strcspn(text, ", ");
        if (len == 0)
            return 0;
        if (r->len == RANGES_MAX)
            return errbuf_fail(err, LM_ETOOBIG, "more than %d addresses", RANGES_MAX);
        if (len < sizeof(one)) {
            memcpy(one, text, len);
            one[len] = '\0';
        }
        if (len >= sizeof(one) || !parse_one(&r->ranges[r->len], one))
            return errbuf_fail(err, LM_EINVAL,
                               "\"%.*s\" is neither an address nor a range such as 10.0.0.0/8 (or "
                               "none, alone)",
                               (int)len, text);
        r->len++;
        text += len;
    }
}

static bool is_in(const struct range *r, const uint8_t address[16])
{
    unsigned bytes = r->bits / 8, rest = r->bits % 8;

    if (memcmp(r->address, address, bytes) != 0)
        return false;
    return rest == 0 || (r->address[bytes] ^ address[bytes]) >> (8 - rest) == 0;
}

bool ranges_have(const struct ranges *r, const struct sockaddr *address)
{
    uint8_t bytes[16];

    if (address->sa_family == AF_INET)
        map_v4(bytes, &((const struct sockaddr_in *)address)->sin_addr);
    else if (address->sa_family == AF_INET6)
        memcpy(bytes, &((const struct sockaddr_in6 *)address)->sin6_addr, sizeof(bytes));
    else
        return false;
    for (size_t i = 0; i < r->len; i++)
        if (is_in(&r->ranges[i], bytes))
            return true;
    return false;
}
