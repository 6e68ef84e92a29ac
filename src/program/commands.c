#include "program/commands.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "diag/diag.h"
#include "program/command.h"
#include "program/health.h"
#include "program/ports.h"
#include "program/service.h"

/* ---- serve, api, worker ---- */

int commands_serve(const struct config *config, char **args, int args_len)
{
    int status = command_no_arguments(args, args_len);

    return status ? status : service_run(config, SERVICE_API | SERVICE_WORKER);
}

int commands_api(const struct config *config, char **args, int args_len)
{
    int status = command_no_arguments(args, args_len);

    return status ? status : service_run(config, SERVICE_API);
}

int commands_worker(const struct config *config, char **args, int args_len)
{
    int status = command_no_arguments(args, args_len);

    return status ? status : service_run(config, SERVICE_WORKER);
}

/* ---- migrate ---- */

static bool goes_on(void *ctx)
{
    return true; /* a signal ends the process */
}

int commands_migrate(const struct config *config, char **args, int args_len)
{
    const struct store_patience patience = {.goes_on = goes_on};
    struct store *store = NULL;
    struct errbuf err = ERRBUF_INIT;
    int status = command_no_arguments(args, args_len);

    if (status)
        return status;
    if (ports_open_store(config, &store, &err) || store_migrate_patiently(store, &patience, &err))
        status = command_fail(&err);
    else
        diag(DIAG_INFO, "the store is ready");
    store_free(store);
    return status;
}

/* ---- health ---- */

/* PORT 0 is whatever was free at the start, and METRICS_PORT 0 is none: nobody can be asked there.
 */
static int ask_port(const char *name, const struct health *at, struct errbuf *err)
{
    if (!at->port)
        return errbuf_fail(err, LM_EUNAVAILABLE, "%s is 0: no port that could be asked", name);
    return health_ask(at, err);
}

int commands_health(const struct config *config, char **args, int args_len)
{
    const char *role = args_len > 0 ? args[0] : "any";
    bool any = args_len == 0;
    bool api = any || strcmp(role, "api") == 0;
    bool worker = any || strcmp(role, "worker") == 0;
    struct errbuf err = ERRBUF_INIT;
    struct health at_port = {.host = config->host,
                             .port = config->port,
                             .is_tls = config_port_is_tls(config),
                             .needs_certificate = config_needs_certificates(config)};
    struct health at_metrics = {.host = config->host, .port = config->metrics_port};

    if (args_len > 1 || !(api || worker)) {
        fprintf(stderr, "logmill: health: \"%s\" is not one of api, worker\n", args[args_len - 1]);
        return 2;
    }
    if (api && ask_port("PORT", &at_port, &err) == 0)
        return 0;
    if (any && !config->metrics_port)
        return command_fail(&err); /* of the two reasons the one that tells more */
    if (worker && ask_port("METRICS_PORT", &at_metrics, &err) == 0)
        return 0;
    return command_fail(&err);
}

/* ---- config ---- */

int commands_config(const struct config *config, char **args, int args_len)
{
    if (args_len == 0) {
        config_print(config, stdout);
    } else if (args_len == 1 && strcmp(args[0], "markdown") == 0) {
        config_print_markdown(stdout);
    } else {
        fprintf(stderr, "logmill: config: \"%s\" is not expected; allowed: markdown\n", args[0]);
        return 2;
    }
    return 0;
}
