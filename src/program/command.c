#include "program/command.h"

#include <stdio.h>

#include "diag/diag.h"

int command_fail(const struct errbuf *err)
{
    diag(DIAG_ERROR, err->text);
    return COMMAND_FAILED;
}

int command_no_arguments(char **args, int args_len)
{
    if (args_len == 0)
        return 0;
    fprintf(stderr, "logmill: %s: not expected here; flags are --name value\n", args[0]);
    return COMMAND_USAGE;
}
