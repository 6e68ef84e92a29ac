#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "access/places.h"
#include "cli/complete.h"
#include "cli/http_client.h"
#include "cli/manual.h"
#include "cli/terminal.h"

#define TABLES(...) ((const struct flag *const[]){__VA_ARGS__, common, help, NULL})
#define TABLES_OF_STORE(...) ((const struct flag *const[]){__VA_ARGS__, help, NULL})

static const struct flag common[] = {
    {.name = "url",
     .value = "URL",
     .env = "LOGMILL_URL",
     .fallback = "http://127.0.0.1:8000",
     .help = "the server"},
    {.name = "ca-file",
     .value = "FILE",
     .env = "LOGMILL_CA_FILE",
     .help = "certificates (PEM) that vouch for an https:// server; else the system's"},
    {.name = "key-file",
     .value = "FILE",
     .env = "LOGMILL_KEY_FILE",
     .help = "whose first line is the key for it; or LOGMILL_KEY in the environment is the key"},
    {.name = NULL},
};

static const struct flag help[] = {
    {.name = "help", .letter = 'h', .help = "this text"},
    {.name = NULL},
};

static const struct flag filters[] = {
    {.name = "since",
     .value = "TIME",
     .help = "logs from then on: 2026-11-25, 2026-11-25T10:00:00+01:00 (UTC where no zone is "
             "given); 15m, 2h, 3d: so long ago; now-1h; today or yesterday, by local time"},
    {.name = "until", .value = "TIME", .help = "logs before then"},
    {.name = "level", .value = "LEVEL", .help = "logs of this level; repeated: of any of these"},
    {.name = "not-level", .value = "LEVEL", .help = "logs of no such level"},
    {.name = "text",
     .letter = 'q',
     .value = "TEXT",
     .help = "logs whose message has this text, without case"},
    {.name = "not-text", .value = "TEXT", .help = "logs whose message does not have it"},
    {.name = "attr", .value = "NAME=VALUE", .is_pair = true, .help = "logs with this attribute"},
    {.name = "not-attr", .value = "NAME=VALUE", .is_pair = true, .help = "logs without it"},
    {.name = NULL},
};

static const struct flag look[] = {
    {.name = "local", .help = "times as local ones, with their zone, not in UTC"},
    {.name = "color",
     .value = "WHEN",
     .choices = "auto|always|never",
     .fallback = "auto",
     .help = "auto: on a terminal, unless NO_COLOR is set"},
    {.name = NULL},
};

static const struct flag send_flags[] = {
    {.name = "level", .value = "LEVEL", .fallback = "info", .help = "of logs that do not have one"},
    {.name = "attr",
     .value = "NAME=VALUE",
     .is_pair = true,
     .help = "an attribute of all logs that have neither it nor an id; may be repeated"},
    {.name = "format",
     .value = "FORMAT",
     .choices = "auto|json|logfmt|nginx|apache|syslog|journal|cri|docker|raw|plain",
     .fallback = "auto",
     .help =
         "of the lines; auto: JSON, or what the first line that is of one of these forms is of, "
         "or text; raw (plain is the same): text alone"},
    {.name = "zone",
     .value = "ZONE",
     .help = "of times that say none, as TZ has it: UTC, Europe/Berlin; default: local time"},
    {.name = "multiline", .help = "a stack trace is one log (Java, Python, Go, Node, .NET)"},
    {.name = "multiline-first",
     .value = "PATTERN",
     .help = "a log is a line that begins so, a POSIX extended regular expression, with all lines "
             "up to the next one"},
    {.name = "multiline-timeout",
     .value = "SECONDS",
     .min = 1,
     .max = 3600,
     .help =
         "for which a log waits for more of its lines; default: 1, of files that are followed 5"},
    {.name = "timeout",
     .value = "SECONDS",
     .fallback = "0",
     .min = 0,
     .max = 86400,
     .help = "give up when the server does not take logs for so long; 0: never"},
    {.name = NULL},
};

