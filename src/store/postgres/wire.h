/* Values as PostgreSQL sends and takes them in binary: integers in network order. */
#ifndef LOGMILL_STORE_POSTGRES_WIRE_H
#define LOGMILL_STORE_POSTGRES_WIRE_H

#include "base/byte_order.h"

/* Times are microseconds from the year 2000 on. */
#define STORE_POSTGRES_EPOCH_US INT64_C(946684800000000)

static inline char *store_postgres_wire_put_time(char *p, int64_t timestamp_us)
{
    return byte_order_put64(p, (uint64_t)(timestamp_us - STORE_POSTGRES_EPOCH_US));
}

static inline int64_t store_postgres_wire_time(const char *p)
{
    return (int64_t)byte_order_get64(p) + STORE_POSTGRES_EPOCH_US;
}

#endif
