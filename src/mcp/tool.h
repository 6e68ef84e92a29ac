/*
 * The tools that an assistant has: one table, from which tools/list, the check of arguments and
 * the reads are made. Each is one read of the API (docs/api.md); an argument is a parameter of it.
 */
#ifndef LOGMILL_MCP_TOOL_H
#define LOGMILL_MCP_TOOL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/slice.h"

enum {
    MCP_ROWS_DEFAULT = 20, /* logs, groups, patterns or values of an answer */
    MCP_ROWS_MAX = 200,
    MCP_AROUND_DEFAULT = 10, /* logs before one, and as many after it */
    MCP_AROUND_MAX = 100,
    MCP_SAMPLES_DEFAULT = 5, /* values of each field */
    MCP_SAMPLES_MAX = 20,
    MCP_TEXT_DEFAULT = 1000, /* bytes of a text in an answer; the rest is left out, and counted */
    MCP_TEXT_MAX = 16000,
    MCP_ARGUMENT_MAX = 8192, /* bytes of a text that is an argument, as of a query */
    MCP_TOOL_ARGUMENTS_MAX = 8,
};

/* A read of the API: GET of … */
enum mcp_read {
    MCP_READ_LOGS,     /* /logs */
    MCP_READ_AROUND,   /* /logs with around */
    MCP_READ_STATS,    /* /logs/stats */
    MCP_READ_PATTERNS, /* /logs/patterns */
    MCP_READ_VALUES,   /* /logs/fields/PATH */
    MCP_READ_FIELDS,   /* /logs/fields */
    MCP_READS
};

enum mcp_argument_role {
    MCP_ROLE_PARAM, /* it is a parameter of the read */
    MCP_ROLE_PATH,  /* it is what the read's path ends with */
    MCP_ROLE_ROWS,  /* how many rows are wanted: a parameter, too */
    MCP_ROLE_TEXT,  /* how many bytes of a text are shown: the answer's matter */
};

struct mcp_argument {
    const char *name;
    enum mcp_argument_role role;
    const char *param; /* the parameter's name */
    const char *about;
    bool required;
    const char *fallback;           /* of a text; NULL: none */
    int64_t min, max, whole_number; /* of a whole number, and its default; max 0: it is a text */
};

struct mcp_tool {
    const char *name;
    const char *title;
    const char *about;
    enum mcp_read read;
    bool has_span; /* its result tells first of what time the logs are: by a read before its own */
    const struct mcp_argument *arguments[MCP_TOOL_ARGUMENTS_MAX + 1]; /* NULL ends them */
};

/* NULL if there is none of that name. */
const struct mcp_tool *mcp_tool_find(struct slice name);

/* Appends the names of all, with commas between. */
void mcp_tool_append_names(struct buffer *b);

/* Appends the array that tools/list answers. */
void mcp_tool_append_list(struct buffer *b);

#endif
