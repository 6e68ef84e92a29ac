/* Times, ids and integers of any bytes: what is read is in range and, written, is read again. */

#include "base/int_parse.h"
#include "base/relative_time.h"
#include "base/timestamp.h"
#include "base/uuid7.h"
#include "must.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void check_time(int result, int64_t us, const struct timestamp_error *error)
{
    char text[TIMESTAMP_TEXT_LEN];
    struct timestamp_error again_error;
    int64_t again;

    if (result) {
        must(result == LM_EINVAL && error->type && memchr(error->reason, '\0', 96));
        return;
    }
    must(us >= TIMESTAMP_MIN_US && us <= TIMESTAMP_MAX_US);
    timestamp_format(us, text);
    must(timestamp_parse_text(slice_of(text, sizeof(text)), &again, &again_error) == 0);
    must(again == us);
}

static int64_t berlin(int64_t us)
{
    return us < INT64_C(1774746000000000) ? 3600 : 7200;
}

static void check_relative(struct slice text)
{
    static const int64_t moments[] = {TIMESTAMP_MIN_US, 0, INT64_C(1774787400500000),
                                      TIMESTAMP_MAX_US};

    for (size_t i = 0; i < sizeof(moments) / sizeof(*moments); i++)
        for (int local = 0; local < 2; local++) {
            int64_t us = 1;
            int result = relative_time_parse(text, moments[i], local ? berlin : NULL, &us);

            must(result == 0 || ((result == LM_EINVAL || result == LM_ETOOBIG) && us == 1));
            must(us >= TIMESTAMP_MIN_US && us <= TIMESTAMP_MAX_US);
        }
}

static void check_uuid(struct slice text)
{
    struct errbuf reason = ERRBUF_INIT;
    struct uuid id;
    struct uuid again;
    char formatted[UUID_TEXT_LEN];

    if (uuid_parse(text, &id, &reason)) {
        must(reason.text[0] != '\0');
        return;
    }
    uuid_format(&id, formatted);
    must(uuid_parse(slice_of(formatted, sizeof(formatted)), &again, &reason) == 0);
    must(memcmp(&again, &id, sizeof(id)) == 0);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct slice text = size ? slice_of((const char *)data, size) : SLICE_LITERAL("");
    struct timestamp_error error = {0};
    int64_t us = 0;
    int64_t integer;
    int result;

    result = timestamp_parse_text(text, &us, &error);
    check_time(result, us, &error);
    result = timestamp_parse_number(text, &us, &error);
    check_time(result, us, &error);
    check_relative(text);
    check_uuid(text);
    result = int_parse_lax(text, &integer);
    must(result == 0 || result == LM_EINVAL || result == LM_ETOOBIG);
    return 0;
}
