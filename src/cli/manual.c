#include "cli/manual.h"

#include <string.h>

#define FOR_EACH_FLAG(f, command)                                                                  \
    for (const struct flag *const *table_ = (command)->tables; *table_; table_++)                  \
        for (const struct flag *f = *table_; f->name; f++)

static void print_usage_of_flag(const struct flag *f, FILE *out)
{
    char text[64];

    snprintf(text, sizeof(text), "--%s%s%s", f->name, f->value ? " " : "",
             f->value ? f->value : "");
    if (f->letter)
        fprintf(out, "  -%c, %-20s", f->letter, text);
    else
        fprintf(out, "  %-24s", text);
}

static void print_notes(const struct flag *f, FILE *out)
{
    flag_print_notes(f, out);
    if (f->env)
        fprintf(out, "; or %s in the environment", f->env);
}

void manual_print_help(const struct client_command *command, FILE *out)
{
    fprintf(out, "logmill %s: %s\n\nusage: logmill %s [flags]%s%s\n\nflags, [default]:\n",
            command->name, command->summary, command->name, command->arguments[0] ? " " : "",
            command->arguments);
    FOR_EACH_FLAG(f, command)
    {
        print_usage_of_flag(f, out);
        fprintf(out, " %s", f->help);
        print_notes(f, out);
        fputc('\n', out);
    }
    if (!command->run)
        fputs("  and the settings: `logmill help` lists them\n", out);
    if (command->text[0])
        fprintf(out, "\n%s", command->text);
    fputs("\nexit status: 0, 1 where something failed, 2 for wrong usage\n", out);
}

/* ---- The manual page ---- */

/* `len` bytes of `text`, with what roff would take for its own escaped. */
static void print_roff_part(const char *text, size_t len, FILE *out)
{
    static const char ellipsis[] = "…";
    bool is_start = true;

    for (const char *c = text; c < text + len; c++) {
        if (is_start && (*c == '.' || *c == '\''))
            fputs("\\&", out);
        if (*c == '\\')
            fputs("\\e", out);
        else if (*c == '-')
            fputs("\\-", out);
        else if (strncmp(c, ellipsis, strlen(ellipsis)) == 0)
            fputs("\\[u2026]", out), c += strlen(ellipsis) - 1;
        else
            fputc(*c, out);
        is_start = *c == '\n';
    }
}

static void print_roff(const char *text, FILE *out)
{
    print_roff_part(text, strlen(text), out);
}

static void print_roff_flag(const struct flag *f, FILE *out)
{
    fputs(".TP\n.B ", out);
    if (f->letter)
        fprintf(out, "\\-%c, ", f->letter);
    fputs("\\-\\-", out);
    print_roff(f->name, out);
    if (f->value)
        fprintf(out, " \\fI%s\\fR", f->value);
    fputc('\n', out);
    print_roff(f->help, out);
    if (f->choices) {
        fputs(" (", out);
        print_roff(f->choices, out);
        fputc(')', out);
    }
    if (f->fallback) {
        fputs(" [", out);
        print_roff(f->fallback, out);
        fputc(']', out);
    }
    if (f->env)
        fprintf(out, "; or %s in the environment", f->env);
    fputc('\n', out);
}