static const struct flag follow_flags[] = {
    {.name = "follow",
     .letter = 'f',
     .help = "the lines of FILEs, 'PATTERN's and all files of DIRs, each once, through every "
             "rotation"},
    {.name = "from",
     .value = "PLACE",
     .choices = "saved|start|end",
     .fallback = "saved",
     .help = "where in files to begin; saved: where the last --follow was, in others at their "
             "beginning; end: what is there already is passed over"},
    {.name = "exclude",
     .value = "PATTERN",
     .help = "files of such names are not followed; may be repeated"},
    {.name = "offset", .help = "the attribute offset: the byte of the file that a log begins at"},
    {.name = "state",
     .value = "FILE",
     .help = "what --follow has to remember; one of them a state; default: "
             "$XDG_STATE_HOME/logmill/follow.db"},
    {.name = "status", .help = "print how far --follow is, and end"},
    {.name = "output",
     .value = "FORM",
     .choices = "pretty|json",
     .help = "form of --status; default: pretty on a terminal, json (a line each) elsewhere"},
    {.name = NULL},
};

static const struct flag import_flags[] = {
    {.name = "keep-going",
     .help =
         "leave out, and count, what cannot be a log, and send the rest; else import ends there"},
    {.name = NULL},
};

static const struct flag query_flags[] = {
    {.name = "limit",
     .letter = 'n',
     .value = "N",
     .fallback = "100",
     .min = 1,
     .max = 100000,
     .help = "the newest N that match"},
    {.name = "all", .help = "all that match, newest first"},
    {.name = "reverse", .letter = 'r', .help = "newest first, not last"},
    {.name = "oldest", .help = "the oldest N that match, or all, oldest first"},
    {.name = "fields",
     .value = "FIELDS",
     .help = "only these attributes, with commas: service,http.status"},
    {.name = "around",
     .value = "ID",
     .help = "the log with this id, and what came before and after it of what matches"},
    {.name = "before",
     .value = "N",
     .fallback = "10",
     .min = 0,
     .max = 500,
     .help = "with --around: logs before it"},
    {.name = "after",
     .value = "N",
     .fallback = "10",
     .min = 0,
     .max = 500,
     .help = "with --around: logs after it"},
    {.name = "same",
     .value = "FIELDS",
     .help = "with --around: logs with the same values of these, with commas: service,host"},
    {.name = "output",
     .value = "FORM",
     .choices = "pretty|json|csv|message",
     .help = "form of the logs; default: pretty on a terminal, json (a line each) elsewhere"},
    {.name = NULL},
};

static const struct flag stats_flags[] = {
    {.name = "by",
     .value = "FIELDS",
     .fallback = "level",
     .help = "group by up to four fields, with commas: level, message, pattern (messages without "
             "their numbers), or attributes by their path: service,http.status"},
    {.name = "value",
     .value = "VALUES",
     .help = "with commas: count, sum(x), avg(x), min(x), max(x), p50(x) to p99.9(x), distinct(x)"},
    {.name = "bucket",
     .value = "LENGTH",
     .help = "the same for each 90s, 5m, 1h or 1d, where there are logs"},
    {.name = "top",
     .value = "N",
     .fallback = "10",
     .min = 1,
     .max = 1000,
     .help = "the N groups with the most logs, and all others together"},
    {.name = "output",
     .value = "FORM",
     .choices = "pretty|json|csv",
     .help = "pretty: a table with bars; default: pretty on a terminal, json (the answer of "
             "GET /logs/stats) elsewhere"},
    {.name = NULL},
};

static const struct flag fields_flags[] = {
    {.name = "top",
     .value = "N",
     .fallback = "10",
     .min = 1,
     .max = 1000,
     .help = "the N values in the most logs; of all fields, at most 100 of each"},
    {.name = "prefix", .value = "TEXT", .help = "of PATH: only values that begin so"},
    {.name = "output",
     .value = "FORM",
     .choices = "pretty|json|csv",
     .help = "pretty: a table with bars; default: pretty on a terminal, json (the answer of "
             "GET /logs/fields) elsewhere"},
    {.name = NULL},
};

static const struct flag patterns_flags[] = {
    {.name = "new-since",
     .value = "TIME",
     .help = "only those that were not met before then, as far back as --since says"},
    {.name = "top",
     .value = "N",
     .fallback = "10",
     .min = 1,
     .max = 1000,
     .help = "the N patterns with the most logs"},
    {.name = "output",
     .value = "FORM",
     .choices = "pretty|json|csv",
     .help = "pretty: a table with bars; default: pretty on a terminal, json (the answer of "
             "GET /logs/patterns) elsewhere"},
    {.name = NULL},
};

