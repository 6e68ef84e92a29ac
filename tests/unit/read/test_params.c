#include "../vectors.h"

#include "base/clock.h"
#include "base/relative_time.h"
#include "base/timestamp.h"
#include "query/language.h"
#include "read/params.h"

enum { ANSWER_MAX = 1 << 20 };

static const int64_t HOUR_US = INT64_C(3600) * 1000000;

/* A query string parsed as list or stats, and the refusal if any. */
struct asked {
    struct query_string params;
    struct log_query list;
    struct log_stats_query stats;
    struct log_params_groups groups;
    struct buffer refusal;
    int result;
};

static void ask_list(struct asked *a, const char *query)
{
    struct log_params_answer answer = {.slice_s = 30};

    a->list.filter.query = a->stats.filter.query = NULL;
    buffer_init(&a->refusal, ANSWER_MAX);
    assert_int_equal(query_string_parse(&a->params, slice_of_string(query)), 0);
    a->result = log_params_parse_list(&a->params, NULL, &a->list, NULL, &answer, &a->refusal);
}

static void ask_stats(struct asked *a, const char *query)
{
    struct log_params_answer answer = {.slice_s = 30};

    a->list.filter.query = a->stats.filter.query = NULL;
    buffer_init(&a->refusal, ANSWER_MAX);
    assert_int_equal(query_string_parse(&a->params, slice_of_string(query)), 0);
    a->result =
        log_params_parse_stats(&a->params, NULL, &a->stats, &a->groups, &answer, &a->refusal);
}

static void release(struct asked *a)
{
    query_unref(a->list.filter.query);
    query_unref(a->stats.filter.query);
    query_string_release(&a->params);
    buffer_release(&a->refusal);
}

/* The filter asks for what `text` does in the language of queries. */
static void assert_asks(const struct log_filter *f, const char *text)
{
    struct query_mistake mistake;
    struct query *q;

    assert_int_equal(query_parse(slice_of_string(text), 0, NULL, &q, &mistake), 0);
    assert_true(query_equal(f->query, q));
    query_unref(q);
}

static struct slice refusal_of(const struct asked *a)
{
    return a->result == LM_EINVAL ? buffer_slice(&a->refusal) : slice_of(NULL, 0);
}

/* ---- Against FastAPI ---- */

/* What we say besides FastAPI's words if a time cannot be read. */
static const char RELATIVE[] = "; or a time relative to now: " RELATIVE_TIME_FORMS;

/* `text`, but for RELATIVE, is the JSON text of `expected`. */
static bool is_json(struct slice text, yyjson_val *expected)
{
    struct buffer b;

    buffer_init(&b, ANSWER_MAX);
    while (text.len > 0) {
        const char *found = memmem(text.data, text.len, RELATIVE, sizeof(RELATIVE) - 1);
        size_t before = found ? (size_t)(found - text.data) : text.len;
        size_t skip = found ? before + sizeof(RELATIVE) - 1 : before;

        buffer_append(&b, text.data, before);
        text = slice_of(text.data + skip, text.len - skip);
    }
    yyjson_doc *doc = b.len ? yyjson_read(b.data, b.len, 0) : NULL;
    bool equal = doc && yyjson_equals(yyjson_doc_get_root(doc), expected);
    yyjson_doc_free(doc);
    buffer_release(&b);
    return equal;
}

/* A bound as FastAPI understood it; null: `absent`. */
static bool is_time(yyjson_val *expected, int64_t us, int64_t absent)
{
    return us == (yyjson_is_int(expected) ? yyjson_get_sint(expected) : absent);
}

static bool has_understood_list(const struct log_query *q, yyjson_val *expected)
{
    yyjson_val *levels = yyjson_obj_get(expected, "level");
    struct log_filter filter;

    log_filter_init(&filter);
    for (; filter.levels_len < yyjson_arr_size(levels); filter.levels_len++)
        filter.levels[filter.levels_len] = vector_text_at(levels, filter.levels_len);
    filter.text = vector_text(yyjson_obj_get(expected, "q"));
    assert_int_equal(log_filter_join(&filter), 0);

    bool is_equal = query_equal(q->filter.query, filter.query);

    query_unref(filter.query);
    return is_equal && !q->has_cursor &&
           q->limit == yyjson_get_uint(yyjson_obj_get(expected, "limit")) &&
           is_time(yyjson_obj_get(expected, "since"), q->filter.since_us, TIMESTAMP_MIN_US) &&
           is_time(yyjson_obj_get(expected, "until"), q->filter.until_us, INT64_MAX);
}

