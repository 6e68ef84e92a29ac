/*
 * Why a request is refused: each status and text once, whatever route or room says it. To add one,
 * add a row.
 *
 * Handlers say these by answers_refuse, never by http_respond_error. Who maps the error of an
 * ingest's ticket to a row is its owner: for HTTP, api/intake.c.
 *
 * Not here is what http refuses by itself, before a handler (http/http.h), and lists of what is
 * wrong with parameters and fields (422: formats/validation.h).
 *
 * Every 503 tells when to try again (Retry-After), but for those of /ready, which is asked again
 * anyway.
 */
#ifndef LOGMILL_ANSWERS_ANSWERS_H
#define LOGMILL_ANSWERS_ANSWERS_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/errbuf.h"
#include "http/http.h"

/* X(symbol, status, text): {} in the text is the number that is given along. */
#define REFUSALS(X)                                                                                \
    X(REFUSED_NOT_FOUND, 404, "Not Found")                                                         \
    X(REFUSED_NO_MEMORY, 503, "out of memory, try again later")                                    \
    X(REFUSED_HOST, 421,                                                                           \
      "this Host is not answered here: allowed are IP addresses, localhost, and the names in the " \
      "setting ALLOWED_HOSTS")                                                                     \
    X(REFUSED_OTHER_SITE, 403,                                                                     \
      "pages of other sites are not answered here, but for those whose origin is in the setting "  \
      "CORS_ORIGINS")                                                                              \
    /* Keys (access/access.h) */                                                                   \
    X(REFUSED_NO_KEY, 401,                                                                         \
      "a key is needed: in the header Authorization as Bearer, or where else docs/security.md "    \
      "says")                                                                                      \
    X(REFUSED_KEY, 401, "this key is not valid: it is unknown, has expired or was revoked")        \
    X(REFUSED_SESSION, 401,                                                                        \
      "nobody is logged in any more: log in again (the cookie has expired, or its key has, or "    \
      "was revoked)")                                                                              \
    X(REFUSED_LOG_IN_NO_KEYS, 403, "nobody can log in here: KEYS_FILE is not set")                 \
    X(REFUSED_LOG_IN_FORM, 422,                                                                    \
      "a key of at most 256 bytes is needed: as {\"key\":\"…\"} or, in a form, as key=…")          \
    X(REFUSED_GUESSES, 429,                                                                        \
      "this address has sent too many keys that are not valid: none of it is looked at for a "     \
      "minute")                                                                                    \
    X(REFUSED_ROLE, 403,                                                                           \
      "the role of this key does not allow it: write sends logs, read reads them, admin does "     \
      "everything")                                                                                \
    X(REFUSED_NO_KEYS, 403,                                                                        \
      "nobody may, as ANONYMOUS and OPS_ACCESS say, and KEYS_FILE is not set")                     \
    X(REFUSED_NO_ADMIN, 403, "only a key whose role is admin may, and KEYS_FILE is not set")       \
    /* Logs that come */                                                                           \
    X(REFUSED_INTAKE_FULL, 503, "too much is in flight: not accepted, try again later")            \
    X(REFUSED_RATE_LOGS, 429,                                                                      \
      "this key may send {} logs a second (its rate): not accepted, try again later")              \
    X(REFUSED_RATE_BYTES, 429,                                                                     \
      "this key may send {} bytes a second (its bytes): not accepted, try again later")            \
    X(REFUSED_ANONYMOUS_LOGS, 429,                                                                 \
      "all who have no key may send {} logs a second (ANONYMOUS_RATE): not accepted, try again "   \
      "later")                                                                                     \
    X(REFUSED_ANONYMOUS_BYTES, 429,                                                                \
      "all who have no key may send {} bytes a second (ANONYMOUS_BYTES): not accepted, try again " \
      "later")                                                                                     \
    /* What a key may have at once */                                                              \
    X(REFUSED_KEY_CONNECTIONS, 429,                                                                \
      "this key has as many connections as it may (its connections): not accepted, try again "     \
      "later")                                                                                     \
    X(REFUSED_ANONYMOUS_CONNECTIONS, 429,                                                          \
      "those who have no key have as many connections as they may (ANONYMOUS_CONNECTIONS): not "   \
      "accepted, try again later")                                                                 \
    X(REFUSED_KEY_SCANS, 429, "this key may have {} scans at once (its scans), try again later")   \
    X(REFUSED_ANONYMOUS_SCANS, 429,                                                                \
      "all who have no key may have {} scans at once (ANONYMOUS_SCANS), try again later")          \
    X(REFUSED_KEY_TAILS, 429,                                                                      \
      "this key may have {} live tails at once (its tails), try again later")                      \
    X(REFUSED_ANONYMOUS_TAILS, 429,                                                                \
      "all who have no key may have {} live tails at once (ANONYMOUS_TAILS), try again later")     \
    X(REFUSED_LOG_TOO_LARGE, 413, "a log is too large: one has at most {} bytes")                  \
    X(REFUSED_MESSAGE_TOO_LARGE, 413,                                                              \
      "the log is too large: the queue takes at most {} bytes at once, ids included")              \
    X(REFUSED_MESSAGES_TOO_LARGE, 413,                                                             \
      "the logs of this request together are too large: the queue takes at most {} bytes at "      \
      "once, ids included")                                                                        \
    X(REFUSED_LOGS_TOO_LARGE, 413,                                                                 \
      "the logs of this request together are too large: at most {} bytes, which is a share of "    \
      "MAX_INFLIGHT_BYTES")                                                                        \
    X(REFUSED_NEEDS_TOO_MUCH, 413,                                                                 \
      "this request, its logs and what is told of them need more memory than MAX_INFLIGHT_BYTES "  \
      "leaves for them")                                                                           \
    X(REFUSED_QUEUE_NO_SPACE, 503, "the queue has no space left: not accepted, try again later")   \
    X(REFUSED_QUEUE_FULL, 503,                                                                     \
      "the queue holds as much as QUEUE_MAX_BYTES allows: not accepted, try again later")          \
    X(REFUSED_QUEUE_UNCONFIRMED, 503,                                                              \
      "not confirmed by the queue in time: it may be there all the same, try again later")         \
    X(REFUSED_QUEUE_FAILED, 503, "the queue cannot be written to: not accepted, try again later")  \
    X(REFUSED_QUEUE_CONTENT, 400,                                                                  \
      "refused by the queue for what is in it: not accepted, and the same again would not be")     \
    /* Reads */                                                                                    \
    X(REFUSED_PARAMETERS, 400, "too many query parameters: at most {}")                            \
    X(REFUSED_READS_OF_CLIENT, 503,                                                                \
      "too many reads wait: at most {} of one client (MAX_READS_PER_CLIENT), try again later")     \
    X(REFUSED_READS, 503, "too many reads wait: at most {} (MAX_READS), try again later")          \
    X(REFUSED_READ_NO_TURN, 503, "too many reads wait, try again later")                           \
    X(REFUSED_READ_NO_ROOM, 503, "MAX_INFLIGHT_BYTES are used up by reads, try again later")       \
    X(REFUSED_READ_TIME, 503, "the store did not answer within QUERY_TIMEOUT, try again later")    \
    X(REFUSED_STORE_FAILED, 503, "the store cannot be read now, try again later")                  \
    X(REFUSED_ERASE_ALL, 422,                                                                      \
      "either a condition that leaves logs out, such as query or until, or all=1")                 \
    X(REFUSED_ERASING, 503, "another DELETE of logs is under way, try again later")                \
    X(REFUSED_TAILS, 503, "too many live tails: at most {} (MAX_TAILS)")                           \
    X(REFUSED_TAIL_LEFT, 503, "the client has ended the connection before its turn")               \
    /* POST /mcp */                                                                                \
    X(REFUSED_MCP_TYPE, 415, "a message of JSON-RPC is sent as Content-Type: application/json")    \
    X(REFUSED_MCP_ACCEPT, 406, "answers are application/json, which Accept does not list")         \
    X(REFUSED_MCP_VERSION, 400,                                                                    \
      "MCP-Protocol-Version is none that is spoken here: those are 2025-06-18, 2025-03-26 and "    \
      "2024-11-05")                                                                                \
    X(REFUSED_MCP_SIZE, 413, "a message of JSON-RPC has at most {} bytes here")                    \
    /* Files */                                                                                    \
    X(REFUSED_FILE_NO_ROOM, 503, "Service Unavailable")                                            \
    X(REFUSED_FILE_BROKEN, 500, "Internal Server Error")                                           \
    /* GET /ready */                                                                               \
    X(REFUSED_QUEUE_SILENT, 503, "the queue does not answer within {} s (READY_TIMEOUT)")          \
    X(REFUSED_STORE_SILENT, 503, "the store does not answer within {} s (READY_TIMEOUT)")