static const struct flag tail_flags[] = {
    {.name = "lines",
     .letter = 'n',
     .value = "N",
     .fallback = "10",
     .min = 0,
     .max = 1000,
     .help = "show the newest N that are stored first"},
    {.name = "output",
     .value = "FORM",
     .choices = "pretty|json|message",
     .help = "form of the logs; default: pretty on a terminal, json (a line each) elsewhere"},
    {.name = NULL},
};

static const struct flag export_flags[] = {
    {.name = "format",
     .value = "FORMAT",
     .choices = "ndjson|csv",
     .fallback = "ndjson",
     .help = "of the output"},
    {.name = "output",
     .letter = 'o',
     .value = "FILE",
     .help = "written as FILE.part, and renamed when it is whole; default: standard output"},
    {.name = "fields",
     .value = "FIELDS",
     .help = "only these attributes, with commas: service,http.status"},
    {.name = NULL},
};

static const struct flag delete_flags[] = {
    {.name = "all", .help = "all logs: where no condition is given"},
    {.name = "yes", .help = "do it; without this flag nothing is deleted, only counted"},
    {.name = "reason", .value = "TEXT", .help = "why, for the diagnostics; needed with --yes"},
    {.name = NULL},
};

static const struct flag store_flags[] = {
    {.name = "json", .help = "info as one JSON object"},
    {.name = NULL},
};

static const struct flag keys_flags[] = {
    {.name = "role",
     .value = "ROLE",
     .choices = "write|read|admin",
     .help = "what add makes a key for: write sends logs, read reads them, admin does everything"},
    {.name = "certificate",
     .value = "NAME",
     .help = "no key is made: whoever has a certificate of this name, which TLS_CLIENT_CA_FILE "
             "vouches for, may do what a key of this kind may"},
    {.name = "expires",
     .value = "LENGTH",
     .help = "after which the key ends: 90d, 12h, 4w; default: never"},
    {.name = "set",
     .value = "NAME=VALUE",
     .is_pair = true,
     .help =
         "an attribute that all logs sent with the key get, whatever they say; may be repeated"},
    {.name = "only",
     .value = "QUERY",
     .help = "nothing but logs that match can be read with the key"},
    {.name = "rate",
     .value = "N/s",
     .help = "logs a second that may be sent with the key; more are refused for as long as that "
             "takes: 5000/s, 10k/s; default: any number"},
    {.name = "bytes",
     .value = "BYTES/s",
     .help = "bytes a second of their bodies, unpacked: 10MB/s, 512KiB/s"},
    {.name = "connections",
     .value = "N",
     .min = 1,
     .max = PLACES_MAX,
     .help = "that may be open with the key at once; more are refused; default: three quarters of "
             "MAX_CONNECTIONS"},
    {.name = "scans",
     .value = "N",
     .min = 1,
     .max = PLACES_MAX,
     .help = "reads at once, but those of single logs; default: three quarters of MAX_READS"},
    {.name = "tails",
     .value = "N",
     .min = 1,
     .max = PLACES_MAX,
     .help = "live tails at once; default: three quarters of MAX_TAILS"},
    {.name = "overlap",
     .value = "LENGTH",
     .fallback = "1d",
     .help = "for which the key before goes on to hold after rotate"},
    {.name = NULL},
};

/* As in `common`, but that no server is asked which is not named. */
static const struct flag keys_server_flags[] = {
    {.name = "url",
     .value = "URL",
     .env = "LOGMILL_URL",
     .help = "of list: the server that is asked how much was sent with each key; not set: none"},
    {.name = "ca-file",
     .value = "FILE",
     .env = "LOGMILL_CA_FILE",
     .help = "certificates (PEM) that vouch for an https:// server; else the system's"},
    {.name = "key-file",
     .value = "FILE",
     .help = "of list: what has the key for it, where OPS_ACCESS asks for one; else LOGMILL_KEY"},
    {.name = NULL},
};

static const struct flag none[] = {{.name = NULL}};

