/*
 * Which lines belong to the log before them, since they are the stack trace of it, or more of one:
 *
 *   Java    blanks, "Caused by: …", "Suppressed: …"; the line of an exception
 * ("java.io.IOException: x") behind a log that has a head Python  "Traceback (most recent call
 * last):" behind a log that has a head, and all of it: to the line of the exception, with those
 * that it was raised during or from Go      "panic: …" and "fatal error: …" with all that follows:
 * signal, goroutines, "exit status" Node    "FILE:LINE" with the code, the error and "Node.js
 * v22.1.0"; "Error: …" and its "    at …" .NET    "Unhandled exception. …", " ---> …", "   at …"
 *
 * and every line that begins with a blank. A line that begins with "{" is none of them, outside of
 * the properties of an error of Node.
 */
#ifndef LOGMILL_FORMATS_STACK_TRACE_H
#define LOGMILL_FORMATS_STACK_TRACE_H

#include <stdbool.h>

#include "base/slice.h"

/* What the lines of a log so far are; zero before the first. */
struct stack_trace {
    enum {
        STACK_TRACE_NONE,
        STACK_TRACE_PYTHON,       /* within a traceback: its exception comes */
        STACK_TRACE_PYTHON_ENDED, /* behind it: another may follow */
        STACK_TRACE_GO,
        STACK_TRACE_NODE_PLACE, /* where an uncaught error is from: its code comes */
        STACK_TRACE_NODE,       /* the error comes */
        STACK_TRACE_NODE_ERROR,
    } kind;
    bool has_head; /* the first line has a time or a level */
    bool is_empty; /* the last line is empty: it is a part of the log if the next one is */
};

/* `line` is the first of a log; `has_head` as text_head.h has it. */
void stack_trace_begin(struct stack_trace *t, struct slice line, bool has_head);

/* True if `line` goes on with the log. */
bool stack_trace_continues(struct stack_trace *t, struct slice line);

#endif
