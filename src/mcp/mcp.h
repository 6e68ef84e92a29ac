/*
 * The Model Context Protocol, revision 2025-06-18, for assistants that look into logs: what one
 * message of JSON-RPC, or a batch of them, is answered. Knows neither HTTP nor standard input, nor
 * where the logs are: whoever has the message makes the reads that it asks for.
 *
 *   mcp_new ──► mcp_next ──► mcp_take, or mcp_fail ──► mcp_next … ──► NULL: mcp_answer
 *
 * Supported are initialize, ping, tools/list and tools/call; notifications and responses are taken
 * and have no answer. Not thread-safe; two are independent.
 */
#ifndef LOGMILL_MCP_MCP_H
#define LOGMILL_MCP_MCP_H

#include <stdbool.h>

#include "base/ledger.h"
#include "base/slice.h"
#include "mcp/call.h"

enum {
    MCP_MESSAGE_MAX = 64 * 1024, /* bytes of a message, or of a batch */
    MCP_BATCH_MAX = 16,          /* messages of a batch */
    /* Bytes of memory for each of a message, and of an answer that mcp_take reads, at most. */
    MCP_NEEDED_FACTOR = 12,
};

struct mcp;

/*
 * The revisions of the protocol that are spoken: the one of that name, or NULL. Static. Where
 * `version` is NULL: the latest.
 */
const char *mcp_version(const char *version, size_t len);

/* All of them, for an error: "2025-06-18, 2025-03-26, 2024-11-05". */
extern const char mcp_versions[];

/*
 * Begins with a message, `text`, any bytes. `version`, of mcp_version, is the revision that was
 * agreed on (NULL: not known): as of 2025-06-18 there are no batches. What is built of the answer
 * is charged to `account` (NULL: to none); what is read is the caller's to charge.
 */
struct mcp *mcp_new(struct slice text, const char *version, struct account *account);
void mcp_free(struct mcp *m);

/* What to ask next, until the next call of a function here. NULL: the answer is whole. */
const struct mcp_ask *mcp_next(struct mcp *m);

/* The status and the body of the answer to it. */
void mcp_take(struct mcp *m, unsigned status, struct slice body);

/* There was none, for this reason. */
void mcp_fail(struct mcp *m, const char *reason);

/*
 * Sets `*answer`: one line of JSON, until mcp_free, or empty: nothing is to be answered. Returns 0,
 * LM_ENOMEM or LM_EBUSY.
 */
int mcp_answer(const struct mcp *m, struct slice *answer) LM_MUST_CHECK;

/* The answer is that the message is no JSON, or no request. */
bool mcp_is_refused(const struct mcp *m);

/* The revision that an `initialize` in it was answered with, or NULL. Static. */
const char *mcp_agreed_version(const struct mcp *m);

/* The answer of JSON-RPC to a message that cannot be read, for `reason`, as text into `out`. */
void mcp_append_refusal(struct buffer *out, const char *reason);

#endif
