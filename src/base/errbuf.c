#include "base/errbuf.h"

#include <stdarg.h>
#include <stdio.h>

static void set(struct errbuf *err, const char *format, va_list args) LM_PRINTF(2, 0);

static void set(struct errbuf *err, const char *format, va_list args)
{
    if (err)
        vsnprintf(err->text, sizeof(err->text), format, args);
}

void errbuf_set(struct errbuf *err, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    set(err, format, args);
    va_end(args);
}

int errbuf_fail(struct errbuf *err, int error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    set(err, format, args);
    va_end(args);
    return error;
}
