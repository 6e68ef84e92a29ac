/* The commands of logmill: each parses its settings, opens what it needs, and runs. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <uv.h>

#include "base/errbuf.h"
#include "base/xalloc.h"
#include "cli/cli.h"
#include "diag/diag.h"
#include "program/backup.h"
#include "program/commands.h"
#include "program/config.h"
#include "program/delete.h"
#include "program/keys_command.h"
#include "program/store_commands.h"

enum { EXIT_USAGE = 2 };

struct command {
    const char *name;
    int (*run)(const struct config *config, char **args, int args_len);
    const char *help;
};

/* One that has flags of its own (cli/cli.h) besides the settings; `args` are neither. */
struct flagged_command {
    const char *name;
    int (*run)(const struct config *config, const struct flags *flags, char **args, int args_len);
    const char *help;
};

static int help(const struct config *config, char **args, int args_len);
static int version(const struct config *config, char **args, int args_len);

static const struct command commands[] = {
    {"serve", commands_serve, "take, store and read logs, in one process"},
    {"api", commands_api, "the HTTP side alone: takes logs into the queue, and reads the store"},
    {"worker", commands_worker, "the storing side alone: moves logs from the queue to the store"},
    {"migrate", commands_migrate, "make the store ready, or bring it to this version"},
    {"dead-letters", commands_dead_letters,
     "list logs that could not be stored, or `requeue [ID…]` to try them again"},
    {"backup", backup_command,
     "copy what is in DATA_DIR to one file: `backup FILE`, also while it runs"},
    {"restore", backup_restore_command, "fill an empty DATA_DIR from such a file: `restore FILE`"},
    {"health", commands_health, "succeed if the api or worker of these settings is alive"},
    {"config", commands_config, "all settings and their values; `config markdown`: as a table"},
    {"help", help, "this text"},
    {"version", version, "the version of this program"},
};

static const struct flagged_command flagged[] = {
    {"delete", delete_command, "delete the logs that match, for ever: `delete --help`"},
    {"keys", keys_command, "make, list, revoke and rotate the keys in KEYS_FILE: `keys --help`"},
    {"store", store_commands_run,
     "look into the store in DATA_DIR, check it, make it small: `info`, `verify`, `compact`"},
};

enum {
    COMMANDS_LEN = sizeof(commands) / sizeof(commands[0]),
    FLAGGED_LEN = sizeof(flagged) / sizeof(flagged[0]),
};

static int help(const struct config *config, char **args, int args_len)
{
    puts("logmill: takes logs over HTTP, makes them durable before it answers, stores them once,\n"
         "and finds them again.\n\nusage: logmill COMMAND [--flag value]…\n\ncommands:");
    for (int i = 0; i < COMMANDS_LEN; i++)
        printf("  %-14s %s\n", commands[i].name, commands[i].help);
    for (int i = 0; i < FLAGGED_LEN; i++)
        printf("  %-14s %s\n", flagged[i].name, flagged[i].help);
    puts(
        "\ncommands that talk to a server (--url, or LOGMILL_URL), each with a --help of its own:");
    for (const struct client_command *c = client_commands; c->name; c++)
        if (c->run)
            printf("  %-14s %s\n", c->name, c->summary);
    puts("\nserve, api and worker: --take-over takes the place of the process that runs on "
         "DATA_DIR,\n"
         "with its open sockets, so that no client is refused");
    puts("\nsettings: flags, each also an environment variable (--data-dir: DATA_DIR), [default]:");
    config_print_flags(stdout);
    puts("\na first log:\n  curl http://127.0.0.1:8000/log -H 'content-type: application/json' \\\n"
         "       -d '{\"message\":\"hello\",\"level\":\"info\"}'");
    return 0;
}

static int version(const struct config *config, char **args, int args_len)
{
    if (puts("logmill " LOGMILL_VERSION) >= 0 && fflush(stdout) == 0)
        return 0;
    fprintf(stderr, "logmill: cannot write to standard output: %s\n", strerror(errno));
    return 1;
}

