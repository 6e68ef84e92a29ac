/* The Model Context Protocol: what a message asks the API for, and what it is answered. */
#include <stdio.h>
#include <stdlib.h>

#include "../cmocka_all.h"

#include "mcp/mcp.h"
#include "json/writer.h"

#define INIT(version)                                                                              \
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":"     \
    "\"" version "\"}}"
#define CALL(name, arguments)                                                                      \
    "{\"jsonrpc\":\"2.0\",\"id\":\"c\",\"method\":\"tools/call\",\"params\":{\"name\":\"" name     \
    "\",\"arguments\":" arguments "}}"

/* A message under way, and its answer once it is read. */
struct asked {
    struct mcp *mcp;
    yyjson_doc *doc;
    yyjson_val *root;
};

static struct asked begin(const char *text, const char *version)
{
    return (struct asked){.mcp = mcp_new(slice_of_string(text), version, NULL)};
}

/* The target that it asks for next, or NULL. */
static const char *target(struct asked *a)
{
    const struct mcp_ask *ask = mcp_next(a->mcp);

    return ask ? ask->target : NULL;
}

static void finish(struct asked *a)
{
    struct slice answer;

    assert_null(mcp_next(a->mcp));
    assert_int_equal(mcp_answer(a->mcp, &answer), 0);
    assert_null(answer.len ? memchr(answer.data, '\n', answer.len) : NULL);
    a->doc = answer.len ? yyjson_read(answer.data, answer.len, 0) : NULL;
    assert_true(a->doc || answer.len == 0);
    a->root = yyjson_doc_get_root(a->doc);
}

static void end(struct asked *a)
{
    yyjson_doc_free(a->doc);
    mcp_free(a->mcp);
}

static yyjson_val *at(const struct asked *a, const char *pointer)
{
    return yyjson_ptr_get(a->root, pointer);
}

static const char *text_at(const struct asked *a, const char *pointer)
{
    const char *text = yyjson_get_str(at(a, pointer));

    return text ? text : "";
}

static void assert_error(const char *text, int code, const char *words)
{
    struct asked a = begin(text, NULL);

    finish(&a);
    assert_int_equal(yyjson_get_int(at(&a, "/error/code")), code);
    if (!strstr(text_at(&a, "/error/message"), words))
        fail_msg("%s: %s", text, text_at(&a, "/error/message"));
    assert_int_equal(mcp_is_refused(a.mcp), code == -32700 || code == -32600);
    end(&a);
}

static void assert_nothing_to_say(const char *text)
{
    struct asked a = begin(text, NULL);

    finish(&a);
    assert_null(a.root);
    assert_false(mcp_is_refused(a.mcp));
    end(&a);
}

/* A call whose arguments are wrong asks for nothing, and is told why. */
static void assert_wrong(const char *text, const char *words)
{
    struct asked a = begin(text, NULL);

    finish(&a);
    assert_true(yyjson_get_bool(at(&a, "/result/isError")));
    if (!strstr(text_at(&a, "/result/content/0/text"), words))
        fail_msg("%s: %s", text, text_at(&a, "/result/content/0/text"));
    assert_null(at(&a, "/result/structuredContent"));
    end(&a);
}

static void assert_target(const char *text, const char *wanted)
{
    struct asked a = begin(text, NULL);

    assert_string_equal(target(&a), wanted);
    mcp_fail(a.mcp, "no server");
    finish(&a);
    assert_string_equal(text_at(&a, "/result/content/0/text"), "no server");
    end(&a);
}

/* ---- The protocol ---- */

static void assert_agreed(const char *text, const char *version)
{
    struct asked a = begin(text, NULL);

    finish(&a);
    assert_string_equal(text_at(&a, "/result/protocolVersion"), version);
    assert_string_equal(mcp_agreed_version(a.mcp), version);
    assert_string_equal(text_at(&a, "/result/serverInfo/name"), "logmill");
    assert_true(yyjson_is_obj(at(&a, "/result/capabilities/tools")));
    assert_non_null(
        strstr(text_at(&a, "/result/instructions"), "patterns and counts before lines"));
    end(&a);
}