/* The exit status after something was printed. */
static int printed(void)
{
    bool failed = fflush(stdout) != 0 || ferror(stdout);

    if (failed)
        fprintf(stderr, "logmill: cannot write to standard output: %s\n", strerror(errno));
    return failed;
}

static int print_completion(const struct flags *flags)
{
    const char *shell = flags->args_len > 0 ? flags->args[0] : "";

    if (strcmp(shell, "bash") == 0) {
        manual_print_bash(client_commands, stdout);
    } else if (strcmp(shell, "zsh") == 0) {
        manual_print_zsh(client_commands, stdout);
    } else if (strcmp(shell, "word") == 0) { /* what those scripts run */
        complete_print(flags, flags->args_len > 1 ? flags->args[1] : "");
    } else {
        terminal_say("completion", "\"%s\" is not one of bash, zsh", shell);
        return CLIENT_USAGE;
    }
    return printed();
}

static int print_man(const struct flags *flags)
{
    manual_print_man(client_commands, stdout);
    return printed();
}

const struct client_command client_commands[] = {
    {"send", "[MESSAGE… | --follow FILE…]",
     "send a message, the lines of standard input, or those of files as they grow",
     "Lines leave in batches, after 0.2 s at the latest. While the server is away they are sent "
     "again and again, with ids of their own, so that nothing is lost and nothing is stored twice; "
     "no more is read meanwhile. SIGINT and SIGTERM send what was read, and end.\n"
     "A JSON object that cannot be a log is named on standard error by its line, the others are "
     "sent, and the exit status is 1. An empty line is no log; a plain one of more than 128 KiB "
     "becomes several.\n"
     "A line that is not of the format is the message of a log as it is. Of text, the time and the "
     "level that it begins with are the log's. With --multiline a log waits a second for more of "
     "its lines, and has at most 1,000 and 128 KiB.\n"
     "--follow sends the lines of files as they grow, each once: through renames, copies, "
     "truncation, compression and deletion, through a crash of anything, and after any time "
     "without a server. FILEs need not be there yet; PATTERNs with *, ?, [] and ** are to be in "
     "quotes; of DIRs it takes all files. It goes on until a signal, and from there at the next "
     "start. --status tells how far it is; its exit status is 1 if nobody follows.\n",
     TABLES(send_flags, follow_flags), -1, client_send},
    {"query", "[QUERY]", "show logs that are stored, newest last",
     "QUERY, best in quotes, is in the language of docs/query.md: 'level:>=error service:pay "
     "since:2h', '\"pool exhausted\" -host:web-*', 'http.status:[500 TO 599] OR /time.?out/'. "
     "Flags, which choose logs as well, are ANDed to it.\n"
     "--around shows one log among its neighbours, marked: `logmill query --around ID --same "
     "service,host 'level:>=info'`.\n"
     "Control characters of logs are made visible on a terminal.\n",
     TABLES(filters, query_flags, look), -1, client_query},
    {"stats", "[QUERY]", "count logs by their fields, and sum and compare numbers",
     "Of the last 24 hours, unless QUERY or --since says more: `logmill stats 'level:>=error "
     "since:7d' --by service --value 'p95(ms),distinct(user.id)'`. What is approximate, for there "
     "are very many groups or values, is said on standard error.\n",
     TABLES(filters, stats_flags), -1, client_stats},
    {"fields", "[PATH] [QUERY]", "which fields logs have, and their values",
     "Of the last 24 hours, unless QUERY or --since says more. PATH is the first word, if it is a "
     "name alone: `logmill fields http.status 'service:pay since:7d'` lists its values.\n",
     TABLES(filters, fields_flags), -1, client_fields},
    {"patterns", "[QUERY]", "messages by what they have in common",
     "Of the last 24 hours, unless QUERY or --since says more. `logmill patterns --since 7d "
     "--new-since 1h` lists what was not met before.\n",
     TABLES(filters, patterns_flags), -1, client_patterns},
    {"tail", "[QUERY]", "follow logs as they are stored",
     "Comes back by itself where the connection breaks, without a gap or a repeat. Says on "
     "standard "
     "error where logs were missed.\n",
     TABLES(filters, tail_flags, look), -1, client_tail},
    {"import", "FILE…", "send files of logs, plain or as gzip, zstd or xz",
     "Takes what export writes (times and ids are kept), answers of GET /logs, and what send "
     "takes. "
     "Importing the same file again, grown or copied, stores nothing twice: so an import that "
     "broke "
     "off is run again. A log without a time gets that of the log before it, or else of the first "
     "one after it; where no log has a time, that of the file's change when it was first imported, "
     "and a microsecond for each log.\n",
     TABLES(send_flags, import_flags), -1, client_import},
    {"export", "[QUERY]", "write all logs that match, newest first",
     "An export that breaks off fails: it is never a short file.\n", TABLES(filters, export_flags),
     -1, client_export},
    {"mcp", "", "answer an assistant that looks into logs (Model Context Protocol, stdio)",
     "For the settings of the assistant, which starts it: it reads requests of JSON-RPC from "
     "standard input, a line each, asks the server, and writes the answers to standard output, "
     "until the input ends. The server answers the same at POST /mcp. Nothing can be changed by "
     "it. Tools, and how much they answer: docs/mcp.md.\n",
     TABLES(none), 0, client_mcp},
    {"delete", "[QUERY]", "delete the logs that match, for ever",
     "Without --yes it only counts them, and prints the line that deletes them. What is deleted "
     "cannot be had back: only a backup still has it.\n"
     "Works on the store of the settings (--data-dir, DATABASE_URL, …: `logmill help`), while "
     "logmill runs or not. The logs are hidden at once from reads, counts, tails and the cache "
     "(REDIS_URL); their bytes are gone when the store is compacted next: `logmill store compact` "
     "does that now. A message that the queue delivers once more does not bring them back, for 15 "
     "days; logs that still wait in the queue are not seen. Stopped in the middle, it is run "
     "again.\n"
     "One line of the diagnostics says who deleted how many, by which conditions and why; neither "
     "texts nor values of the conditions are in it.\n",
     TABLES_OF_STORE(filters, delete_flags), 0, NULL},
    {"store", "info|verify|compact|recount",
     "look into the store, check it, make it small, count its logs anew",
     "info tells how many logs there are, and where the bytes go: what is recent, hot and cold, "
     "each column and attribute, and what is free.\n"
     "verify reads all of it, and names what is damaged, of which time, and what to do; exit "
     "status 1 then.\n"
     "compact does at once what is done in the background otherwise.\n"
     "These three are for a store in DATA_DIR. recount is for one in PostgreSQL: it counts the "
     "logs of each minute and level anew, after partitions were changed by hand. All may be run "
     "while logmill runs.\n",
     TABLES_OF_STORE(store_flags), 1, NULL},
    {"keys", "add NAME|list|revoke NAME|rotate NAME",
     "make, list, revoke and rotate the keys in KEYS_FILE",
     "add makes a key and prints it, this once: the file has its SHA-256 alone. rotate makes a new "
     "one in the place of one that ends with --overlap. A server whose KEYS_FILE it is takes every "
     "change within two seconds. list also tells, where a server is named, how many logs and bytes "
     "were sent to it with each key since it has started, and how many requests refused.\n",
     TABLES_OF_STORE(keys_flags, keys_server_flags), 2, NULL},
    {"completion", "bash|zsh", "print a completion script for this shell", "", TABLES(none), 2,
     print_completion},
    {"man", "", "print the manual page, as roff", "", TABLES(none), 0, print_man},
    {.name = NULL},
};

const struct client_command *client_find(const char *name)
{
    for (const struct client_command *c = client_commands; c->name; c++)
        if (strcmp(c->name, name) == 0)
            return c;
    return NULL;
}

bool client_parse(const struct client_command *command, char **args, int args_len,
                  struct flags *flags, int *status)
{
    struct errbuf err = ERRBUF_INIT;

    if (flags_parse(flags, command, args, args_len, &err)) {
        terminal_say(command->name, "%s", err.text);
        *status = CLIENT_USAGE;
        return false;
    }
    if (flags_has(flags, "help")) {
        manual_print_help(command, stdout);
        *status = printed();
        return false;
    }
    return true;
}

int client_run(const struct client_command *command, char **args, int args_len)
{
    struct flags flags;
    int status;

    return client_parse(command, args, args_len, &flags, &status) ? command->run(&flags) : status;
}
