#include "listen/addresses.h"

#include <string.h>

#include "base/int_parse.h"
#include "base/slice.h"

static const char *allowed(bool tcp_only)
{
    return tcp_only ? "tcp://HOST:PORT and tls://HOST:PORT, with commas between"
                    : "udp://HOST:PORT, tcp://HOST:PORT and tls://HOST:PORT, with commas between";
}

static struct slice trim(struct slice text)
{
    while (text.len && (text.data[0] == ' ' || text.data[0] == '\t'))
        text = slice_of(text.data + 1, text.len - 1);
    while (text.len && (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\t'))
        text.len--;
    return text;
}

static bool skip(struct slice *text, struct slice prefix)
{
    if (text->len < prefix.len || !slice_equal(slice_of(text->data, prefix.len), prefix))
        return false;
    *text = slice_of(text->data + prefix.len, text->len - prefix.len);
    return true;
}

/* "HOST:PORT" or "[HOST]:PORT". False if it is neither. */
static bool read_place(struct slice text, struct address *a)
{
    const char *colon = text.len ? memrchr(text.data, ':', text.len) : NULL;
    unsigned long port = 0;

    if (!colon)
        return false;

    struct slice host = slice_of(text.data, (size_t)(colon - text.data));
    const char *digits = colon + 1, *end = text.data + text.len;

    if (digits == end || end - digits > 5)
        return false;
    for (; digits < end; digits++) {
        if (*digits < '0' || *digits > '9')
            return false;
        port = port * 10 + (unsigned long)(*digits - '0');
    }
    if (host.len >= 2 && host.data[0] == '[' && host.data[host.len - 1] == ']')
        host = slice_of(host.data + 1, host.len - 2);
    else if (host.len && memchr(host.data, ':', host.len))
        return false;
    if (host.len == 0 || host.len >= ADDRESS_HOST_BYTES || port > 65535)
        return false;
    memcpy(a->host, host.data, host.len);
    a->host[host.len] = '\0';
    a->port = (unsigned)port;
    return true;
}

static int read_one(struct slice text, bool tcp_only, struct address *a, struct errbuf *err)
{
    struct slice rest = text;

    if (skip(&rest, SLICE_LITERAL("tls://")))
        a->is_tls = true;
    else if (skip(&rest, SLICE_LITERAL("udp://")))
        a->is_udp = true;
    else if (!skip(&rest, SLICE_LITERAL("tcp://")))
        return errbuf_fail(err, LM_EINVAL, "\"%.*s\" begins with no known scheme; allowed: %s",
                           (int)text.len, text.data, allowed(tcp_only));
    if (a->is_udp && tcp_only)
        return errbuf_fail(err, LM_EINVAL, "\"%.*s\": this protocol has TCP alone; allowed: %s",
                           (int)text.len, text.data, allowed(tcp_only));
    if (!read_place(rest, a))
        return errbuf_fail(err, LM_EINVAL,
                           "\"%.*s\" has no HOST:PORT of a port from 0 to 65535 (IPv6: "
                           "[::1]:5514); allowed: %s",
                           (int)text.len, text.data, allowed(tcp_only));
    return 0;
}

int addresses_parse(struct addresses *a, const char *text, bool tcp_only, struct errbuf *err)
{
    const char *end = text + strlen(text);

    *a = (struct addresses){.len = 0};
    for (const char *begin = text; begin <= end;) {
        const char *comma = memchr(begin, ',', (size_t)(end - begin));
        const char *stop = comma ? comma : end;
        int error;

        if (a->len == ADDRESSES_MAX)
            return errbuf_fail(err, LM_EINVAL, "more than %d addresses", ADDRESSES_MAX);
        error = read_one(trim(slice_of(begin, (size_t)(stop - begin))), tcp_only, &a->list[a->len],
                         err);
        if (error)
            return error;
        a->len++;
        begin = stop + 1;
    }
    return 0;
}

bool addresses_have_tls(const struct addresses *a)
{
    for (size_t i = 0; i < a->len; i++) {
        if (a->list[i].is_tls)
            return true;
    }
    return false;
}
