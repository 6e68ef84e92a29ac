#include "base/option_value.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "base/slice.h"

bool option_value_is_choice(const char *choices, const char *value)
{
    struct slice rest = slice_of_string(choices);

    while (rest.len > 0)
        if (slice_equal(slice_cut(&rest, '|'), slice_of_string(value)))
            return true;
    return false;
}

bool option_value_parse_number(const char *text, uint64_t *number)
{
    char *end;

    if (!isdigit((unsigned char)text[0]))
        return false; /* strtoull takes signs and spaces, which mean nothing here */
    errno = 0;
    *number = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0';
}
