#include "listen/leaving.h"

#include <string.h>

#include "base/byte_order.h"

enum { VERSION = 1, HEAD_BYTES = 1 + 1 + 2 + 16 + 8 + 8 };

void stream_left_write(const struct stream_left *s, struct buffer *state)
{
    char head[HEAD_BYTES] = {VERSION, s->has_waited};
    char *at = byte_order_put16(head + 2, (uint16_t)s->session.len);

    memcpy(at, s->bits, sizeof(s->bits));
    at = byte_order_put64(at + sizeof(s->bits), s->number);
    byte_order_put64(at, (uint64_t)s->arrival_us);
    buffer_append(state, head, sizeof(head));
    buffer_append_slice(state, s->session);
    buffer_append_slice(state, s->bytes);
}

bool stream_left_read(struct stream_left *s, struct slice state, size_t session_bytes)
{
    if (state.len < HEAD_BYTES + session_bytes || state.data[0] != VERSION ||
        byte_order_get32(state.data) % 65536 != session_bytes)
        return false;
    s->has_waited = state.data[1] != 0;
    memcpy(s->bits, state.data + 4, sizeof(s->bits));
    s->number = byte_order_get64(state.data + 20);
    s->arrival_us = (int64_t)byte_order_get64(state.data + 28);
    s->session = slice_of(state.data + HEAD_BYTES, session_bytes);
    s->bytes = slice_of(s->session.data + session_bytes, state.len - HEAD_BYTES - session_bytes);
    return true;
}