static void test_a_version_that_both_know_is_agreed_on(void **state)
{
    assert_agreed(INIT("2025-06-18"), "2025-06-18");
    assert_agreed(INIT("2025-03-26"), "2025-03-26");
    assert_agreed(INIT("2024-11-05"), "2024-11-05");
    assert_agreed(INIT("2031-01-01"), "2025-06-18");
    assert_null(mcp_version("2025-06-1", 9));
    assert_error("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\"}", -32602,
                 "protocolVersion");
}

static void test_errors_have_the_codes_of_json_rpc(void **state)
{
    assert_error("", -32700, "Parse error");
    assert_error("{\"jsonrpc\":", -32700, "at character 12");
    assert_error("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}", -32700, "Parse error");
    assert_error("7", -32600, "object");
    assert_error("{\"id\":1,\"method\":\"ping\"}", -32600, "jsonrpc");
    assert_error("{\"jsonrpc\":\"2.0\",\"id\":1}", -32600, "method");
    assert_error("{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"ping\"}", -32600, "id");
    assert_error("{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"ping\"}", -32600, "id");
    assert_error("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"resources/list\"}", -32601,
                 "Method not found: resources/list");
    assert_error("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":[]}", -32602,
                 "params");
    assert_error("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{\"cursor\":"
                 "\"x\"}}",
                 -32602, "cursor");
    assert_error("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{}}", -32602,
                 "name");
    assert_error(CALL("serach", "{}"), -32602, "Unknown tool: serach; there are ");
    assert_error(CALL("search", "[]"), -32602, "arguments");
}

static void test_an_answer_has_the_id_of_its_request(void **state)
{
    static const char *const ids[] = {"1", "-7", "\"a\\u0000b\"", "12345678901234567890123", "1.5"};

    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        char text[200], wanted[200];
        struct slice answer;

        snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":\"ping\"}", ids[i]);
        snprintf(wanted, sizeof(wanted), "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{}}", ids[i]);
        struct mcp *m = mcp_new(slice_of_string(text), NULL, NULL);
        assert_null(mcp_next(m));
        assert_int_equal(mcp_answer(m, &answer), 0);
        assert_true(slice_equal(answer, slice_of_string(wanted)));
        mcp_free(m);
    }
}

static void test_notifications_and_responses_have_no_answer(void **state)
{
    assert_nothing_to_say("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}");
    assert_nothing_to_say("{\"jsonrpc\":\"2.0\",\"method\":\"tools/call\",\"params\":7}");
    assert_nothing_to_say("{\"jsonrpc\":\"2.0\",\"id\":4,\"result\":{}}");
    assert_nothing_to_say("{\"jsonrpc\":\"2.0\",\"id\":4,\"error\":{\"code\":1}}");
    assert_nothing_to_say("[{\"jsonrpc\":\"2.0\",\"method\":\"x\"}]");
}

static void test_a_batch_is_answered_in_order_but_not_as_of_2025_06_18(void **state)
{
    static const char text[] = "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"},7," CALL(
        "count", "{}") ","
                       "{\"jsonrpc\":\"2.0\",\"method\":\"x\"}," INIT("2025-03-26") "]";
    struct asked a = begin(text, mcp_version("2025-03-26", 10));

    assert_string_equal(target(&a), "/logs/stats?top=20&by=level");
    mcp_take(a.mcp, 200, SLICE_LITERAL("{\"total\":3}"));
    finish(&a);
    assert_int_equal(yyjson_arr_size(a.root), 4);
    assert_int_equal(yyjson_get_int(at(&a, "/0/id")), 1);
    assert_int_equal(yyjson_get_int(at(&a, "/1/error/code")), -32600);
    assert_int_equal(yyjson_get_int(at(&a, "/2/result/structuredContent/total")), 3);
    assert_int_equal(yyjson_get_int(at(&a, "/3/error/code")), -32600);
    assert_false(mcp_is_refused(a.mcp));
    end(&a);

    a = begin(text, mcp_version("2025-06-18", 10));
    finish(&a);
    assert_int_equal(yyjson_get_int(at(&a, "/error/code")), -32600);
    end(&a);
    assert_error("[]", -32600, "batch");
    assert_error("[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]", -32600, "16");
}

