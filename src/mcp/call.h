/*
 * One call of a tool, from its arguments to its result. Between them the caller makes reads of the
 * API, one after the other:
 *
 *   call_init ──► call_next ──► call_take, or call_fail ──► call_next … ──► NULL: the result
 *
 * What is wrong with the arguments, or what a read was refused for, is a result, too, so that the
 * assistant can do better (isError).
 */
#ifndef LOGMILL_MCP_CALL_H
#define LOGMILL_MCP_CALL_H

#include <yyjson.h>

#include "mcp/shorten.h"
#include "mcp/tool.h"
#include "record/key.h"

enum {
    /* Bytes of a result, which is told twice: as an object, and as its text. */
    MCP_RESULT_MAX = 64 * 1024,
    MCP_SPAN_S = 2,        /* for which the oldest and the newest log are looked for */
    MCP_SEARCH_MS = 20000, /* for which a search that finds little goes on by itself */
    MCP_ROW_MAX = 24 * 1024,
    MCP_GROUP_TEXT_MAX = 400,    /* bytes of a text in one, */
    MCP_GROUP_MAX = 4 * 1024,    /* bytes of a group, a pattern, a value, a bucket; about */
    MCP_PAGE_BYTES = 256 * 1024, /* of logs, that one read answers */
    MCP_TARGET_MAX = 128 * 1024,
};

/* What is to be asked: GET of `target`. */
struct mcp_ask {
    enum mcp_read read;
    const char *target;   /* "/logs/fields/http.status?top=20" */
    struct slice query;   /* what stands behind its "?" */
    struct slice segment; /* MCP_READ_VALUES: what its path ends with, as it is meant */
};

struct mcp_call {
    const struct mcp_tool *tool;
    struct buffer params; /* "query=…&since=…", but for rows and cursor where they change */
    struct buffer segment;
    struct buffer target;
    struct mcp_ask ask;
    struct buffer cursor;
    struct buffer span; /* of a tool that has one: what is known of it, as members of an object */
    bool knows_span;
    size_t rows_max;
    struct shorten shorten;
    uint64_t until_us; /* clock_monotonic_us: when a search ends */

    struct buffer result; /* what has been found; at the end the object, or the words of an error */
    size_t rows;          /* in it */
    size_t left_out;      /* rows that an answer had, and that had no room */
    struct log_key last;  /* of the last row, */
    bool has_last;        /* if that is known */
    bool is_done, is_error;
};

/* `arguments`: an object, read with numbers as raw, or NULL. It is not needed afterwards. The
 * result is charged to `account`, or to none. */
void call_init(struct mcp_call *c, const struct mcp_tool *tool, yyjson_val *arguments,
               struct account *account);
void call_release(struct mcp_call *c);

/* What to ask next, until the next call of a function here. NULL: there is a result. */
const struct mcp_ask *call_next(struct mcp_call *c);

/* The answer to what was asked. */
void call_take(struct mcp_call *c, unsigned status, struct slice body);

/* There was none, for this reason. */
void call_fail(struct mcp_call *c, const char *reason);

/* Appends the result, as tools/call answers it. */
void call_append_result(const struct mcp_call *c, struct buffer *b);

#endif
