/* Any bytes: json_find_error finds no error exactly where yyjson reads the text. */
#include <stdlib.h>

#include <yyjson.h>

#include "base/utf8.h"
#include "json/error.h"

enum { DEPTH_MAX = 500 };

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct slice text = size ? slice_of((const char *)data, size) : SLICE_LITERAL("");
    struct json_error error = {0};
    bool found = json_find_error(text, DEPTH_MAX, &error);
    yyjson_doc *doc = yyjson_read(text.data, text.len, YYJSON_READ_NUMBER_AS_RAW);

    if (found && strcmp(error.message, "Nested too deeply") == 0)
        goto out; /* yyjson has no such limit */
    if (found != !doc || (found && error.position > text.len))
        abort();
out:
    yyjson_doc_free(doc);
    return 0;
}