/* Integers past int64_t are its end for us. */
static bool has_understood_offset(uint64_t offset, yyjson_val *expected)
{
    return yyjson_is_int(expected) && yyjson_get_uint(expected) <= INT64_MAX
               ? offset == yyjson_get_uint(expected)
               : offset == INT64_MAX;
}

/* True if `path` is answered as `vector` says. */
static bool is_as_expected(yyjson_val *vector, const char *path)
{
    const char *query = strchr(path, '?');
    yyjson_val *understood = yyjson_obj_get(vector, "query");
    yyjson_val *bucket = yyjson_obj_get(understood, "bucket");
    bool stats = strncmp(path, "/logs/stats", 11) == 0;
    struct asked a = {0};
    bool ok;

    query = query ? query + 1 : "";
    if (stats)
        ask_stats(&a, query);
    else
        ask_list(&a, query);
    if (yyjson_get_int(yyjson_obj_get(vector, "status")) == 422)
        ok = is_json(refusal_of(&a), yyjson_obj_get(vector, "response"));
    else if (stats)
        ok = a.result == 0 &&
             (!yyjson_is_int(bucket) || a.stats.bucket_us / 1000000 == yyjson_get_sint(bucket) ||
              yyjson_get_sint(bucket) > INT64_MAX / 1000000);
    else
        ok = a.result == 0 && has_understood_list(&a.list, understood) &&
             has_understood_offset(a.list.offset, yyjson_obj_get(understood, "offset"));
    if (!ok)
        print_error("%s: %d, %.*s\n", path, a.result, SLICE_ARG(refusal_of(&a)));
    release(&a);
    return ok;
}

static bool is_query(yyjson_val *vector, const char *path)
{
    return yyjson_equals_str(yyjson_obj_get(vector, "method"), "GET") &&
           !yyjson_obj_get(vector, "differs") &&
           (strncmp(path, "/logs?", 6) == 0 || strcmp(path, "/logs") == 0 ||
            !strncmp(path, "/logs/stats?", 12));
}

static void queries_are_understood_and_refused_as_fastapi_does(void **state)
{
    yyjson_doc *doc = vectors_read("fastapi.json");
    size_t wrong = 0;
    size_t checked = 0;
    size_t i, n;
    yyjson_val *vector;

    yyjson_arr_foreach(yyjson_doc_get_root(doc), i, n, vector)
    {
        const char *path = yyjson_get_str(yyjson_obj_get(vector, "path"));

        if (!is_query(vector, path))
            continue;
        checked++;
        wrong += !is_as_expected(vector, path);
    }
    assert_true(checked > 200);
    assert_int_equal(wrong, 0);
    yyjson_doc_free(doc);
}

static void ids_in_paths_are_refused_as_fastapi_does(void **state)
{
    yyjson_doc *doc = vectors_read("fastapi.json");
    size_t checked = 0;
    size_t i, n;
    yyjson_val *vector;
    struct buffer refusal;

    buffer_init(&refusal, ANSWER_MAX);
    yyjson_arr_foreach(yyjson_doc_get_root(doc), i, n, vector)
    {
        yyjson_val *detail = yyjson_obj_get(yyjson_obj_get(vector, "response"), "detail");
        yyjson_val *error = yyjson_arr_get_first(detail);
        struct slice in = vector_text_at(yyjson_obj_get(error, "loc"), 0);
        struct uuid id;

        if (!slice_equal(in, SLICE_LITERAL("path")))
            continue;
        checked++;
        assert_int_equal(
            log_params_parse_id(vector_text(yyjson_obj_get(error, "input")), &id, &refusal),
            LM_EINVAL);
        assert_true(is_json(buffer_slice(&refusal), yyjson_obj_get(vector, "response")));
    }
    assert_true(checked > 30);
    buffer_release(&refusal);
    yyjson_doc_free(doc);
}

