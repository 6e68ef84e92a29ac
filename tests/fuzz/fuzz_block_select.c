/*
 * Random logs as a block, and random queries: block_select against the plain matcher. An input
 * steers what the logs and queries are (tests/unit/block/random_logs.h).
 */
#include "../unit/block/select_property.h"

enum { LOGS_MAX = 60, QUERIES = 12 };

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct block_explain explain = {0};

    select_property_check(slice_of((const char *)data, size), LOGS_MAX, QUERIES, &explain);
    return 0;
}