static const struct command *find_command(const char *name)
{
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        name = "help";
    if (strcmp(name, "--version") == 0)
        name = "version";
    for (int i = 0; i < COMMANDS_LEN; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static int usage_error(const char *text)
{
    fprintf(stderr, "logmill: %s\n", text);
    return EXIT_USAGE;
}

/* True if one of `args` asks for help. */
static bool wants_help(char **args, int args_len)
{
    for (int i = 0; i < args_len; i++)
        if (strcmp(args[i], "--help") == 0 || strcmp(args[i], "-h") == 0)
            return true;
    return false;
}

static void set_up_diagnostics(const struct config *config)
{
    static const char *const levels[] = {"debug", "info", "warn", "error"};

    for (int i = 0; i < 4; i++)
        if (strcmp(config->log_level, levels[i]) == 0)
            diag_set_level((enum diag_level)i);
    diag_set_json(strcmp(config->log_format, "json") == 0   ? 1
                  : strcmp(config->log_format, "text") == 0 ? 0
                                                            : -1);
}

/* Were one of 0 to 2 closed, the next file opened would get its number, and our diagnostics. */
static int occupy_standard_descriptors(void)
{
    int fd;

    do {
        fd = open("/dev/null", O_RDWR);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    return fd < 0 ? -1 : close(fd);
}

/*
 * What every command needs before it does anything. `runs`: it is one that --take-over is for.
 * Returns an exit status, or -1 to go on.
 */
static int load(struct config *config, char **args, int args_len, int *rest_len, bool runs)
{
    struct errbuf err = ERRBUF_INIT;

    if (config_load(config, args, args_len, rest_len, &err))
        return usage_error(err.text);
    if (config->take_over && !runs)
        return usage_error("--take-over is a flag of serve, api and worker");
    set_up_diagnostics(config);
    /* libuv's allocations are small, and some of its own ways to fail are a bare abort(). */
    uv_replace_allocator(xmalloc, xrealloc, xcalloc, free);
    return -1;
}

static int run_flagged(const struct client_command *parsed, char **args, int args_len)
{
    struct config config;
    struct flags flags;
    int rest_len;
    int status;

    if (!client_parse(parsed, args, args_len, &flags, &status))
        return status;
    status = load(&config, args, flags.args_len, &rest_len, false);
    for (int i = 0; status < 0 && i < FLAGGED_LEN; i++)
        if (strcmp(flagged[i].name, parsed->name) == 0)
            return flagged[i].run(&config, &flags, args, rest_len);
    return status;
}

int main(int argc, char **argv)
{
    struct errbuf err = ERRBUF_INIT;
    const struct client_command *client_command;
    const struct command *command;
    struct config config;
    int rest_len;

    if (occupy_standard_descriptors())
        return 1;
    if (argc < 2)
        return usage_error("no command given; `logmill help` lists them");
    signal(SIGPIPE, SIG_IGN); /* a client that has gone is an error of one write */
    signal(SIGXFSZ, SIG_IGN); /* and a file at its limit likewise */
    client_command = client_find(argv[1]);
    if (client_command && client_command->run)
        return client_run(client_command, argv + 2, argc - 2);
    if (client_command)
        return run_flagged(client_command, argv + 2, argc - 2);
    command = find_command(argv[1]);
    if (!command) {
        errbuf_set(&err, "%s: no such command; `logmill help` lists them", argv[1]);
        return usage_error(err.text);
    }
    if (wants_help(argv + 2, argc - 2))
        return help(NULL, NULL, 0);
    if (command->run == version) /* says what it is even if a setting is wrong */
        return argc > 2 ? usage_error("version takes no arguments") : version(NULL, NULL, 0);
    bool runs = command->run == commands_serve || command->run == commands_api ||
                command->run == commands_worker;
    int status = load(&config, argv + 2, argc - 2, &rest_len, runs);
    return status < 0 ? command->run(&config, argv + 2, rest_len) : status;
}