static void an_id_of_any_bytes_is_read_or_refused(void **state)
{
    struct buffer refusal;
    struct uuid id;

    buffer_init(&refusal, ANSWER_MAX);
    assert_int_equal(log_params_parse_id(SLICE_LITERAL("\xff\"\x01"), &id, &refusal), LM_EINVAL);
    assert_non_null(strstr(refusal.data, "found `\xef\xbf\xbd` at 0"));
    assert_non_null(strstr(refusal.data, "\"input\":\"\xef\xbf\xbd\\\"\\u0001\""));
    assert_int_equal(log_params_parse_id(SLICE_LITERAL(""), &id, &refusal), LM_EINVAL);
    assert_int_equal(
        log_params_parse_id(SLICE_LITERAL("01934567-89ab-7cde-8f01-23456789abcd"), &id, &refusal),
        0);
    assert_int_equal(id.bytes[15], 0xcd);
    buffer_release(&refusal);
}

/* ---- Our own ---- */

static void attributes_are_filters_up_to_a_limit(void **state)
{
    struct asked a;
    char query[1000] = "";

    ask_list(&a, "attr.service=api&attr.=&attr.a%20b=%E2%82%AC");
    assert_int_equal(a.result, 0);
    assert_asks(&a.list.filter, "service:api \"\":\"\" \"a b\":\xe2\x82\xac");
    release(&a);

    for (int i = 0; i <= FILTER_ATTRIBUTES_MAX; i++)
        snprintf(query + strlen(query), sizeof(query) - strlen(query), "attr.n%d=v&", i);
    ask_stats(&a, query);
    assert_true(slice_equal(
        refusal_of(&a),
        SLICE_LITERAL("{\"detail\":[{\"type\":\"too_many_attributes\",\"loc\":[\"query\",\"attr."
                      "n16\"],\"msg\":\"At most 16 attr. parameters are allowed\",\"input\":\"v\"}"
                      "]}")));
    release(&a);
}

static void what_is_excluded_is_read_apart_from_what_is_wanted(void **state)
{
    struct asked a;
    char query[1000] = "";

    ask_list(&a, "not.level=info&level=warn&not.level=debug&not.q=b&q=a&not.attr.k=v&attr.k=w");
    assert_int_equal(a.result, 0);
    assert_asks(&a.list.filter, "level:warn -level:(info OR debug) a -b -k:v k:w");
    release(&a);

    for (int i = 0; i <= LOG_PARAMS_LEVELS_MAX; i++)
        snprintf(query + strlen(query), sizeof(query) - strlen(query), "not.level=%d&", i);
    ask_stats(&a, query);
    assert_non_null(strstr(refusal_of(&a).data, "\"too_long\",\"loc\":[\"query\",\"not.level\"]"));
    release(&a);
}

static void values_of_one_attribute_are_alternatives(void **state)
{
    struct asked a;

    ask_list(&a, "attr.x=1&attr.y.z=2&attr.x=3&not.attr.x=4&not.attr.x=5");
    assert_int_equal(a.result, 0);
    assert_asks(&a.list.filter, "x:(1 OR 3) y.z:2 -x:4 -x:5");
    release(&a);
}

static void a_query_and_the_other_parameters_are_one(void **state)
{
    char query[3 * QUERY_TESTS_MAX + 64] = "q=b&query=";
    struct asked a;

    ask_list(&a, "query=a+OR+b+since:2026-01-01&level=warn&until=2026-01-02");
    assert_int_equal(a.result, 0);
    assert_asks(&a.list.filter, "level:warn (a OR (b since:2026-01-01))");
    assert_int_equal(a.list.filter.since_us, TIMESTAMP_MIN_US);
    release(&a);

    ask_list(&a, "query=a+since:2026-01-01+timestamp:<=9999-12-31");
    assert_int_equal(a.result, 0);
    assert_int_equal(a.list.filter.since_us, INT64_C(1767225600000000));
    assert_int_equal(a.list.filter.until_us, INT64_MAX);
    release(&a);

    for (int i = 0; i < QUERY_TESTS_MAX; i++)
        snprintf(query + strlen(query), sizeof(query) - strlen(query), "a+");
    ask_list(&a, query);
    assert_non_null(
        strstr(refusal_of(&a).data, "\"query_too_large\",\"loc\":[\"query\",\"query\"]"));
    release(&a);
    ask_list(&a, query + strlen("q=b&"));
    assert_int_equal(a.result, 0);
    release(&a);
}