void manual_print_man(const struct client_command *commands, FILE *out)
{
    fputs(".TH LOGMILL 1 2026-11-25 \"logmill " LOGMILL_VERSION "\"\n"
          ".SH NAME\nlogmill \\- take, store, send and find logs\n"
          ".SH SYNOPSIS\n.B logmill serve\n[\\-\\-setting value]\n"
          ".br\n.B logmill backup\nFILE [\\-\\-setting value]\n"
          ".br\n.B logmill restore\nFILE [\\-\\-setting value]\n",
          out);
    for (const struct client_command *c = commands; c->name; c++) {
        fprintf(out, ".br\n.B logmill %s\n[flags]%s", c->name, c->arguments[0] ? " " : "");
        print_roff(c->arguments, out);
        fputc('\n', out);
    }
    fputs(".SH DESCRIPTION\nlogmill takes logs over HTTP, makes them durable before it answers, "
          "stores them once, and finds them again.\n.B logmill help\nlists the commands that "
          "serve, and their settings. The commands here talk to a server over HTTP, but for\n"
          ".B delete\nand\n.B store\nwhich open the store of the settings themselves.\n"
          ".SH LOGMILL BACKUP AND RESTORE\n.B backup\n"
          "copies what is in DATA_DIR to one file, also while logmill runs: all that was "
          "acknowledged before it began is in it.\n.B restore\n"
          "fills a DATA_DIR without data from such a file, and refuses one that is damaged.\n",
          out);
    for (const struct client_command *c = commands; c->name; c++) {
        fputs(".SH LOGMILL ", out);
        print_roff(c->name, out);
        fputc('\n', out);
        print_roff(c->summary, out);
        fputs(".\n", out);
        for (const char *text = c->text; *text;) {
            size_t len = strcspn(text, "\n");

            fputs(".PP\n", out);
            print_roff_part(text, len, out);
            fputc('\n', out);
            text += len + (text[len] != '\0');
        }
        FOR_EACH_FLAG(f, c)
        print_roff_flag(f, out);
    }
    fputs(".SH EXIT STATUS\n0, 1 where something failed, 2 for wrong usage.\n"
          ".SH ENVIRONMENT\n.TP\n.B LOGMILL_URL\nthe server that the commands here talk to.\n"
          ".TP\n.B LOGMILL_KEY\nthe key for it (see keys): no flag, since every user sees flags.\n"
          ".TP\n.B NO_COLOR\nno colours, where it is set.\n",
          out);
}

/* ---- Completion ---- */

static void print_choices(const char *choices, FILE *out)
{
    for (const char *c = choices; *c; c++)
        fputc(*c == '|' ? ' ' : *c, out);
}

void manual_print_bash(const struct client_command *commands, FILE *out)
{
    fputs("# bash completion for logmill\n"
          "# A word of a query: of an open quote all is replaced, else what is behind the last :\n"
          "_logmill_query()\n{\n"
          "    local line=${COMP_LINE:0:COMP_POINT} word=${COMP_WORDS[COMP_CWORD]} token head\n"
          "    token=${line##*[[:space:]\\'\\\"]}\n"
          "    mapfile -t COMPREPLY < <(logmill completion word -- \"$token\" 2>/dev/null)\n"
          "    case $word in\n"
          "    [\\'\\\"]*)\n"
          "        word=${word:1} head=${word%\"$token\"}\n"
          "        COMPREPLY=(\"${COMPREPLY[@]/#/$head}\") ;;\n"
          "    *)\n"
          "        head=${token%\"${token##*[:=<>]}\"}\n"
          "        COMPREPLY=(\"${COMPREPLY[@]#\"$head\"}\") ;;\n"
          "    esac\n"
          "    compopt -o nospace 2>/dev/null\n"
          "}\n\n"
          "_logmill()\n{\n"
          "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}\n"
          "    local command=${COMP_WORDS[1]} words=\n\n"
          "    COMPREPLY=()\n"
          "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
          "        words=$(logmill help 2>/dev/null |\n"
          "            awk '/^commands/ { on = 1; next } /^$/ { on = 0 } on { print $1 }')\n"
          "        mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
          "        return\n    fi\n"
          "    case \"$command $before\" in\n",
          out);
    for (const struct client_command *c = commands; c->name; c++)
        FOR_EACH_FLAG(f, c)
    if (f->choices) {
        fprintf(out, "    '%s --%s') words='", c->name, f->name);
        print_choices(f->choices, out);
        fputs("' ;;\n", out);
    }
    fputs("    'export --output' | 'export -o') words= ;;\n"
          "    'completion completion') words='bash zsh' ;;\n"
          "    'store store') words='info verify compact recount' ;;\n"
          "    *)\n        case \"$command\" in\n",
          out);
    for (const struct client_command *c = commands; c->name; c++) {
        fprintf(out, "        %s) words='", c->name);
        FOR_EACH_FLAG(f, c)
        fprintf(out, "--%s ", f->name);
        fputs("' ;;\n", out);
    }
    fputs("        *) words=$(logmill help 2>/dev/null | awk '$1 ~ /^--/ { print $1 }') ;;\n"
          "        esac\n"
          "        [ \"${word:0:1}\" = - ] || words=\n"
          "        ;;\n"
          "    esac\n"
          "    case \"$command ${word:0:1}$words\" in\n"
          "    *\\ -*) ;;\n"
          "    query\\ * | stats\\ * | fields\\ * | patterns\\ * | tail\\ * | export\\ *)\n"
          "        [ -n \"$words\" ] || [ \"${before:0:1}\" = - ] || _logmill_query ;;\n"
          "    esac\n"
          "    if [ -n \"$words\" ]; then\n"
          "        mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
          "    fi\n"
          "}\ncomplete -o default -F _logmill logmill\n",
          out);
}

