#include "formats/stack_trace.h"

#include "formats/line_scan.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool begins(struct slice line, const char *word)
{
    return line_begins(line, slice_of_string(word));
}

static bool ends(struct slice line, const char *word)
{
    size_t len = strlen(word);

    return line.len >= len && memcmp(line.data + line.len - len, word, len) == 0;
}

static bool is_name_character(char c)
{
    return line_is_letter(c) || line_is_digit(c) || c == '_' || c == '$';
}

/* "java.io.IOException: x", "KeyError: 'x'", "pkg.Error": a name with a capital, alone or before a
 * colon; with_dot: it has a dot, too. */
static bool is_exception(struct slice line, bool with_dot)
{
    bool has_capital = false, has_dot = false;
    size_t len = 0;

    for (; len < line.len && (is_name_character(line.data[len]) || line.data[len] == '.'); len++) {
        has_capital |= line.data[len] >= 'A' && line.data[len] <= 'Z';
        has_dot |= line.data[len] == '.' && len > 0;
    }
    if (!has_capital || (with_dot && !has_dot))
        return false;
    return len == line.len ||
           (line.data[len] == ':' && (len + 1 == line.len || is_blank(line.data[len + 1])));
}

/* "/srv/app.js:12", "file:///srv/app.mjs:12" or "node:internal/x:12": where Node says an error was
 * thrown. */
static bool is_place_of_node(struct slice line)
{
    size_t digits = 0;

    while (digits < line.len && line_is_digit(line.data[line.len - 1 - digits]))
        digits++;
    if (!digits || digits + 1 >= line.len || line.data[line.len - 1 - digits] != ':')
        return false;
    line.len -= digits + 1;
    return begins(line, "node:") || ends(line, "js") || ends(line, "ts");
}

static bool begins_go(struct slice line)
{
    return begins(line, "panic: ") || begins(line, "fatal error: ") ||
           begins(line, "runtime: goroutine ") || begins(line, "SIGQUIT: ");
}

/* What stands at the left margin in a trace of Go. */
static bool goes_on_go(struct slice line)
{
    const char *open = memchr(line.data, '(', line.len);
    bool is_call = open && line.data[line.len - 1] == ')' &&
                   !memchr(line.data, ' ', (size_t)(open - line.data));

    return is_call || begins(line, "goroutine ") || begins(line, "created by ") ||
           begins(line, "[signal ") || begins(line, "exit status ") || begins(line, "panic(") ||
           begins_go(line) || begins(line, "runtime stack:") || begins(line, "...");
}

static bool begins_python(struct slice line)
{
    return begins(line, "Traceback (most recent call last):");
}

static bool links_python(struct slice line)
{
    return begins(line, "During handling of the above exception") ||
           begins(line, "The above exception was the direct cause");
}

void stack_trace_begin(struct stack_trace *t, struct slice line, bool has_head)
{
    *t = (struct stack_trace){.has_head = has_head};
    if (begins_python(line))
        t->kind = STACK_TRACE_PYTHON;
    else if (begins_go(line))
        t->kind = STACK_TRACE_GO;
    else if (is_place_of_node(line))
        t->kind = STACK_TRACE_NODE_PLACE;
    else if (is_exception(line, false))
        t->kind = STACK_TRACE_NODE_ERROR;
}

/* A line that begins at the left margin, of a log without a trace so far. */
static bool begins_trace(struct stack_trace *t, struct slice line)
{
    if (begins(line, "Caused by: ") || begins(line, "Suppressed: "))
        return true;
    if (!t->has_head || t->is_empty)
        return false;
    if (begins_python(line))
        t->kind = STACK_TRACE_PYTHON;
    else if (!is_exception(line, true))
        return false;
    return true;
}

static bool continues_at_margin(struct stack_trace *t, struct slice line)
{
    switch (t->kind) {
    case STACK_TRACE_PYTHON:
        t->kind = STACK_TRACE_PYTHON_ENDED; /* this is the exception, if it is anything of it */
        return !t->is_empty && (is_exception(line, false) || begins_python(line));
    case STACK_TRACE_PYTHON_ENDED:
        if (begins_python(line) && t->is_empty)
            t->kind = STACK_TRACE_PYTHON;
        return t->is_empty && (begins_python(line) || links_python(line));
    case STACK_TRACE_GO:
        return goes_on_go(line);
    case STACK_TRACE_NODE_PLACE:
        t->kind = STACK_TRACE_NODE;
        return !t->is_empty;
    case STACK_TRACE_NODE:
        if (line.data[0] == '^' && !t->is_empty)
            return true;
        if (!is_exception(line, false) && !begins(line, "Uncaught"))
            return t->is_empty && begins(line, "Node.js v");
        t->kind = STACK_TRACE_NODE_ERROR;
        return t->is_empty;
    case STACK_TRACE_NODE_ERROR:
        return (begins(line, "}") && !t->is_empty) || (t->is_empty && begins(line, "Node.js v")) ||
               begins_trace(t, line);
    default:
        return begins_trace(t, line);
    }
}

bool stack_trace_continues(struct stack_trace *t, struct slice line)
{
    bool continues;

    if (slice_trim(line).len == 0) {
        continues = !t->is_empty && t->kind != STACK_TRACE_NONE;
        t->is_empty = true;
        return continues;
    }
    continues = is_blank(line.data[0]) ? !t->is_empty || t->kind == STACK_TRACE_GO ||
                                             t->kind == STACK_TRACE_PYTHON_ENDED
                                       : continues_at_margin(t, line);
    if (t->kind == STACK_TRACE_NODE_PLACE)
        t->kind = STACK_TRACE_NODE;
    else if (begins(line, "  + Exception Group Traceback"))
        t->kind = STACK_TRACE_PYTHON_ENDED; /* all of it has blanks before it */
    t->is_empty = false;
    return continues;
}