static void times_may_be_relative_to_now(void **state)
{
    struct asked a;
    int64_t before_us = clock_wall_us();

    ask_list(&a, "since=2h&until=now%2B1h");
    assert_int_equal(a.result, 0);
    assert_in_range(a.list.filter.since_us + 2 * HOUR_US, before_us, clock_wall_us());
    assert_int_equal(a.list.filter.until_us - a.list.filter.since_us, 3 * HOUR_US);
    release(&a);
    ask_stats(&a, "since=now-1h&until=now+1h"); /* the plus of a URL is a blank */
    assert_int_equal(a.result, 0);
    assert_int_equal(a.stats.filter.until_us - a.stats.filter.since_us, 2 * HOUR_US);
    release(&a);
    ask_stats(&a, "since=yesterday&until=today");
    assert_int_equal(a.result, 0);
    assert_int_equal(a.stats.filter.until_us - a.stats.filter.since_us, 24 * HOUR_US);
    assert_int_equal(a.stats.filter.until_us % (24 * HOUR_US), 0);
    release(&a);
}

static void what_is_no_time_is_told_all_forms(void **state)
{
    struct asked a;

    ask_list(&a, "since=2hours&until=999999w");
    assert_true(slice_equal(
        refusal_of(&a),
        SLICE_LITERAL(
            "{\"detail\":[{\"type\":\"datetime_from_date_parsing\",\"loc\":[\"query\",\"since\"],"
            "\"msg\":\"Input should be a valid datetime or date, input is too short; or a time "
            "relative to now: " RELATIVE_TIME_FORMS "\",\"input\":\"2hours\",\"ctx\":{\"error\":"
            "\"input is too short\"}},{\"type\":\"datetime_parsing\",\"loc\":[\"query\",\"until\"],"
            "\"msg\":\"Input should be a valid datetime, outside the years 1 to 9999; or a time "
            "relative to now: " RELATIVE_TIME_FORMS "\",\"input\":\"999999w\",\"ctx\":{\"error\":"
            "\"outside the years 1 to 9999\"}}]}")));
    release(&a);
}

/* The messages of a refusal, one a line. */
static const char *messages(const struct asked *a)
{
    static char text[4096];
    yyjson_doc *doc = yyjson_read(refusal_of(a).data, refusal_of(a).len, 0);
    yyjson_val *detail = yyjson_obj_get(yyjson_doc_get_root(doc), "detail");
    size_t i, n;
    yyjson_val *entry;

    text[0] = '\0';
    yyjson_arr_foreach(detail, i, n, entry)
    {
        assert_string_equal(yyjson_get_str(yyjson_obj_get(entry, "type")), "extra_forbidden");
        strcat(text, yyjson_get_str(yyjson_arr_get(yyjson_obj_get(entry, "loc"), 1)));
        strcat(text, ": ");
        strcat(text, yyjson_get_str(yyjson_obj_get(entry, "msg")));
        strcat(text, "\n");
    }
    yyjson_doc_free(doc);
    return text;
}

#define LIST                                                                                       \
    "'limit', 'offset', 'cursor', 'slice', 'bytes', 'explain', 'format', 'fields', 'order', "      \
    "'around', "                                                                                   \
    "'before', "                                                                                   \
    "'after', 'same', "
#define FILTERS "'query', 'since', 'until', 'level', 'q', 'not.level', 'not.q', "
#define ATTRIBUTES "'attr.NAME' and 'not.attr.NAME'"

