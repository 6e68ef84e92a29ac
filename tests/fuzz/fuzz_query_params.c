/*
 * Query strings, path ids and cursors of any bytes: each becomes a query within its bounds, or a
 * refusal that is JSON.
 */

#include "base/timestamp.h"
#include "must.h"
#include "read/params.h"
#include "json/writer.h"

enum { ANSWER_MAX = 64 << 20 };

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

/* Returns true where the input was taken. */
static bool check_result(int result, const struct buffer *refusal)
{
    yyjson_doc *doc;

    if (result == 0)
        return true;
    must(result == LM_EINVAL);
    doc = yyjson_read(refusal->data, refusal->len, 0);
    must(doc);
    must(yyjson_arr_size(yyjson_obj_get(yyjson_doc_get_root(doc), "detail")) > 0);
    yyjson_doc_free(doc);
    return false;
}

static void check_filter(const struct log_filter *filter)
{
    must(filter->since_us >= TIMESTAMP_MIN_US && filter->since_us <= TIMESTAMP_MAX_US);
    must(filter->levels_len == 0 && filter->attributes_len == 0 && filter->text.len == 0);
    if (filter->query)
        query_check(filter->query);
    query_unref(filter->query);
}

static void check_query(struct slice text, struct buffer *refusal)
{
    struct query_string params;
    struct log_query list;
    struct log_stats_query stats;
    struct log_params_groups groups;
    struct log_params_answer answer = {.slice_s = 30};

    if (query_string_parse(&params, text) == 0) {
        struct projection fields = {0};
        struct log_params_around around = {0};

        if (check_result(log_params_parse_list(&params, NULL, &list, &fields, &answer, refusal),
                         refusal)) {
            must(fields.len <= PROJECTION_FIELDS_MAX);
            check_filter(&list.filter);
            must(list.limit >= 1 && list.limit <= LOG_PARAMS_LIMIT_MAX);
        }
        if (check_result(log_params_parse_stats(&params, NULL, &stats, &groups, &answer, refusal),
                         refusal)) {
            int64_t range = stats.filter.until_us - groups.bucket_from_us;

            check_filter(&stats.filter);
            must(stats.bucket_us > 0 || groups.grouped);
            must(groups.bucket_from_us <= stats.filter.since_us);
            must(!stats.bucket_us || range / stats.bucket_us <= LOG_PARAMS_BUCKETS_MAX + 1);
        }
        if (check_result(log_params_parse_around(&params, NULL, &around, &answer, refusal),
                         refusal)) {
            check_filter(&around.filter);
            must(around.older || around.newer);
            must(around.before <= LOG_PARAMS_AROUND_MAX && around.after <= LOG_PARAMS_AROUND_MAX);
            must(around.same_len <= LOG_PARAMS_SAME_MAX);
        }
    }
    query_string_release(&params);
}

static void check_place(struct slice text)
{
    char again[NEWER_PLACE_LEN];
    struct newer_place place;

    if (newer_place_parse(text, &place) == 0)
        must(slice_equal(text, slice_of(again, newer_place_format(&place, again))));
}

static void check_cursor(struct slice text)
{
    char again[LOG_KEY_CURSOR_LEN];
    struct log_key key;

    if (log_key_parse_cursor(text, &key))
        return;
    log_key_format_cursor(&key, again);
    must(slice_equal(text, slice_of(again, sizeof(again))));
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct slice text = size ? slice_of((const char *)data, size) : SLICE_LITERAL("");
    struct buffer refusal;
    struct uuid id;

    buffer_init(&refusal, ANSWER_MAX);
    check_query(text, &refusal);
    check_result(log_params_parse_id(text, &id, &refusal), &refusal);
    check_cursor(text);
    check_place(text);
    buffer_release(&refusal);
    return 0;
}