static void test_a_batch_that_ends_early_leaves_nothing_behind(void **state)
{
    struct asked a = begin("[" CALL("count", "{}") "," CALL("top", "{\"field\":\"a\"}") "]", NULL);

    assert_non_null(target(&a));
    end(&a);
}

/* ---- Tools ---- */

static void test_each_tool_has_an_exact_schema_and_only_reads(void **state)
{
    struct asked a = begin("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}", NULL);
    yyjson_val *tool, *name, *argument;
    size_t i, n, j, m;

    finish(&a);
    assert_true(yyjson_arr_size(at(&a, "/result/tools")) >= 6);
    yyjson_arr_foreach(at(&a, "/result/tools"), i, n, tool)
    {
        yyjson_val *schema = yyjson_obj_get(tool, "inputSchema");

        assert_true(yyjson_get_len(yyjson_obj_get(tool, "description")) > 50);
        assert_true(yyjson_get_bool(yyjson_ptr_get(tool, "/annotations/readOnlyHint")));
        assert_string_equal(yyjson_get_str(yyjson_obj_get(schema, "type")), "object");
        assert_true(yyjson_is_false(yyjson_obj_get(schema, "additionalProperties")));
        assert_true(yyjson_is_arr(yyjson_obj_get(schema, "required")));
        yyjson_obj_foreach(yyjson_obj_get(schema, "properties"), j, m, name, argument)
        {
            bool is_text = yyjson_equals_str(yyjson_obj_get(argument, "type"), "string");

            assert_true(is_text || yyjson_is_int(yyjson_obj_get(argument, "maximum")));
            assert_true(!is_text || yyjson_is_int(yyjson_obj_get(argument, "maxLength")));
            assert_non_null(yyjson_obj_get(argument, "description"));
        }
    }
    end(&a);
}

static void test_arguments_become_parameters(void **state)
{
    assert_target(CALL("count", "{\"query\":\"a&b=\\\"ü\\\"\",\"since\":\"2h\",\"bucket\":60}"),
                  "/logs/stats?top=20&query=a%26b%3D%22%C3%BC%22&since=2h&bucket=60&by=level");
    assert_target(CALL("count", "{\"by\":\"service,level\",\"limit\":200,\"until\":null}"),
                  "/logs/stats?top=200&by=service%2Clevel");
    assert_target(CALL("search", "{}"), "/logs?limit=20&slice=1&bytes=262144");
    assert_target(CALL("search", "{\"cursor\":\"abc\",\"limit\":\"7\",\"text_bytes\":50}"),
                  "/logs?limit=7&slice=1&bytes=262144&cursor=abc");
    assert_target(CALL("top", "{\"field\":\"a/b %\",\"prefix\":\"x\"}"),
                  "/logs/fields/a%2Fb%20%25?top=20&prefix=x");
    assert_target(CALL("patterns", "{\"limit\":3}"), "/logs/patterns?top=3");
    assert_target(CALL("new_patterns", "{\"new_since\":\"1h\",\"since\":\"7d\"}"),
                  "/logs/patterns?top=20&new_since=1h&since=7d");
    assert_target(CALL("stats", "{\"value\":\"p95(ms)\"}"), "/logs/stats?top=20&value=p95%28ms%29");
}

static void test_a_path_is_handed_over_as_it_is_meant(void **state)
{
    struct asked a = begin(CALL("top", "{\"field\":\"a/b %\"}"), NULL);
    const struct mcp_ask *ask = mcp_next(a.mcp);

    assert_int_equal(ask->read, MCP_READ_VALUES);
    assert_true(slice_equal(ask->segment, SLICE_LITERAL("a/b %")));
    assert_true(slice_equal(ask->query, SLICE_LITERAL("top=20")));
    end(&a);
}