static void unknown_parameters_are_refused_with_the_nearest_and_all(void **state)
{
    struct asked a;
    struct store_position place;
    bool has_place;
    char query[2000];

    ask_list(&a, "levle=error&limit=5&service=pay");
    assert_string_equal(messages(&a),
                        "levle: Extra inputs are not permitted; did you mean 'level'? Allowed "
                        "are " FILTERS LIST ATTRIBUTES "\n"
                        "service: Extra inputs are not permitted; for the attribute of that name: "
                        "'attr.service'. Allowed are " FILTERS LIST ATTRIBUTES "\n");
    release(&a);
    ask_stats(&a, "limit=5&buckets=7");
    assert_non_null(strstr(messages(&a), "limit: Extra inputs are not permitted; for"));
    assert_non_null(strstr(messages(&a),
                           "did you mean 'bucket'? Allowed are " FILTERS
                           "'bucket', 'by', 'value', 'top', 'align', 'zone', 'cursor', 'slice', "
                           "'explain', " ATTRIBUTES "\n"));
    release(&a);

    buffer_init(&a.refusal, ANSWER_MAX);
    memset(query, 'x', sizeof(query)); /* a name of any length, and one of none */
    memcpy(query, "=1&", 3);
    assert_int_equal(query_string_parse(&a.params, slice_of(query, sizeof(query))), 0);
    a.result = log_params_parse_tail(&a.params, NULL, slice_of(NULL, 0), &a.list.filter, &has_place,
                                     &place, &a.refusal);
    assert_non_null(strstr(messages(&a), ": Extra inputs are not permitted. Allowed are " FILTERS
                                         "'last_event_id', " ATTRIBUTES "\nxxx"));
    release(&a);
}

static void a_download_has_no_limit_but_its_own(void **state)
{
    static const struct {
        const char *text;
        uint64_t limit; /* 0: refused */
    } cases[] = {
        {"", UINT64_MAX}, {"limit=1", 1}, {"limit=1000000", 1000000},
        {"limit=0", 0},   {"limit=x", 0},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct query_string params = {0};
        struct log_query query;
        struct buffer refusal;
        uint64_t limit = 0;

        buffer_init(&refusal, ANSWER_MAX);
        assert_int_equal(query_string_parse(&params, slice_of_string(cases[i].text)), 0);
        assert_int_equal(log_params_parse_download(&params, NULL, &query, NULL, &limit, &refusal),
                         cases[i].limit ? 0 : LM_EINVAL);
        if (cases[i].limit)
            assert_true(limit == cases[i].limit);
        buffer_release(&refusal);
        query_string_release(&params);
    }
}

static void a_cursor_comes_back_as_the_key_it_was_made_of(void **state)
{
    static const int64_t times[] = {0,  1,  INT64_C(1700000000123456), TIMESTAMP_MIN_US,
                                    -1, -1, TIMESTAMP_MAX_US};

    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        struct log_key key = {times[i], uuid7_new(times[i])};
        struct log_key again;
        char text[LOG_KEY_CURSOR_LEN];
        char query[sizeof(text) + 16];
        struct asked a;

        log_key_format_cursor(&key, text);
        assert_int_equal(log_key_parse_cursor(slice_of(text, sizeof(text)), &again), 0);
        assert_int_equal(again.timestamp_us, key.timestamp_us);
        assert_memory_equal(again.id.bytes, key.id.bytes, sizeof(key.id.bytes));

        snprintf(query, sizeof(query), "cursor=%.*s", LOG_KEY_CURSOR_LEN, text);
        ask_list(&a, query);
        assert_int_equal(a.result, 0);
        assert_true(a.list.has_cursor);
        assert_int_equal(a.list.cursor.timestamp_us, key.timestamp_us);
        release(&a);
    }
}

