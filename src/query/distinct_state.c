#include "query/distinct_state.h"

#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/byte_order.h"
#include "json/writer.h"

enum { BYTES_MAX = 1 << 20 /* a ceiling because every buffer has one */ };

static int ascending(const void *x, const void *y)
{
    return memcmp(x, y, sizeof(uint64_t));
}

void distinct_append_state(const struct distinct *d, struct buffer *b)
{
    char hashes[DISTINCT_EXACT_MAX][sizeof(uint64_t)];
    size_t len = 0;

    if (d->registers) {
        buffer_append_string(b, "{\"registers\":\"");
        base64_append(b, slice_of((const char *)d->registers, DISTINCT_REGISTERS));
    } else {
        for (uint32_t i = 0; i < d->capacity; i++)
            if (d->hashes[i])
                (void)byte_order_put64(hashes[len++], d->hashes[i]);
        qsort(hashes, len, sizeof(hashes[0]), ascending); /* so that it says nothing of the order */
        buffer_append_string(b, "{\"hashes\":\"");
        base64_append(b, slice_of(hashes[0], len * sizeof(hashes[0])));
    }
    buffer_append_string(b, "\"}");
}

static int wrong(struct errbuf *err, const char *what)
{
    return errbuf_fail(err, LM_EINVAL, "the state of distinct values is not as it should be: %s",
                       what);
}

static int read_hashes(struct distinct *d, struct slice bytes, struct errbuf *err)
{
    int error = 0;

    if (bytes.len % sizeof(uint64_t) != 0 || bytes.len > DISTINCT_EXACT_MAX * sizeof(uint64_t))
        return wrong(err, "how many hashes there are");
    for (size_t i = 0; !error && i < bytes.len; i += sizeof(uint64_t)) {
        uint64_t hash = byte_order_get64(bytes.data + i);

        error = hash ? distinct_add(d, hash) : wrong(err, "a hash");
    }
    return error;
}

static int read_registers(struct distinct *d, struct slice bytes, struct errbuf *err)
{
    if (bytes.len != DISTINCT_REGISTERS)
        return wrong(err, "how many registers there are");
    for (size_t i = 0; i < bytes.len; i++)
        if ((unsigned char)bytes.data[i] > DISTINCT_REGISTER_MAX)
            return wrong(err, "a register");
    if (distinct_estimate(d))
        return LM_ENOMEM;
    memcpy(d->registers, bytes.data, DISTINCT_REGISTERS);
    return 0;
}

int distinct_read_state(struct distinct *d, yyjson_val *value, struct errbuf *err)
{
    yyjson_val *registers = yyjson_obj_get(value, "registers");
    yyjson_val *text = registers ? registers : yyjson_obj_get(value, "hashes");
    struct buffer bytes;
    int error;

    if (!yyjson_is_str(text))
        return wrong(err, "neither hashes nor registers");
    buffer_init(&bytes, BYTES_MAX);
    error = base64_append_decoded(&bytes, json_text(text));
    if (!error)
        error = buffer_error(&bytes);
    if (error && error != LM_ENOMEM)
        error = wrong(err, "what is no base64");
    if (!error)
        error = registers ? read_registers(d, buffer_slice(&bytes), err)
                          : read_hashes(d, buffer_slice(&bytes), err);
    buffer_release(&bytes);
    return error;
}
