#include "record/limit_check.h"

#include "base/utf8.h"
#include "record/limits.h"
#include "json/writer.h"

struct check {
    record_report *report;
    void *ctx;
    bool reported;
    size_t huge_digits;
    struct record_step path[RECORD_PATH_MAX]; /* to the value that is looked at */
    size_t path_len;
};

static void report_at(struct check *c, const struct record_wrong *error)
{
    struct record_wrong whole = *error;

    whole.path = c->path;
    whole.path_len = c->path_len;
    c->reported = true;
    c->report(&whole, c->ctx);
}

/* ---- Texts ---- */

/* A text that is longer than `max` bytes: in characters, if it is so counted in them as well. */
static void report_length(struct check *c, yyjson_val *text, size_t max)
{
    bool characters = utf8_count(json_text(text)) > max;

    report_at(c, &(struct record_wrong){.problem =
                                            characters ? RECORD_MANY_CHARACTERS : RECORD_MANY_BYTES,
                                        .limit = max,
                                        .value = text});
}

void record_check_level(yyjson_val *level, record_report *report, void *ctx)
{
    struct check c = {.report = report, .ctx = ctx};

    c.path[c.path_len++].name = SLICE_LITERAL("level");
    if (yyjson_get_len(level) > RECORD_LEVEL_MAX)
        report_length(&c, level, RECORD_LEVEL_MAX);
}

void record_check_values(yyjson_val *item, record_report *report, void *ctx)
{
    struct check c = {.report = report, .ctx = ctx};
    size_t values = record_item_values(item);

    if (values > RECORD_VALUES_MAX)
        report_at(&c, &(struct record_wrong){.problem = RECORD_MANY_VALUES,
                                             .limit = RECORD_VALUES_MAX,
                                             .actual = values});
}

/* ---- Numbers ---- */

static void report_number(struct check *c, yyjson_val *number, enum record_problem problem,
                          size_t limit)
{
    report_at(c, &(struct record_wrong){.problem = problem, .limit = limit, .value = number});
}

static void check_number(struct check *c, yyjson_val *number)
{
    switch (record_number_judge(json_text(number), &c->huge_digits)) {
    case RECORD_NUMBER_FITS:
        break;
    case RECORD_NUMBER_WHOLE:
        report_number(c, number, RECORD_NUMBER_OF_WHOLE_DIGITS, RECORD_WHOLE_DIGITS_MAX);
        break;
    case RECORD_NUMBER_FRACTION:
        report_number(c, number, RECORD_NUMBER_OF_DECIMAL_PLACES, RECORD_FRACTION_DIGITS_MAX);
        break;
    case RECORD_NUMBER_HUGE:
        report_number(c, number, RECORD_NUMBER_OF_DIGITS, RECORD_HUGE_DIGITS_MAX);
        break;
    }
}

static void check_value(struct check *c, yyjson_val *value);

static void check_step(struct check *c, struct record_step step, yyjson_val *value)
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

        for (yyjson_val *key; (key = yyjson_obj_iter_next(&iter));)
            check_step(c, (struct record_step){.name = json_text(key)},
                       yyjson_obj_iter_get_val(key));
    } else if (yyjson_is_arr(value)) {
        yyjson_arr_iter iter = yyjson_arr_iter_with(value);
        size_t index = 0;

        for (yyjson_val *item; (item = yyjson_arr_iter_next(&iter)); index++)
            check_step(c, (struct record_step){.index = index}, item);
    }
}

bool record_check_attributes(yyjson_val **keys, size_t n, size_t merged, record_report *report,
                             void *ctx)
{
    struct check c = {.report = report, .ctx = ctx};

    for (size_t i = 0; i < n; i++) {
        c.path_len = 0;
        if (!keys[i])
            continue;
        if (i >= merged)
            c.path[c.path_len++].name = SLICE_LITERAL("attributes");
        c.path[c.path_len++] = (struct record_step){.name = json_text(keys[i])};
        if (yyjson_get_len(keys[i]) > RECORD_NAME_MAX)
            report_length(&c, keys[i], RECORD_NAME_MAX);
        check_value(&c, yyjson_obj_iter_get_val(keys[i]));
    }
    return c.reported;
}
