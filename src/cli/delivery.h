/*
 * Lines on their way to the server: gathered into a batch, and sent by whoever gathers them until
 * the server has confirmed it. Nothing more is taken meanwhile, so memory is bounded.
 */
#ifndef LOGMILL_CLI_DELIVERY_H
#define LOGMILL_CLI_DELIVERY_H

#include "cli/dispatch.h"
#include "cli/line.h"

struct delivery {
    const char *source; /* what lines are called on stderr: "line", or "FILE: line" */
    struct line_reader lines;
    struct line_input input; /* whose lines are added */
    struct dispatch out;
    struct parcel batch;
    uint64_t begun_us;
};

/* From the flags of dispatch_init and line_reader_init. Returns 0 or LM_EINVAL. Release in any
 * case. */
int delivery_init(struct delivery *d, const struct flags *flags, struct errbuf *err) LM_MUST_CHECK;
void delivery_release(struct delivery *d);

/* Adds a line, the `number`th of its source, to the batch, or refuses it. */
void delivery_add(struct delivery *d, struct slice line, uint64_t number);

/* How far an input's lines were added. */
struct delivery_lines {
    uint64_t number;  /* of the last line that has begun */
    size_t scanned;   /* bytes in which there is no newline */
    bool is_inside;   /* of that line, parts were added already */
    bool is_too_long; /* … or it was refused, and what is left of it is passed over */
};

/*
 * Moves the whole lines of `bytes` (if `is_over`, all), and what of a long line is text for
 * certain, to the batch, until that is full or delivery_is_over.
 */
void delivery_add_lines(struct delivery *d, struct buffer *bytes, struct delivery_lines *lines,
                        bool is_over);

/* Adds what is held back since others may go on with it (line_is_open). */
void delivery_flush(struct delivery *d);

/* Adds what has been held back for long enough by `now_us` (line_due_us). */
void delivery_flush_due(struct delivery *d, uint64_t now_us);

/* True if nothing is to be added any more: something was refused, and that is an end to it. */
bool delivery_is_over(const struct delivery *d);

/* True if the batch is to be sent before more is added. */
bool delivery_is_full(const struct delivery *d);

/* Sends the batch. Returns 0 with an empty batch, or, after saying why on stderr, an error. */
int delivery_send(struct delivery *d) LM_MUST_CHECK;

/* Says on stderr how many lines of the input were not of its form, if some were not. */
void delivery_say_unfit(const struct delivery *d);

#endif
