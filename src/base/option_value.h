/* Values as people write them behind flags and in the environment. */
#ifndef LOGMILL_BASE_OPTION_VALUE_H
#define LOGMILL_BASE_OPTION_VALUE_H

#include <stdbool.h>
#include <stdint.h>

/* True if `value` is one of `choices`: "debug|info|warn". */
bool option_value_is_choice(const char *choices, const char *value);

/* Reads all of `text` as a whole number, digits alone. False if it is none, or past 64 bits. */
bool option_value_parse_number(const char *text, uint64_t *number);

#endif