static void a_cursor_that_was_not_handed_out_is_refused(void **state)
{
    struct log_key key = {INT64_C(1700000000123456), uuid7_new(INT64_C(1700000000123456))};
    char text[LOG_KEY_CURSOR_LEN];
    struct asked a;

    for (size_t i = 0; i < sizeof(text); i++) {
        static const char bad[] = {'\0', '=', '+', '/', ' ', '\xff'};

        for (size_t k = 0; k < sizeof(bad); k++) {
            log_key_format_cursor(&key, text);
            text[i] = bad[k];
            assert_int_equal(log_key_parse_cursor(slice_of(text, sizeof(text)), &key), LM_EINVAL);
        }
    }
    log_key_format_cursor(&key, text);
    for (size_t len = 0; len < sizeof(text); len++)
        assert_int_equal(log_key_parse_cursor(slice_of(text, len), &key), LM_EINVAL);
    text[4] ^= 1; /* another time: no id of that log */
    assert_int_equal(log_key_parse_cursor(slice_of(text, sizeof(text)), &key), LM_EINVAL);
    key = (struct log_key){TIMESTAMP_MAX_US + 1, uuid7_new(TIMESTAMP_MAX_US + 1)};
    log_key_format_cursor(&key, text);
    assert_int_equal(log_key_parse_cursor(slice_of(text, sizeof(text)), &key), LM_EINVAL);
    memset(text, 'A', sizeof(text));
    assert_int_equal(log_key_parse_cursor(slice_of(text, sizeof(text)), &key), LM_EINVAL);
    memset(text, '_', sizeof(text));
    assert_int_equal(log_key_parse_cursor(slice_of(text, sizeof(text)), &key), LM_EINVAL);

    ask_list(&a, "limit=0&cursor=%22x");
    assert_true(slice_equal(
        refusal_of(&a),
        SLICE_LITERAL("{\"detail\":[{\"type\":\"greater_than_equal\",\"loc\":[\"query\",\"limit\"],"
                      "\"msg\":\"Input should be greater than or equal to 1\",\"input\":\"0\","
                      "\"ctx\":{\"ge\":1}},{\"type\":\"cursor_invalid\",\"loc\":[\"query\","
                      "\"cursor\"],\"msg\":\"Input should be a cursor, as `next` of an answer has "
                      "it\",\"input\":\"\\\"x\"}]}")));
    release(&a);
}

static void stats_are_of_the_last_day_unless_told_otherwise(void **state)
{
    struct asked a;
    int64_t now = clock_wall_us();

    ask_stats(&a, "");
    assert_int_equal(a.result, 0);
    assert_in_range(a.stats.filter.until_us - now, 0, HOUR_US);
    assert_int_equal(a.stats.filter.until_us - a.stats.filter.since_us, 24 * HOUR_US);
    assert_int_equal(a.stats.bucket_us, HOUR_US / 12);
    release(&a);

    ask_stats(&a, "until=0001-01-01T01:00:00");
    assert_int_equal(a.result, 0);
    assert_int_equal(a.stats.filter.since_us, TIMESTAMP_MIN_US);
    release(&a);
}

static void assert_bucket(const char *query, int64_t bucket_s)
{
    struct asked a;

    ask_stats(&a, query);
    assert_int_equal(a.result, 0);
    assert_int_equal(a.stats.bucket_us, bucket_s * 1000000);
    release(&a);
}

static void buckets_are_round_and_few_by_default(void **state)
{
    assert_bucket("since=1000&until=1000", 1);
    assert_bucket("since=2000&until=1000", 1);
    assert_bucket("since=0&until=300", 1);
    assert_bucket("since=0&until=300.000001", 5);
    assert_bucket("since=0&until=3600", 30);
    assert_bucket("since=2026-01-01&until=2027-01-01", 604800);
    assert_bucket("since=0001-01-01&until=9999-12-31T23:59:59.999999", INT64_C(12174) * 86400);
    assert_bucket("since=0&until=1000&bucket=1", 1);
    assert_bucket("since=0&until=1000&bucket=9999999999999999999", INT64_MAX / 1000000);
}

static void a_bucket_that_makes_too_many_is_refused_with_the_shortest(void **state)
{
    struct asked a;

    ask_stats(&a, "since=0&until=1000.000001&bucket=1");
    assert_true(slice_equal(
        refusal_of(&a),
        SLICE_LITERAL("{\"detail\":[{\"type\":\"greater_than_equal\",\"loc\":[\"query\",\"bucket\"]"
                      ",\"msg\":\"Input should be greater than or equal to 2\",\"input\":\"1\","
                      "\"ctx\":{\"ge\":2}}]}")));
    release(&a);
}

