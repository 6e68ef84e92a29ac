#include "cli/flags.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_SIZE = 64 }; /* of "--" and the name of a flag */

static const struct flag *find(const struct client_command *command, const char *name, size_t len)
{
    for (const struct flag *const *table = command->tables; *table; table++)
        for (const struct flag *f = *table; f->name; f++)
            if (strlen(f->name) == len && memcmp(f->name, name, len) == 0)
                return f;
    return NULL;
}

static const struct flag *find_letter(const struct client_command *command, char letter)
{
    for (const struct flag *const *table = command->tables; *table; table++)
        for (const struct flag *f = *table; f->name; f++)
            if (f->letter && f->letter == letter)
                return f;
    return NULL;
}

/* The flag that `arg` is: --name, --name=value, -n or -nVALUE (then *value is set). */
static const struct flag *flag_of(const struct client_command *command, char *arg,
                                  const char **value)
{
    size_t len;

    if (arg[1] != '-') {
        *value = arg[2] ? arg + 2 : NULL;
        return find_letter(command, arg[1]);
    }
    *value = flag_split(arg, &len);
    return find(command, arg + 2, len - 2);
}

int flags_parse(struct flags *flags, const struct client_command *command, char **args,
                int args_len, struct errbuf *err)
{
    bool is_over = false;
    int error;

    *flags = (struct flags){.command = command, .args = args};
    for (int i = 0; i < args_len; i++) {
        const char *name = args[i], *value;
        const struct flag *f;
        char shown[SHOWN_SIZE];

        if (is_over || name[0] != '-' || !name[1]) {
            args[flags->args_len++] = args[i];
            continue;
        }
        is_over = strcmp(name, "--") == 0;
        if (is_over)
            continue;
        f = flag_of(command, args[i], &value);
        if (!f && !command->run && name[1] == '-') { /* a setting, which always has a value */
            args[flags->args_len++] = args[i];
            if (!value && i + 1 < args_len)
                args[flags->args_len++] = args[++i];
            continue;
        }
        if (!f)
            return errbuf_fail(err, LM_EINVAL, "%s: no such flag; `logmill %s --help` lists them",
                               name, command->name);
        if (!f->value && value)
            return errbuf_fail(err, LM_EINVAL, "%s: --%s takes no value", name, f->name);
        if (f->value && !value && ++i < args_len)
            value = args[i];
        if (f->value && !value)
            return errbuf_fail(err, LM_EINVAL, "%s: needs a value, %s", name, f->value);
        snprintf(shown, sizeof(shown), "--%s", f->name);
        if (f->value && (error = flag_check(f, shown, value, err)))
            return error;
        if (flags->given_len == FLAGS_MAX)
            return errbuf_fail(err, LM_EINVAL, "more than %d flags", FLAGS_MAX);
        flags->given[flags->given_len].flag = f;
        flags->given[flags->given_len++].value = value;
    }
    if (command->run && command->max_arguments >= 0 && flags->args_len > command->max_arguments)
        return errbuf_fail(err, LM_EINVAL, "%s: not expected here; `logmill %s --help` tells more",
                           args[command->max_arguments], command->name);
    return 0;
}

bool flags_has(const struct flags *flags, const char *name)
{
    for (int i = 0; i < flags->given_len; i++)
        if (strcmp(flags->given[i].flag->name, name) == 0)
            return true;
    return false;
}

const char *flags_text(const struct flags *flags, const char *name)
{
    const struct flag *f = find(flags->command, name, strlen(name));
    const char *value;

    assert(f);
    for (int i = flags->given_len; i-- > 0;)
        if (flags->given[i].flag == f)
            return flags->given[i].value;
    value = f->env ? getenv(f->env) : NULL;
    return value && value[0] ? value : f->fallback;
}

uint64_t flags_number(const struct flags *flags, const char *name)
{
    const char *text = flags_text(flags, name);

    return text ? strtoull(text, NULL, 10) : 0;
}
