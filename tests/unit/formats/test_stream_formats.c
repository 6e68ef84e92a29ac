/* What formats/stream.h asks of all formats of streams. */
#include <string.h>

#include "../cmocka_all.h"
#include "formats/fluent.h"
#include "formats/gelf.h"
#include "formats/syslog_frames.h"
#include "stream_run.h"

/* A message that goes on and on, and a byte that would end it, or make it wrong, if it were seen.
 */
struct endless {
    const struct stream_format *format;
    struct slice begin;
    char filler, spoiler;
};

static const struct endless endless[] = {
    {&gelf_stream, SLICE_LITERAL("{\"short_message\":\""), 'a', '\0'},
    {&syslog_stream, SLICE_LITERAL("<13>1 - - - - - - "), 'a', '\0'},
    {&syslog_stream, SLICE_LITERAL("60000 <13>1 - - - - - - "), 'a', '\0'},
    {&syslog_stream, SLICE_LITERAL("no head "), 'a', '\n'},
    {&fluent_forward, SLICE_LITERAL("\x93\xa1t\x01\xdc\xff\xff"), '\x01', '\xc1'},
};

/* Else each byte of a client that sends one at a time would cost a look at all before it. */
static void bytes_that_are_not_used_are_looked_at_once(void **state)
{
    for (size_t i = 0; i < sizeof(endless) / sizeof(*endless); i++) {
        const struct endless *e = &endless[i];
        struct stream_run run;
        char fillers[1000];

        memset(fillers, e->filler, sizeof(fillers));
        stream_run_begin(&run, e->format, NULL);
        stream_run_feed(&run, e->begin);
        stream_run_feed(&run, slice_of(fillers, sizeof(fillers)));
        run.unused.data[run.unused.len / 2] = e->spoiler;
        stream_run_feed(&run, slice_of(fillers, 1));
        assert_int_equal(run.unused.len, e->begin.len + sizeof(fillers) + 1);
        assert_int_equal(run.counts.records + run.counts.refused, 0);
        assert_false(run.out.ends);
        stream_run_end(&run);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_that_are_not_used_are_looked_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