static void test_wrong_arguments_are_told_to_the_assistant(void **state)
{
    assert_wrong(CALL("search", "{\"rows\":3}"), "no argument rows. Allowed: query, since");
    assert_wrong(CALL("search", "{\"limitt\":3}"), "did you mean limit? Allowed: query, since");
    assert_wrong(CALL("search", "{\"limit\":0}"), "limit is not a whole number from 1 to 200");
    assert_wrong(CALL("search", "{\"limit\":201}"), "from 1 to 200, but 201");
    assert_wrong(CALL("search", "{\"limit\":1.5}"), "but 1.5");
    assert_wrong(CALL("search", "{\"limit\":\"many\"}"), "but \"many\"");
    assert_wrong(CALL("search", "{\"limit\":true}"), "but true");
    assert_wrong(CALL("search", "{\"query\":[1]}"), "but an array");
    assert_wrong(CALL("search", "{\"query\":7}"), "query is not a text");
    assert_wrong(CALL("stats", "{}"), "value is missing: ");
    assert_wrong(CALL("top", "{\"field\":\"\"}"), "field is not a text of 1 to 8192 bytes");
    assert_wrong(CALL("new_patterns", "{\"new_since\":null}"), "new_since is missing");
}

static void test_a_mistake_in_a_query_has_a_caret_below_it(void **state)
{
    struct asked a = begin(CALL("count", "{\"query\":\"ü level: x\"}"), NULL);

    assert_non_null(target(&a));
    mcp_take(
        a.mcp, 422,
        SLICE_LITERAL("{\"detail\":[{\"type\":\"query_parsing\",\"loc\":[\"query\",\"query\"],"
                      "\"msg\":\"At character 9: expected a value\",\"input\":\"ü level: x\","
                      "\"ctx\":{\"position\":8,\"offset\":9,\"length\":2}},"
                      "{\"loc\":[\"query\",\"since\"],\"msg\":\"no time\",\"input\":\"x\"}]}"));
    finish(&a);
    assert_true(yyjson_get_bool(at(&a, "/result/isError")));
    assert_string_equal(text_at(&a, "/result/content/0/text"),
                        "query: At character 9: expected a value\n"
                        "  ü level: x\n"
                        "          ^~\n"
                        "since: no time");
    end(&a);
}

static void assert_refused(unsigned status, const char *body, const char *words)
{
    struct asked a = begin(CALL("count", "{}"), NULL);

    assert_non_null(target(&a));
    mcp_take(a.mcp, status, slice_of_string(body));
    finish(&a);
    assert_true(yyjson_get_bool(at(&a, "/result/isError")));
    assert_string_equal(text_at(&a, "/result/content/0/text"), words);
    end(&a);
}

static void test_what_a_read_is_refused_for_is_told(void **state)
{
    assert_refused(503, "{\"detail\":\"too many reads wait, try again later\"}",
                   "too many reads wait, try again later");
    assert_refused(502, "<html>", "the server answered 502");
    assert_refused(401, "", "the server answered 401");
    assert_refused(200, "<html>", "the server's answer is not one of logmill");
    assert_refused(200, "[]", "the server's answer is not one of logmill");
    /* A place that is not in the text is not shown. */
    assert_refused(422, "{\"detail\":[{\"msg\":\"m\",\"input\":\"ab\",\"ctx\":{\"offset\":3}}]}",
                   "m");
}

/* ---- Results ---- */

static void append_log(struct buffer *b, unsigned n, size_t message, const char *attributes)
{
    buffer_appendf(b,
                   "{\"id\":\"01a21039-56f8-7def-8123-%012u\",\"timestamp\":"
                   "\"2026-11-25T01:02:03.000004Z\",\"level\":\"error\",\"message\":\"",
                   n);
    for (size_t i = 0; i < message; i++)
        buffer_append_char(b, 'm');
    buffer_appendf(b, "\",\"attributes\":%s}", attributes);
}

