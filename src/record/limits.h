/*
 * The limits of a record: the one list of what a log may be. They are enforced once, at the
 * entrance, by the parse of a format (record_item_read with RECORD_ITEM_SENT; RECORD_BYTES_MAX by
 * the format itself), whichever queue, store and cache are chosen: what was acknowledged never
 * meets a part that has to refuse it, and a log that one set-up takes, every other takes.
 *
 * Bytes are those of UTF-8 after the escapes of JSON are undone, U+0000 counted as the U+FFFD
 * (three bytes) that is kept for it; of attributes, those of the JSON text in which they are kept.
 *
 * What comes out of the queue is not measured again. It may have been acknowledged before a limit
 * existed, or have been sent to SQS by somebody else; message/reader takes whatever can be
 * stored at all.
 *
 * A new limit: all the places are in ARCHITECTURE.md, "Where to add".
 */
#ifndef LOGMILL_RECORD_LIMITS_H
#define LOGMILL_RECORD_LIMITS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

enum {
    /* Bytes of the level: counts by level keep each that they meet in memory. */
    RECORD_LEVEL_MAX = 1024,

    /*
     * Bytes of an attribute's name: `attr.NAME=…` must fit into the head of a request
     * (MAX_HEADER_BYTES) though each byte of it is written as %XX.
     */
    RECORD_NAME_MAX = 1024,

    /*
     * Values of all levels together, names counted as values: jsonb takes up to 16 bytes for a
     * value of one digit, and 256 MiB for all, and its parser 32 of memory.
     */
    RECORD_VALUES_MAX = 1 << 20,

    /* Bytes of level, message and attributes together: jsonb takes no string of 256 MiB, SQLite no
     * row of 1 GB, and either may be written six times as long in between. */
    RECORD_BYTES_MAX = 64 << 20,

    /*
     * Arrays and objects within each other, the log itself being the first. Attributes that are
     * sent as the member "attributes" (as the API's answers have them) count as the log's own, so
     * that what is read can be sent again. The rest of the house walks values by recursion.
     */
    RECORD_DEPTH_MAX = 128,
    RECORD_STORED_DEPTH_MAX = 500, /* of what comes out of the queue */

    /* Digits of a number written out without an exponent, before and after the point: those of
     * PostgreSQL's numeric, in which jsonb keeps numbers. */
    RECORD_WHOLE_DIGITS_MAX = 131072,
    RECORD_FRACTION_DIGITS_MAX = 16383,
    RECORD_EXPONENT_MAX = 999999999, /* of a zero too, which has no digits to count */

    /*
     * Digits, written out, of all numbers of a log together that are beyond a double: PostgreSQL
     * gives 1e131071 back in full, and thousands of those in one log could not be read any more.
     */
    RECORD_HUGE_EXPONENT = 308,
    RECORD_HUGE_DIGITS_MAX = 262144,
};

/* What is wrong with a number. */
enum record_number {
    RECORD_NUMBER_FITS,
    RECORD_NUMBER_WHOLE,    /* more than RECORD_WHOLE_DIGITS_MAX */
    RECORD_NUMBER_FRACTION, /* more than RECORD_FRACTION_DIGITS_MAX */
    RECORD_NUMBER_HUGE,     /* with those before it, more than RECORD_HUGE_DIGITS_MAX */
};

/*
 * Judges `number`, the text of a JSON number; *huge_digits, 0 at first, is the sum over the numbers
 * of a log. Linear in the text.
 */
enum record_number record_number_judge(struct slice number, size_t *huge_digits);

/*
 * False if `number` fits, for all that its form tells: it has no exponent of three digits and
 * is not long. So usual numbers are not looked at closely.
 */
bool record_number_is_odd(struct slice number);

#endif
