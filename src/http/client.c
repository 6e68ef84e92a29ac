#include "http/client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

uint64_t client_of_address(const struct sockaddr *address)
{
    uint64_t network = CLIENT_UNKNOWN;
    struct in_addr v4;

    if (address && address->sa_family == AF_INET) {
        v4 = ((const struct sockaddr_in *)address)->sin_addr;
    } else if (address && address->sa_family == AF_INET6) {
        const struct in6_addr *v6 = &((const struct sockaddr_in6 *)address)->sin6_addr;

        memcpy(&network, v6->s6_addr, sizeof(network));
        if (!IN6_IS_ADDR_V4MAPPED(v6))
            return network;
        memcpy(&v4, v6->s6_addr + 12, sizeof(v4));
    } else {
        return CLIENT_UNKNOWN;
    }
    return ntohl(v4.s_addr);
}

/* "192.0.2.1:1234", "[2001:db8::1]:1234" and "[2001:db8::1]" without what is not the address. */
static struct slice without_port(struct slice s)
{
    const char *colon = memchr(s.data, ':', s.len);
    const char *end = memchr(s.data, ']', s.len);

    if (s.data[0] == '[' && end)
        return slice_of(s.data + 1, (size_t)(end - s.data) - 1);
    if (colon && !memchr(colon + 1, ':', (size_t)(s.data + s.len - colon) - 1))
        return slice_of(s.data, (size_t)(colon - s.data));
    return s;
}

static bool parse_address(struct slice s, union address *address)
{
    char text[INET6_ADDRSTRLEN];

    *address = (union address){0};
    if (s.len == 0)
        return false;
    s = without_port(s);
    if (s.len >= sizeof(text))
        return false;
    memcpy(text, s.data, s.len);
    text[s.len] = '\0';
    address->any.sa_family = AF_INET;
    if (inet_pton(AF_INET, text, &address->v4.sin_addr) == 1)
        return true;
    address->any.sa_family = AF_INET6;
    return inet_pton(AF_INET6, text, &address->v6.sin6_addr) == 1;
}

/* Takes the last item of a list with commas between off its end. */
static struct slice take_last(struct slice *list)
{
    const char *comma = list->len > 0 ? memrchr(list->data, ',', list->len) : NULL;
    size_t before = comma ? (size_t)(comma - list->data) : 0;
    size_t skip = comma ? before + 1 : 0;
    struct slice last = slice_of(list->data + skip, list->len - skip);

    list->len = before;
    return slice_trim(last);
}

uint64_t client_of_chain(struct slice chain, const struct ranges *trusted)
{
    union address address;

    do {
        if (!parse_address(take_last(&chain), &address))
            return CLIENT_UNKNOWN;
    } while (chain.len > 0 && ranges_have(trusted, &address.any));
    return client_of_address(&address.any);
}
