/*
 * Messages of the Model Context Protocol, and answers of the API to what they ask: whatever they
 * are, the answer is one line of JSON-RPC, and a result is not larger than it may be. The input is
 * a message, a zero byte, and the body that each read is answered with.
 */
#include <string.h>

#include "mcp/mcp.h"
#include "must.h"
#include "json/writer.h"

enum { READS_MAX = 64 };

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

/* Of one response: an error, or a result that is within its bounds. */
static void check_response(yyjson_val *response)
{
    yyjson_val *text = yyjson_ptr_get(response, "/result/content/0/text");
    yyjson_val *object = yyjson_ptr_get(response, "/result/structuredContent");

    must(yyjson_equals_str(yyjson_obj_get(response, "jsonrpc"), "2.0"));
    must(yyjson_obj_get(response, "id"));
    must(!yyjson_obj_get(response, "result") != !yyjson_obj_get(response, "error"));
    must(!object || yyjson_get_len(text) <= MCP_RESULT_MAX);
    must(!object || yyjson_is_obj(object));
}

static void check_answer(struct slice answer)
{
    yyjson_doc *doc =
        yyjson_read_opts((char *)answer.data, answer.len, YYJSON_READ_NUMBER_AS_RAW, NULL, NULL);
    yyjson_val *root = yyjson_doc_get_root(doc), *response;
    size_t i, n;

    must(root && !memchr(answer.data, '\n', answer.len));
    yyjson_arr_foreach(root, i, n, response) check_response(response);
    if (yyjson_is_obj(root))
        check_response(root);
    yyjson_doc_free(doc);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct slice input = size ? slice_of((const char *)data, size) : SLICE_LITERAL("");
    struct slice text = slice_cut(&input, '\0');
    struct mcp *m = mcp_new(text, NULL, NULL);
    const struct mcp_ask *ask;
    struct slice answer;

    for (int i = 0; (ask = mcp_next(m)); i++) {
        must(ask->target[0] == '/' && memmem(ask->target, strlen(ask->target), "?", 1));
        must(strlen(ask->target) <= 2 * MCP_TARGET_MAX);
        if (i < READS_MAX)
            mcp_take(m, i % 2 ? 422 : 200, input);
        else
            mcp_fail(m, "enough");
    }
    must(mcp_answer(m, &answer) == 0);
    if (answer.len > 0)
        check_answer(answer);
    mcp_free(m);
    return 0;
}
