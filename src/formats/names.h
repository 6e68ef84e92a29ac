/*
 * What programs call the level and the time of a log, and how they write them: one place for all
 * formats. Sources: the standard levels of syslog (RFC 5424, 6.2.1), of OpenTelemetry
 * (opentelemetry-proto, SeverityNumber), of pino and bunyan (10 to 60) and of Python's logging
 * (10 to 50, which agree with those but for their names), and of Monolog (its class Level).
 */
#ifndef LOGMILL_FORMATS_NAMES_H
#define LOGMILL_FORMATS_NAMES_H

#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

/* The level of a severity of syslog, 0 (emergency) to 7 (debug); "info" of any other number. */
struct slice level_of_syslog(int64_t severity);

/* The level of a SeverityNumber, 1 to 24; an empty slice of any other, as of 0, which says none. */
struct slice level_of_otlp(int64_t number);

/* The level of one of Monolog's eight numbers, from 100 (debug) to 600 (emergency); an empty slice
 * of any other. */
struct slice level_of_monolog(int64_t number);

/* The level of a number as loggers write it: 0 to 7 as syslog has them, Monolog's, others from 10
 * on by tens: trace, debug, info, warning, error, critical. */
struct slice level_of_number(int64_t number);

/*
 * A time of which only the number is known: seconds, milliseconds, microseconds or nanoseconds
 * since 1970, as its size tells: below 10^11, 10^14 and 10^17 it is of the first three. `number` is
 * the text of a JSON number, a fraction of it counts, to nine digits. Returns 0 or LM_EINVAL.
 * *below_us: nanoseconds that `*us` leaves out.
 */
int time_of_number(struct slice number, int64_t *us, unsigned *below_us) LM_MUST_CHECK;

/* Nanoseconds since 1970 as microseconds, rounded down, and what that leaves out. */
int64_t time_of_ns(int64_t ns, unsigned *below_us);

/*
 * A time as programs write it: what timestamp_parse_text takes (base/timestamp.h), with up to nine
 * decimals, with a comma before them, with a zone without its colon ("+0000"); or a number
 * (time_of_number). Returns 0 or LM_EINVAL.
 */
int time_of_text(struct slice text, int64_t *us, unsigned *below_us) LM_MUST_CHECK;

#endif
