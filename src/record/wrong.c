#include "record/wrong.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Those without a text are put together below. */
static const char *const texts[RECORD_PROBLEMS] = {
    [RECORD_NO_OBJECT] = "Input should be a valid dictionary or object to extract fields from",
    [RECORD_MISSING] = "Field required",
    [RECORD_NO_TEXT] = "Input should be a valid string",
    [RECORD_ID_NO_TEXT] = "UUID input should be a string, bytes or UUID object",
    [RECORD_ID_VERSION] = "UUID version 7 expected",
    [RECORD_ID_NOT_OF_TIME] =
        "Input should carry the timestamp's millisecond, or one of the two be left out",
    [RECORD_ID_TOO_LATE] = "The time in the id is after the year 9999",
};

static void write_limit(const struct record_wrong *w, char *text, size_t size)
{
    switch (w->problem) {
    case RECORD_MANY_CHARACTERS:
        snprintf(text, size, "String should have at most %zu characters", w->limit);
        break;
    case RECORD_MANY_BYTES:
        snprintf(text, size, "Data should have at most %zu bytes", w->limit);
        break;
    case RECORD_MANY_VALUES:
        snprintf(text, size,
                 "Dictionary should have at most %zu items after validation, not %zu, names "
                 "and values of all levels counted",
                 w->limit, w->actual);
        break;
    case RECORD_NUMBER_OF_WHOLE_DIGITS:
        snprintf(text, size,
                 "Decimal input should have no more than %zu digits before the decimal point",
                 w->limit);
        break;
    case RECORD_NUMBER_OF_DECIMAL_PLACES:
        snprintf(text, size, "Decimal input should have no more than %zu decimal places", w->limit);
        break;
    default:
        snprintf(text, size, "Decimal input should have no more than %zu digits in total",
                 w->limit);
    }
}

static void write_time(const struct timestamp_error *time, char *text, size_t size)
{
    bool or_date = strcmp(time->type, "datetime_from_date_parsing") == 0;

    snprintf(text, size, "Input should be a valid datetime%s%s%s", or_date ? " or date" : "",
             time->reason[0] ? ", " : "", time->reason);
}

const char *record_wrong_text(const struct record_wrong *w, char text[RECORD_WRONG_TEXT_SIZE])
{
    size_t size = RECORD_WRONG_TEXT_SIZE;

    if (texts[w->problem])
        snprintf(text, size, "%s", texts[w->problem]);
    else if (w->problem == RECORD_BAD_TIME)
        write_time(w->time, text, size);
    else if (w->problem == RECORD_ID_MALFORMED)
        snprintf(text, size, "Input should be a valid UUID, %s", w->reason);
    else
        write_limit(w, text, size);
    return text;
}