/* `text` inside an _arguments specification in single quotes. */
static void print_zsh_text(const char *text, FILE *out)
{
    for (const char *c = text; *c; c++) {
        if (*c == '\'')
            fputs("'\\'", out);
        else if (strchr("[]:\\", *c))
            fputc('\\', out);
        fputc(*c, out);
    }
}

void manual_print_zsh(const struct client_command *commands, FILE *out)
{
    fputs("#compdef logmill\n"
          "_logmill_query() {\n"
          "    local -a found\n"
          "    compset -P '*[ ]'\n"
          "    found=(${(f)\"$(logmill completion word -- \"${(Q)PREFIX}\" 2>/dev/null)\"})\n"
          "    compadd -Q -S '' -a found\n"
          "}\n"
          "_logmill() {\n"
          "    local -a names\n"
          "    if (( CURRENT == 2 )); then\n"
          "        names=(${(f)\"$(logmill help 2>/dev/null |\n"
          "            awk '/^commands/ { on = 1; next } /^$/ { on = 0 }\n"
          "                 on { name = $1; $1 = \"\"; print name \":\" substr($0, 2) }')\"})\n"
          "        _describe command names\n"
          "        return\n    fi\n"
          "    local command=$words[2]\n"
          "    shift words\n    (( CURRENT-- ))\n"
          "    case $command in\n",
          out);
    for (const struct client_command *c = commands; c->name; c++) {
        fprintf(out, "    %s)\n        _arguments -s", c->name);
        FOR_EACH_FLAG(f, c)
        {
            fprintf(out, " \\\n            '*--%s%s[", f->name, f->value ? "=" : "");
            print_zsh_text(f->help, out);
            fputc(']', out);
            if (f->value) {
                fputc(':', out);
                print_zsh_text(f->value, out);
                fputc(':', out);
            }
            if (f->choices) {
                fputc('(', out);
                print_choices(f->choices, out);
                fputc(')', out);
            } else if (f->value && strcmp(f->value, "FILE") == 0) {
                fputs("_files", out);
            }
            fputc('\'', out);
        }
        fprintf(out, " \\\n            '*:%s'\n        ;;\n",
                strcmp(c->name, "import") == 0 || strcmp(c->name, "send") == 0 ? "file:_files"
                : strcmp(c->name, "completion") == 0                           ? "shell:(bash zsh)"
                : strcmp(c->name, "store") == 0 ? "verb:(info verify compact recount)"
                : c->tables[0][0].name && strcmp(c->tables[0][0].name, "since") == 0
                    ? "query:_logmill_query"
                    : " :");
    }
    fputs("    backup|restore)\n"
          "        _arguments '*:file:_files'\n"
          "        ;;\n"
          "    *)\n"
          "        names=(${(f)\"$(logmill help 2>/dev/null | awk '$1 ~ /^--/ { print $1 }')\"})\n"
          "        compadd -a names\n"
          "        ;;\n"
          "    esac\n"
          "}\n"
          "if [ \"$funcstack[1]\" = _logmill ]; then _logmill \"$@\"; else compdef _logmill "
          "logmill; fi\n",
          out);
}