/* A page of `n` logs. */
static void take_page(struct asked *a, unsigned n, size_t message, const char *tail)
{
    struct buffer b;

    buffer_init(&b, 32 << 20);
    buffer_append_string(&b, "{\"logs\":[");
    for (unsigned i = 0; i < n; i++) {
        buffer_append_string(&b, i ? "," : "");
        append_log(&b, i, message, "{\"n\":1.50}");
    }
    buffer_append_string(&b, "],");
    buffer_append_string(&b, tail);
    buffer_append_char(&b, '}');
    mcp_take(a->mcp, 200, buffer_slice(&b));
    buffer_release(&b);
}

static void test_a_search_answers_logs_as_they_are(void **state)
{
    struct asked a = begin(CALL("search", "{\"limit\":2}"), NULL);

    assert_non_null(target(&a));
    take_page(&a, 2, 5, "\"next\":\"here\",\"searched_to\":null");
    finish(&a);
    assert_false(yyjson_get_bool(at(&a, "/result/isError")));
    assert_string_equal(text_at(&a, "/result/structuredContent/logs/1/message"), "mmmmm");
    assert_int_equal(yyjson_get_int(at(&a, "/result/structuredContent/shown")), 2);
    assert_string_equal(text_at(&a, "/result/structuredContent/next"), "here");
    assert_int_equal(yyjson_arr_size(at(&a, "/result/structuredContent/notes")), 0);
    assert_non_null(strstr(text_at(&a, "/result/content/0/text"), "\"n\":1.50"));
    end(&a);
}

static void test_the_text_says_the_same_as_the_object(void **state)
{
    struct asked a = begin(CALL("search", "{}"), NULL);

    assert_non_null(target(&a));
    take_page(&a, 3, 5, "\"next\":null,\"searched_to\":null");
    finish(&a);

    yyjson_val *text = at(&a, "/result/content/0/text");
    yyjson_doc *doc = yyjson_read(yyjson_get_str(text), yyjson_get_len(text), 0);

    assert_true(yyjson_equals(yyjson_doc_get_root(doc), at(&a, "/result/structuredContent")));
    yyjson_doc_free(doc);
    end(&a);
}

static void test_a_search_goes_on_until_it_has_enough(void **state)
{
    struct asked a = begin(CALL("search", "{\"limit\":5}"), NULL);

    assert_string_equal(target(&a), "/logs?limit=5&slice=1&bytes=262144");
    take_page(&a, 0, 0, "\"next\":\"one\",\"searched_to\":\"2026-11-25T01:02:03Z\"");
    assert_string_equal(target(&a), "/logs?limit=5&slice=1&bytes=262144&cursor=one");
    take_page(&a, 3, 1, "\"next\":\"two\",\"searched_to\":null");
    assert_string_equal(target(&a), "/logs?limit=2&slice=1&bytes=262144&cursor=two");
    take_page(&a, 2, 1, "\"next\":\"three\",\"searched_to\":null");
    finish(&a);
    assert_int_equal(yyjson_arr_size(at(&a, "/result/structuredContent/logs")), 5);
    assert_string_equal(text_at(&a, "/result/structuredContent/next"), "three");
    end(&a);
}

static void test_a_search_that_does_not_get_on_ends_and_says_so(void **state)
{
    struct asked a = begin(CALL("search", "{\"cursor\":\"one\"}"), NULL);

    assert_non_null(target(&a));
    take_page(&a, 0, 0, "\"next\":\"one\",\"searched_to\":\"2026-11-25T01:02:03Z\"");
    finish(&a);
    assert_string_equal(text_at(&a, "/result/structuredContent/next"), "one");
    assert_non_null(strstr(text_at(&a, "/result/structuredContent/notes/0"),
                           "newer than 2026-11-25T01:02:03Z"));
    end(&a);
}

static void test_long_texts_are_cut_and_say_how_much(void **state)
{
    struct asked a = begin(CALL("search", "{\"text_bytes\":50}"), NULL);

    assert_non_null(target(&a));
    take_page(&a, 1, 80, "\"next\":null,\"searched_to\":null");
    finish(&a);
    assert_string_equal(text_at(&a, "/result/structuredContent/logs/0/message"),
                        "mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm… [30 bytes more]");
    assert_non_null(strstr(text_at(&a, "/result/structuredContent/notes/0"), "1 places were cut"));
    end(&a);
}

