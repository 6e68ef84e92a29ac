#include "base/error.h"

const char *lm_error_text(int error)
{
    switch (error) {
    case 0:
        return "success";
#define LM_ERROR_CASE(name, value, text)                                                           \
    case name:                                                                                     \
        return text;
        LM_ERRORS(LM_ERROR_CASE)
#undef LM_ERROR_CASE
    default:
        return "unknown error";
    }
}
