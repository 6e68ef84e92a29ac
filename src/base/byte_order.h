/* Integers in network order (big-endian), as files and protocols have them. */
#ifndef LOGMILL_BASE_BYTE_ORDER_H
#define LOGMILL_BASE_BYTE_ORDER_H

#include <stdint.h>

/* Each writes `value` to `p` and returns where it ends. */
static inline char *byte_order_put16(char *p, uint16_t value)
{
    p[0] = (char)(value >> 8);
    p[1] = (char)value;
    return p + 2;
}

static inline char *byte_order_put32(char *p, uint32_t value)
{
    return byte_order_put16(byte_order_put16(p, (uint16_t)(value >> 16)), (uint16_t)value);
}

static inline char *byte_order_put64(char *p, uint64_t value)
{
    return byte_order_put32(byte_order_put32(p, (uint32_t)(value >> 32)), (uint32_t)value);
}

/* Each reads from `p`, which need not be aligned. */
static inline uint32_t byte_order_get32(const char *p)
{
    const unsigned char *u = (const unsigned char *)p;

    return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}

static inline uint64_t byte_order_get64(const char *p)
{
    return (uint64_t)byte_order_get32(p) << 32 | byte_order_get32(p + 4);
}

#endif