static void test_a_result_is_bounded_and_goes_on_behind_its_last_log(void **state)
{
    struct asked a = begin(CALL("search", "{\"limit\":200}"), NULL);
    char wanted[LOG_KEY_CURSOR_LEN + 1] = "";
    struct log_key last;

    assert_non_null(target(&a));
    take_page(&a, 200, 900, "\"next\":\"after all\",\"searched_to\":null");
    finish(&a);

    size_t shown = yyjson_arr_size(at(&a, "/result/structuredContent/logs"));
    char id[64], note[100];

    assert_true(shown > 50 && shown < 70);
    assert_true(yyjson_get_len(at(&a, "/result/content/0/text")) <= MCP_RESULT_MAX);
    snprintf(note, sizeof(note), "%zu more logs had no room", 200 - shown);
    assert_non_null(strstr(text_at(&a, "/result/structuredContent/notes/0"), note));
    snprintf(id, sizeof(id), "01a21039-56f8-7def-8123-%012zu", shown - 1);
    assert_int_equal(uuid_parse(slice_of_string(id), &last.id, NULL), 0);
    last.timestamp_us = INT64_C(1795568523000004);
    log_key_format_cursor(&last, wanted);
    assert_string_equal(text_at(&a, "/result/structuredContent/next"), wanted);
    end(&a);
}

static void test_one_log_that_is_too_large_is_cut_until_it_has_room(void **state)
{
    struct asked a = begin(CALL("search", "{\"text_bytes\":16000}"), NULL);
    struct buffer b;

    assert_non_null(target(&a));
    buffer_init(&b, 1 << 20);
    buffer_append_string(&b, "{\"logs\":[{\"message\":\"");
    for (int i = 0; i < 15000; i++)
        buffer_append_string(&b, "\\u0001");
    buffer_append_string(&b, "\"}],\"next\":null,\"searched_to\":null}");
    mcp_take(a.mcp, 200, buffer_slice(&b));
    buffer_release(&b);
    finish(&a);
    assert_int_equal(yyjson_arr_size(at(&a, "/result/structuredContent/logs")), 1);
    assert_true(yyjson_get_len(at(&a, "/result/content/0/text")) <= MCP_RESULT_MAX);
    end(&a);
}

/* The answer to `around` a log that has `newer` before it, `older` behind it, of `message` bytes.
 */
static struct asked around(unsigned newer, unsigned older, size_t message)
{
    struct asked a = begin(CALL("around", "{\"id\":\"x\",\"before\":100,\"after\":100}"), NULL);
    char tail[100];

    assert_string_equal(target(&a), "/logs?around=x&before=100&after=100");
    snprintf(tail, sizeof(tail), "\"around\":%u,\"next\":\"n\",\"searched_to\":null", newer);
    take_page(&a, newer + 1 + older, message, tail);
    finish(&a);
    return a;
}

static void test_a_log_is_answered_with_its_neighbours(void **state)
{
    struct asked a = around(2, 3, 5);

    assert_int_equal(yyjson_arr_size(at(&a, "/result/structuredContent/logs")), 6);
    assert_int_equal(yyjson_get_int(at(&a, "/result/structuredContent/around")), 2);
    assert_int_equal(yyjson_arr_size(at(&a, "/result/structuredContent/notes")), 0);
    end(&a);
    a = around(0, 0, 5);
    assert_int_equal(yyjson_arr_size(at(&a, "/result/structuredContent/logs")), 1);
    end(&a);
}

static void test_of_many_neighbours_those_nearest_to_the_log_have_room(void **state)
{
    struct asked a = around(100, 100, 900);
    size_t shown = yyjson_arr_size(at(&a, "/result/structuredContent/logs"));
    size_t place = yyjson_get_uint(at(&a, "/result/structuredContent/around"));
    char pointer[60];

    assert_true(shown > 50 && shown < 70);
    assert_true(place * 2 + 1 >= shown - 1 && place * 2 + 1 <= shown + 1);
    snprintf(pointer, sizeof(pointer), "/result/structuredContent/logs/%zu/id", place);
    assert_string_equal(text_at(&a, pointer), "01a21039-56f8-7def-8123-000000000100");
    assert_true(yyjson_get_len(at(&a, "/result/content/0/text")) <= MCP_RESULT_MAX);
    assert_non_null(strstr(text_at(&a, "/result/structuredContent/notes/0"), "more logs had no"));
    end(&a);
}

