#include "record/limit_check.h"

#include <assert.h>
#include <stdio.h>

#include "record/limits.h"
#include "json/writer.h"

static_assert(RECORD_WHOLE_DIGITS_MAX == 131072 && RECORD_FRACTION_DIGITS_MAX == 16383 &&
                  RECORD_HUGE_DIGITS_MAX == 262144,
              "the texts of check_number say these numbers");

struct check {
    record_item_report *report;
    void *ctx;
    bool reported;
    size_t huge_digits;
    struct validation_step path[RECORD_ITEM_PATH_MAX]; /* to the value that is looked at */
    size_t path_len;
};

static void report_at(struct check *c, const struct record_item_error *error)
{
    struct record_item_error whole = *error;

    whole.path = c->path;
    whole.path_len = c->path_len;
    c->reported = true;
    c->report(&whole, c->ctx);
}

/* ---- Texts ---- */

static size_t count_characters(struct slice s)
{
    size_t n = 0;

    for (size_t i = 0; i < s.len; i++)
        n += ((unsigned char)s.data[i] & 0xc0) != 0x80;
    return n;
}

/* A text that is longer than `max` bytes: pydantic has words for both ways to count. */
static void report_length(struct check *c, yyjson_val *text, int max)
{
    bool characters = count_characters(json_text(text)) > (size_t)max;
    char msg[96];
    char ctx[32];

    snprintf(msg, sizeof(msg), "%s should have at most %d %s", characters ? "String" : "Data", max,
             characters ? "characters" : "bytes");
    snprintf(ctx, sizeof(ctx), "{\"max_length\":%d}", max);
    report_at(c,
              &(struct record_item_error){.type = characters ? "string_too_long" : "bytes_too_long",
                                          .msg = msg,
                                          .ctx = ctx,
                                          .input = text});
}

void record_check_level(yyjson_val *level, record_item_report *report, void *ctx)
{
    struct check c = {.report = report, .ctx = ctx};

    c.path[c.path_len++].name = SLICE_LITERAL("level");
    if (yyjson_get_len(level) > RECORD_LEVEL_MAX)
        report_length(&c, level, RECORD_LEVEL_MAX);
}

void record_check_values(yyjson_val *item, record_item_report *report, void *ctx)
{
    struct check c = {.report = report, .ctx = ctx};
    size_t values = record_item_values(item);
    char msg[128];
    char error_ctx[128];

    if (values <= RECORD_VALUES_MAX)
        return;
    snprintf(msg, sizeof(msg),
             "Dictionary should have at most %d items after validation, not %zu, names and values "
             "of all levels counted",
             RECORD_VALUES_MAX, values);
    snprintf(error_ctx, sizeof(error_ctx),
             "{\"field_type\":\"Dictionary\",\"max_length\":%d,\"actual_length\":%zu}",
             RECORD_VALUES_MAX, values);
    report_at(&c, &(struct record_item_error){
                      .type = "too_long", .msg = msg, .ctx = error_ctx, .input = NULL});
}

/* ---- Numbers ---- */

static void check_number(struct check *c, yyjson_val *number)
{
    switch (record_number_judge(json_text(number), &c->huge_digits)) {
    case RECORD_NUMBER_FITS:
        break;
    case RECORD_NUMBER_WHOLE:
        report_at(c, &(struct record_item_error){
                         .type = "decimal_whole_digits",
                         .msg = "Decimal input should have no more than 131072 digits before the "
                                "decimal point",
                         .ctx = "{\"whole_digits\":131072}",
                         .input = number});
        break;
    case RECORD_NUMBER_FRACTION:
        report_at(c, &(struct record_item_error){
                         .type = "decimal_max_places",
                         .msg = "Decimal input should have no more than 16383 decimal places",
                         .ctx = "{\"decimal_places\":16383}",
                         .input = number});
        break;
    case RECORD_NUMBER_HUGE:
        report_at(c, &(struct record_item_error){
                         .type = "decimal_max_digits",
                         .msg = "Decimal input should have no more than 262144 digits in total",
                         .ctx = "{\"max_digits\":262144}",
                         .input = number});
        break;
    }
}

static void check_value(struct check *c, yyjson_val *value);

static void check_step(struct check *c, struct validation_step step, yyjson_val *value)
{
    c->path[c->path_len++] = step;
    check_value(c, value);
    c->path_len--;
}

/* Recurses once for each level of nesting. */
static void check_value(struct check *c, yyjson_val *value)
{
    if (yyjson_is_raw(value)) {
        check_number(c, value);
    } else if (yyjson_is_obj(value)) {
        yyjson_obj_iter iter = yyjson_obj_iter_with(value);

        for (yyjson_val *key; (key = yyjson_obj_iter_next(&iter)) != NULL;)
            check_step(c, (struct validation_step){.name = json_text(key)},
                       yyjson_obj_iter_get_val(key));
    } else if (yyjson_is_arr(value)) {
        yyjson_arr_iter iter = yyjson_arr_iter_with(value);
        size_t index = 0;

        for (yyjson_val *item; (item = yyjson_arr_iter_next(&iter)) != NULL; index++)
            check_step(c, (struct validation_step){.index = index}, item);
    }
}

bool record_check_attributes(yyjson_val **keys, size_t n, size_t merged, record_item_report *report,
                             void *ctx)
{
    struct check c = {.report = report, .ctx = ctx};

    for (size_t i = 0; i < n; i++) {
        c.path_len = 0;
        if (!keys[i])
            continue;
        if (i >= merged)
            c.path[c.path_len++].name = SLICE_LITERAL("attributes");
        c.path[c.path_len++] = (struct validation_step){.name = json_text(keys[i])};
        if (yyjson_get_len(keys[i]) > RECORD_NAME_MAX)
            report_length(&c, keys[i], RECORD_NAME_MAX);
        check_value(&c, yyjson_obj_iter_get_val(keys[i]));
    }
    return c.reported;
}