enum refusal {
#define REFUSAL_ENUM(symbol, status, text) symbol,
    REFUSALS(REFUSAL_ENUM)
#undef REFUSAL_ENUM
        REFUSALS_LEN
};

/* Answers `req` with {"detail":"…"}; `number` is for a text that has one, else 0. */
void answers_refuse(struct http_request *req, enum refusal why, uint64_t number);

/* The same with Retry-After, in seconds. */
void answers_refuse_for(struct http_request *req, enum refusal why, uint64_t number,
                        uint64_t retry_after_s);

/*
 * Answers {"detail":"…"} with the text that answers_fail has put into `detail`. The status is the
 * caller's, since an errbuf has none: 503 for what a read is refused for.
 */
void answers_refuse_failed(struct http_request *req, unsigned status, const struct errbuf *detail);

/* Puts the text into `err` for who answers later, and returns `error`. */
int answers_fail(struct errbuf *err, int error, enum refusal why, uint64_t number);

/* Its status, and its text as it stands in the table: both live for ever. */
unsigned answers_status(enum refusal why);
const char *answers_text(enum refusal why);

/* Appends the body {"detail":"…"}: of a refusal, or with any text. */
void answers_append(struct buffer *b, enum refusal why, uint64_t number);
void answers_append_detail(struct buffer *b, const char *text);

#endif