/* What the first bucket of `query` begins at, in seconds. */
static void assert_begins(const char *query, int64_t from_s)
{
    struct asked a;

    ask_stats(&a, query);
    assert_int_equal(a.result, 0);
    assert_int_equal(a.groups.bucket_from_us, from_s * 1000000);
    release(&a);
}

static void buckets_begin_at_multiples_in_a_zone_if_asked(void **state)
{
    enum { DAY = 86400 };

    assert_begins("since=100&until=1000&bucket=60", 100);
    assert_begins("since=100&until=1000&bucket=60&align=1", 60);
    assert_begins("since=100&until=1000&bucket=60&by=level", 60);
    assert_begins("since=100&until=1000&bucket=60&by=level&align=0", 100);
    assert_begins("since=100&until=1000&by=level", 100);
    assert_begins("since=864000&until=900000&bucket=86400&zone=%2B02:00", 864000 - 7200);
    assert_begins("since=864000&until=900000&bucket=86400&zone=+0200", 864000 - 7200);
    assert_begins("since=864000&until=900000&bucket=86400&zone=-03", 864000 - DAY + 3 * 3600);
    assert_begins("since=-100&until=1000&bucket=60&align=1", -120);
    assert_begins("since=1970-01-11&until=1970-01-30&bucket=604800&zone=Z", 4 * DAY); /* Monday */
    assert_begins("since=0001-01-01&until=9999-12-31&bucket=31536000000&align=1",
                  TIMESTAMP_MIN_US / 1000000);
}

static void what_groups_are_no_lists_are_refused(void **state)
{
    static const char *const cases[][2] = {
        {"by=level,,x", "\"loc\":[\"query\",\"by\"],\"msg\":\"by: a name is missing\""},
        {"value=avg", "\"loc\":[\"query\",\"value\"],\"msg\":\"value: `avg` of what?"},
        {"by=level&top=1001", "\"loc\":[\"query\",\"top\"]"},
        {"zone=CET", "\"loc\":[\"query\",\"zone\"],\"msg\":\"Input should be an offset"},
        {"zone=+25:00", "\"loc\":[\"query\",\"zone\"]"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct asked a;
        struct slice text;

        ask_stats(&a, cases[i][0]);
        text = refusal_of(&a);
        assert_non_null(memmem(text.data, text.len, cases[i][1], strlen(cases[i][1])));
        release(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queries_are_understood_and_refused_as_fastapi_does),
        cmocka_unit_test(ids_in_paths_are_refused_as_fastapi_does),
        cmocka_unit_test(an_id_of_any_bytes_is_read_or_refused),
        cmocka_unit_test(attributes_are_filters_up_to_a_limit),
        cmocka_unit_test(what_is_excluded_is_read_apart_from_what_is_wanted),
        cmocka_unit_test(values_of_one_attribute_are_alternatives),
        cmocka_unit_test(a_query_and_the_other_parameters_are_one),
        cmocka_unit_test(times_may_be_relative_to_now),
        cmocka_unit_test(what_is_no_time_is_told_all_forms),
        cmocka_unit_test(unknown_parameters_are_refused_with_the_nearest_and_all),
        cmocka_unit_test(a_download_has_no_limit_but_its_own),
        cmocka_unit_test(a_cursor_comes_back_as_the_key_it_was_made_of),
        cmocka_unit_test(a_cursor_that_was_not_handed_out_is_refused),
        cmocka_unit_test(stats_are_of_the_last_day_unless_told_otherwise),
        cmocka_unit_test(buckets_are_round_and_few_by_default),
        cmocka_unit_test(a_bucket_that_makes_too_many_is_refused_with_the_shortest),
        cmocka_unit_test(buckets_begin_at_multiples_in_a_zone_if_asked),
        cmocka_unit_test(what_groups_are_no_lists_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