static void test_a_place_that_is_not_among_the_logs_is_refused(void **state)
{
    struct asked a = begin(CALL("around", "{\"id\":\"x\"}"), NULL);

    assert_non_null(target(&a));
    take_page(&a, 2, 5, "\"around\":2");
    finish(&a);
    assert_string_equal(text_at(&a, "/result/content/0/text"),
                        "the server's answer is not one of logmill");
    end(&a);
}

static void test_a_schema_tells_of_what_time_there_are_logs_and_then_their_fields(void **state)
{
    struct asked a = begin(CALL("schema", "{\"since\":\"1h\",\"samples\":3}"), NULL);

    assert_string_equal(target(&a), "/logs/stats?slice=2&value=min(timestamp),max(timestamp)"
                                    "&since=0&since=1h&top=3");
    mcp_take(a.mcp, 200,
             SLICE_LITERAL("{\"groups\":[{\"values\":{\"min(timestamp)\":\"2026\",\"max(timestamp)"
                           "\":\"2027\"}}],\"searched_to\":null}"));
    assert_string_equal(target(&a), "/logs/fields?since=1h&top=3");
    mcp_take(a.mcp, 200, SLICE_LITERAL("{\"fields\":[{\"path\":\"ms\"}],\"searched_to\":null}"));
    finish(&a);
    assert_string_equal(text_at(&a, "/result/structuredContent/span/oldest"), "2026");
    assert_string_equal(text_at(&a, "/result/structuredContent/span/newest"), "2027");
    assert_true(yyjson_get_bool(at(&a, "/result/structuredContent/span/is_whole")));
    assert_string_equal(text_at(&a, "/result/structuredContent/fields/0/path"), "ms");
    end(&a);
}

static void test_groups_that_have_no_room_are_counted(void **state)
{
    struct asked a = begin(CALL("count", "{\"by\":\"x\",\"limit\":200}"), NULL);
    struct buffer b;

    assert_non_null(target(&a));
    buffer_init(&b, 4 << 20);
    buffer_append_string(&b, "{\"total\":9,\"state\":{\"large\":1},\"groups\":[");
    for (int i = 0; i < 1000; i++)
        buffer_appendf(&b, "%s{\"by\":{\"x\":\"%0200d\"},\"count\":3}", i ? "," : "", i);
    buffer_append_string(&b, "],\"other\":{\"count\":5},\"next\":\"n\",\"searched_to\":\"2026\"}");
    mcp_take(a.mcp, 200, buffer_slice(&b));
    buffer_release(&b);
    finish(&a);

    size_t shown = yyjson_arr_size(at(&a, "/result/structuredContent/groups"));
    char note[100];

    assert_true(shown > 200 && shown < 300);
    assert_true(yyjson_get_len(at(&a, "/result/content/0/text")) <= MCP_RESULT_MAX);
    assert_int_equal(yyjson_get_int(at(&a, "/result/structuredContent/other/count")), 5);
    assert_null(at(&a, "/result/structuredContent/state"));
    snprintf(note, sizeof(note), "%zu more of the groups", 1000 - shown);
    assert_non_null(strstr(text_at(&a, "/result/structuredContent/notes/0"), note));
    assert_non_null(strstr(text_at(&a, "/result/structuredContent/notes/1"), "newer than 2026 "));
    assert_non_null(strstr(text_at(&a, "/result/structuredContent/notes/1"), "as until"));
    end(&a);
}

static void test_an_answer_without_members_is_still_an_object(void **state)
{
    struct asked a = begin(CALL("count", "{\"by\":\"x\"}"), NULL);

    assert_non_null(target(&a));
    mcp_take(a.mcp, 200, SLICE_LITERAL("{}"));
    finish(&a);
    assert_true(yyjson_is_arr(at(&a, "/result/structuredContent/notes")));
    end(&a);
}

