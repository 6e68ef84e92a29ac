/*
 * A connection's bytes through a format of streams, as they come, and what came out of them. Each
 * read is made twice, as after a failed send: both must give the same.
 */
#ifndef LOGMILL_TESTS_STREAM_RUN_H
#define LOGMILL_TESTS_STREAM_RUN_H

#include "../record/kept_records.h"
#include "formats/stream.h"

/* 2026-11-28T12:00:00Z: when all of them come. */
#define STREAM_RUN_ARRIVAL_US INT64_C(1795867200000000)

struct stream_run {
    const struct stream_format *format;
    void *memory;
    char session[STREAM_SESSION_BYTES];
    struct buffer unused; /* bytes that came and were not used */
    struct buffer reply;  /* all of them */
    uint64_t number;
    struct kept kept;
    struct format_counts counts; /* of all reads */
    struct stream_output out;    /* of the last one */
    struct errbuf why;
};

void stream_run_begin(struct stream_run *run, const struct stream_format *format,
                      const struct stream_setup *setup);
void stream_run_end(struct stream_run *run);

/* The connection is a new one: what came out of the one before is forgotten. */
void stream_run_again(struct stream_run *run);

/* More bytes come, none for a while, or none any more. Fails if the read does. */
void stream_run_feed(struct stream_run *run, struct slice bytes);
void stream_run_wait(struct stream_run *run);
void stream_run_over(struct stream_run *run);

/* Fails unless log `i` is this one; `time` is as GET /logs writes it. */
void stream_run_expect(const struct stream_run *run, size_t i, const char *level,
                       const char *message, const char *time, const char *attributes);

#endif
