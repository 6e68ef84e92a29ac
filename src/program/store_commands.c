#include "program/store_commands.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/terminal.h"
#include "diag/diag.h"
#include "program/command.h"
#include "program/data_dir.h"
#include "program/ports.h"
#include "store/store.h"

static int open_store(const struct config *config, struct store **store, struct errbuf *err)
{
    if (!ports_store_is_embedded(config))
        return errbuf_fail(err, LM_EINVAL,
                           "by these settings the logs are in PostgreSQL, which has means of its "
                           "own: pg_total_relation_size, pg_amcheck, VACUUM");
    int error = data_dir_check_restored(config->data_dir, err);
    if (!error)
        error = data_dir_find(config->data_dir, "logs.db", err);
    return error ? error : ports_open_store(config, store, err);
}

/* ---- compact ---- */

static int compact(struct store *store, const struct flags *flags, struct errbuf *err)
{
    uint64_t began_us = clock_monotonic_us();
    struct store_keeper *k = store_keeper_new(store, err);
    unsigned wait_ms = 0;
    int error = k ? 0 : LM_EIO;

    for (unsigned steps = 1; !error && wait_ms == 0; steps++) {
        error = store_keeper_step(k, true, &wait_ms, err);
        terminal_progress("compacting: step", steps, 0);
    }
    terminal_clear_status();
    store_keeper_free(k);
    if (!error)
        diag(DIAG_INFO, "compacted",
             DIAG_INT("ms", (int64_t)((clock_monotonic_us() - began_us) / 1000)));
    return error;
}

/* ---- All ---- */

static const struct {
    const char *name;
    int (*run)(struct store *store, const struct flags *flags, struct errbuf *err);
} verbs[] = {
    {"compact", compact},
};

int store_commands_run(const struct config *config, const struct flags *flags, char **args,
                       int args_len)
{
    struct errbuf err = ERRBUF_INIT;
    struct store *store = NULL;
    int error = LM_EINVAL;
    size_t i = 0;

    while (args_len == 1 && i < sizeof(verbs) / sizeof(verbs[0]) &&
           strcmp(verbs[i].name, args[0]) != 0)
        i++;
    if (args_len != 1 || i == sizeof(verbs) / sizeof(verbs[0])) {
        terminal_say("store", "one of info, verify, compact is expected");
        return COMMAND_USAGE;
    }
    error = open_store(config, &store, &err);
    if (!error)
        error = verbs[i].run(store, flags, &err);
    store_free(store);
    if (error && err.text[0] == '\0')
        errbuf_set(&err, "%s", lm_error_text(error));
    return error ? command_fail(&err) : 0;
}
