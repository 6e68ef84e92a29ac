/*
 * The port of formats: what bytes that a client sends become logs by, and what it is then told. A
 * format is one file, with a case in the conformance suite (tests/unit/formats): it touches neither
 * the ingest nor anything behind it.
 *
 *   bytes ──► parse ──► records, one by one, to a sink
 *                └────► what is wrong with them, as the answer ──┐
 *   logs are durable ──────────────────────────────► answer ─────┴─► client
 *
 * What a format keeps to:
 *   - The rules and limits of a log (record/rules.h, record/limits.h) hold whatever the format is;
 *     they are enforced by parse, and nowhere behind it.
 *   - All or nothing: from a body of which something is wrong nothing is taken. Records around it
 *     may have been handed to the sink before that is known; the caller takes them back. Unless the
 *     protocol tells of each log by itself (tells_each), or its clients would send the same again
 *     for ever: then what is wrong is left out, and counted (format_counts.refused).
 *   - It allocates nothing per log once its memory is warm, and what it holds of a body that is
 *     wrong is charged. After a body of more than 256 KiB, unpacked, its memory is freed, and made
 *     anew for the next one (api/intake.c).
 *   - A log that came without an id or a time gets them here, before the sink: a new id, and the
 *     time of arrival, which is one for the whole body (record/rules.h).
 *   - It says nothing about queues that are full and logs that are too large: those refusals are
 *     the same for all formats (answers/answers.h), and who called parse gives them, by its result
 *     and by the error of the ingest's ticket (ingest/ingest.h; api/intake.c does).
 */
#ifndef LOGMILL_FORMATS_FORMAT_H
#define LOGMILL_FORMATS_FORMAT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/ledger.h"
#include "record/record.h"

enum { FORMAT_ANSWER_BYTES = 256 }; /* for which there is room, whatever memory there is then */

/* What a request says beside its body; slices live until parse returns. */
struct format_request {
    struct slice path; /* decoded */
    /* A parameter of the query, decoded, or a header of lower-case name; data NULL if it is not
     * there. */
    struct slice (*parameter)(const struct format_request *request, const char *name);
    struct slice (*header)(const struct format_request *request, const char *name);
};

struct format_options {
    void *memory;                         /* what memory_new of the format returned */
    const struct format_request *request; /* NULL: there is none, as in tests and command lines */
    /*
     * Where the answer to a body of which something is wrong is written: empty at first, its
     * account and ceiling the caller's. What it holds after another result is of no use.
     */
    struct buffer *wrong;
    /*
     * Where a format that tells of each log by itself (tells_each) writes its answer while it
     * parses; empty at first, its account and ceiling the caller's. It is sent when the logs are
     * durable. NULL for other formats.
     */
    struct buffer *told;
    /*
     * Of a format that tells_each, or NULL: nothing is taken now, for this reason; each log that
     * would be is told of as one that its client sends again. The sink gets none.
     */
    const char *postponed;
};

struct format_counts {
    size_t records;        /* handed to the sink */
    size_t refused;        /* logs that were left out, for they could never be taken */
    size_t nul_characters; /* U+0000, replaced by U+FFFD */
    /* Bytes of memory for the body, if the format itself unpacks it; or that it would need. */
    size_t unpacked;
};

/* Why a body is not taken that may be right, or was not read: for the words of a protocol. */
enum format_refusal {
    FORMAT_REFUSED_BUSY,      /* cannot be stored now: the same again may be */
    FORMAT_REFUSED_TOO_LARGE, /* never, since it is too large */
    FORMAT_REFUSED_CONTENT,   /* never, for what is in it */
    FORMAT_REFUSED_KEY,       /* not without a key, or not with this one: 401 */
    FORMAT_REFUSED_ROLE,      /* this key is not for sending: 403 */
    FORMAT_REFUSED_RATE,      /* more than its sender may send now: later the same may be: 429 */
};

/* A body whose logs are durable, or which had none. */
struct format_taken {
    size_t records;
    struct uuid last_id; /* of the last of them */
};

struct format_answer {
    unsigned status;          /* of HTTP */
    const char *content_type; /* NULL: application/json */
};

struct format {
    const char *name; /* "json" */
    /* NULL ends them; lower case, without parameters; "*" stands for any characters. */
    const char *const *media_types;

    /*
     * Memory for parse, which is used again for each body, by one thread; what it holds for bodies
     * that are wrong is charged to `account` (NULL: to none). Formats of one file may share it,
     * if that file says so. Both are NULL if the format needs none.
     */
    void *(*memory_new)(struct account *account);
    void (*memory_free)(void *memory);

    /*
     * Parses `body` (any bytes, which need not live longer) and hands its records to `sink`, in
     * order. Returns 0; LM_EINVAL: something is wrong with it, and options->wrong is the answer;
     * LM_EDATA: a log is larger than RECORD_BYTES_MAX; LM_ENOMEM; LM_EBUSY: no room in an account;
     * or the error of the sink, at which it stops.
     */
    int (*parse)(struct slice body, const struct format_options *options, record_sink *sink,
                 void *ctx, struct format_counts *counts);

    /* What the client of `taken` is told: appends at most FORMAT_ANSWER_BYTES to `body`. */
    struct format_answer (*answer)(const struct format_taken *taken, struct buffer *body);
    /* The head of the answer that parse has written. */
    struct format_answer refusal;

    /*
     * What follows may be left out, then it is zero.
     *
     * The answer in the protocol's own words to a body that is refused otherwise: `text` says why
     * in a line; appends at most FORMAT_ANSWER_BYTES and the text, escaped. Status 0: the
     * connection is closed without an answer, since every answer would lose the logs. NULL: the
     * house's answer will do (answers/answers.h).
     */
    struct format_answer (*refuse)(enum format_refusal why, struct slice text, struct buffer *body);
    unsigned retry_after_s; /* of FORMAT_REFUSED_BUSY; 0: the house's */
    /* How long its clients rather wait than be refused by a queue that takes nothing now. */
    unsigned hold_ms;
    const char *answer_headers; /* "Name: value\r\n…" on every answer, refusals too */
    bool tells_each; /* the body of the answer to a taken body is in options->told; answer() appends
                        none */
};

/* The first of `formats` (NULL ends them) with this media type, without case; or NULL. */
const struct format *format_find(const struct format *const *formats, struct slice media_type);

#endif
