#include "base/flag.h"

#include <string.h>

#include "base/option_value.h"

int flag_check(const struct flag *f, const char *shown, const char *value, struct errbuf *err)
{
    uint64_t number;

    if (f->is_pair && (value[0] == '=' || !strchr(value, '=')))
        return errbuf_fail(err, LM_EINVAL, "%s: \"%s\" is not NAME=VALUE", shown, value);
    if (f->choices && !option_value_is_choice(f->choices, value))
        return errbuf_fail(err, LM_EINVAL, "%s: \"%s\" is not one of %s", shown, value, f->choices);
    if (f->max &&
        (!option_value_parse_number(value, &number) || number < f->min || number > f->max))
        return errbuf_fail(err, LM_EINVAL, "%s: \"%s\" is not a whole number from %llu to %llu",
                           shown, value, (unsigned long long)f->min, (unsigned long long)f->max);
    return 0;
}

const char *flag_split(const char *arg, size_t *name_len)
{
    *name_len = strcspn(arg, "=");
    return arg[*name_len] ? arg + *name_len + 1 : NULL;
}

void flag_print_notes(const struct flag *f, FILE *out)
{
    if (f->choices)
        fprintf(out, " (%s)", f->choices);
    if (f->fallback)
        fprintf(out, " [%s]", f->fallback);
}