static void test_what_is_nested_deep_or_has_very_many_parts_is_cut(void **state)
{
    struct asked a = begin(CALL("search", "{}"), NULL);
    struct buffer b;

    assert_non_null(target(&a));
    buffer_init(&b, 4 << 20);
    buffer_append_string(&b, "{\"logs\":[{\"deep\":");
    for (int i = 0; i < 400; i++)
        buffer_append_char(&b, '[');
    for (int i = 0; i < 400; i++)
        buffer_append_char(&b, ']');
    buffer_append_string(&b, ",\"digits\":");
    for (int i = 0; i < 5000; i++)
        buffer_append_char(&b, '7');
    buffer_append_string(&b, ",\"items\":[0");
    for (int i = 1; i < 1000; i++)
        buffer_appendf(&b, ",%d", i);
    buffer_append_string(&b, "],\"members\":{\"m\":0");
    for (int i = 1; i < 1000; i++)
        buffer_appendf(&b, ",\"m%d\":%d", i, i);
    buffer_append_string(&b, "}}],\"next\":null,\"searched_to\":null}");
    mcp_take(a.mcp, 200, buffer_slice(&b));
    buffer_release(&b);
    finish(&a);
    assert_int_equal(yyjson_arr_size(at(&a, "/result/structuredContent/logs/0/items")), 51);
    assert_string_equal(text_at(&a, "/result/structuredContent/logs/0/items/50"), "… [950 more]");
    assert_string_equal(text_at(&a, "/result/structuredContent/logs/0/members/…"), "900 more");
    assert_true(yyjson_is_str(at(&a, "/result/structuredContent/logs/0/digits")));
    assert_non_null(strstr(text_at(&a, "/result/content/0/text"), "[nested deeper]"));
    end(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_version_that_both_know_is_agreed_on),
        cmocka_unit_test(test_errors_have_the_codes_of_json_rpc),
        cmocka_unit_test(test_an_answer_has_the_id_of_its_request),
        cmocka_unit_test(test_notifications_and_responses_have_no_answer),
        cmocka_unit_test(test_a_batch_is_answered_in_order_but_not_as_of_2025_06_18),
        cmocka_unit_test(test_a_batch_that_ends_early_leaves_nothing_behind),
        cmocka_unit_test(test_each_tool_has_an_exact_schema_and_only_reads),
        cmocka_unit_test(test_arguments_become_parameters),
        cmocka_unit_test(test_a_path_is_handed_over_as_it_is_meant),
        cmocka_unit_test(test_wrong_arguments_are_told_to_the_assistant),
        cmocka_unit_test(test_a_mistake_in_a_query_has_a_caret_below_it),
        cmocka_unit_test(test_what_a_read_is_refused_for_is_told),
        cmocka_unit_test(test_a_search_answers_logs_as_they_are),
        cmocka_unit_test(test_the_text_says_the_same_as_the_object),
        cmocka_unit_test(test_a_search_goes_on_until_it_has_enough),
        cmocka_unit_test(test_a_search_that_does_not_get_on_ends_and_says_so),
        cmocka_unit_test(test_long_texts_are_cut_and_say_how_much),
        cmocka_unit_test(test_a_result_is_bounded_and_goes_on_behind_its_last_log),
        cmocka_unit_test(test_one_log_that_is_too_large_is_cut_until_it_has_room),
        cmocka_unit_test(test_a_log_is_answered_with_its_neighbours),
        cmocka_unit_test(test_of_many_neighbours_those_nearest_to_the_log_have_room),
        cmocka_unit_test(test_a_place_that_is_not_among_the_logs_is_refused),
        cmocka_unit_test(test_a_schema_tells_of_what_time_there_are_logs_and_then_their_fields),
        cmocka_unit_test(test_groups_that_have_no_room_are_counted),
        cmocka_unit_test(test_an_answer_without_members_is_still_an_object),
        cmocka_unit_test(test_what_is_nested_deep_or_has_very_many_parts_is_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
