/*
 * A whole connection fed with any bytes in pieces of any size, to a socket that takes any number at
 * a time, with handlers that answer at once or later. What must hold: no fault, no leak, every
 * request answered, the byte budget given back.
 *
 * The first two bytes of the input choose the pieces and what the socket takes.
 */
#include <stddef.h>
#include <stdint.h>

#include "../unit/http/harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A small generator (xorshift), so that the same input gives the same pieces. */
static uint32_t next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct harness harness;

    if (!harness.thread)
        harness_init(&harness);
    if (size < 2)
        return 0;
    uint32_t state = 1 + data[0];
    size_t quota = data[1] < 128 ? SIZE_MAX : data[1] - 127u;
    const char *at = (const char *)data + 2;
    size_t left = size - 2;
    harness_connect(&harness);
    send_quota = quota;
    while (left > 0) {
        size_t piece = data[0] == 0 ? left : 1 + next_random(&state) % (data[0] * 4u);

        if (piece > left)
            piece = left;
        if (!harness_feed(&harness, at, piece))
            break;
        if (next_random(&state) % 4 == 0)
            harness_answer_waiting();
        at += piece;
        left -= piece;
    }
    harness_disconnect(&harness);
    if (ledger_used(&harness.ledger) != 0 || harness.thread->requests_under_way != 0 ||
        harness.thread->net.sockets_len != 0 || harness.shared.net.sockets_open != 0)
        abort();
    return 0;
}
