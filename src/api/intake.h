/*
 * How a body of logs is taken, whatever its protocol: a format (formats/format.h) makes records of
 * it, they go to the ingest, and its client is answered in the words of the format: at once if they
 * are refused, otherwise when they are durable. One a thread, which alone calls what is here.
 */
#ifndef LOGMILL_API_INTAKE_H
#define LOGMILL_API_INTAKE_H

#include "answers/answers.h"
#include "formats/format.h"
#include "http/http.h"
#include "ingest/ingest.h"
#include "metrics/metrics.h"

struct intake;

/* A way in which logs come; lives for ever. */
struct intake_way {
    enum metric_protocol protocol;
    /* By the media types of the body; and that of a body of any other type, or of none. */
    const struct format *const *formats; /* NULL ends them */
    const struct format *usual;
};

struct access;

/* `in`, `access` and `account` must outlive it. */
struct intake *intake_new(struct ingest *in, struct access *access, struct account *account);
void intake_free(struct intake *intake);

/* The format of `way` that the media type of `req` asks for; NULL if it is none of theirs. */
const struct format *intake_format(const struct http_request *req, const struct intake_way *way);

/* Takes the body of `req`, which is of `format`, and answers it, now or later. */
void intake_take(struct intake *intake, struct http_request *req, const struct intake_way *way,
                 const struct format *format);

/* What the client of logs is told whose ticket was told `error`. */
enum refusal intake_refusal_of(int error);

/*
 * Counts what the server itself refuses with `status` (http_refuser), and answers it in the words
 * of `way`: true; or returns false if they have no word for it.
 */
bool intake_refuse(struct http_request *req, const struct intake_way *way, unsigned status,
                   const char *detail);

#endif
