/*
 * Files of keys of any bytes: what is wrong is told with the number of its line, and what is
 * understood is written as a line that says the same. Nothing is read beyond the text.
 */
#include <stdlib.h>
#include <string.h>

#include "access/keys.h"
#include "must.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

enum { LINE_MAX = 1 << 20 };

static void check_line(const struct grant *g)
{
    struct buffer line;
    struct grant *again = NULL;
    struct errbuf err = ERRBUF_INIT;

    must(grant_is_name(slice_of_string(g->name)));
    buffer_init(&line, LINE_MAX);
    grant_append_line(&line, g);
    must(buffer_error(&line) == 0);
    must(memchr(line.data, '\n', line.len) == line.data + line.len - 1);
    must(grant_parse(buffer_slice(&line), &again, &err) == 0);
    must(grant_equal(g, again));
    grant_unref(again);
    buffer_release(&line);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    char *text = malloc(size ? size : 1);
    struct errbuf err = ERRBUF_INIT;
    struct slice line, rest = slice_of(text, size);
    struct grant *g;
    unsigned number = 0;
    int result;

    must(text);
    if (size)
        memcpy(text, data, size);
    while ((result = keys_file_next(&rest, &number, &line, &g, &err)) == 1) {
        must(number > 0 && line.data >= text && line.data + line.len <= text + size);
        check_line(g);
        grant_unref(g);
    }
    must(result == 0 || strncmp(err.text, "line ", 5) == 0);
    free(text);
    return 0;
}
