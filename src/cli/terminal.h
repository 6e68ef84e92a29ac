/*
 * What people see: lines on stderr, and how far a command has come. (base/visible.h: texts that
 * cannot control the terminal.)
 */
#ifndef LOGMILL_CLI_TERMINAL_H
#define LOGMILL_CLI_TERMINAL_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

/* Writes "logmill COMMAND: …" as a line on stderr, over a progress line if there is one. */
void terminal_say(const char *command, const char *format, ...) LM_PRINTF(2, 3);

/*
 * Waits `ms` milliseconds, or until nobody can read standard output any more: true then. A signal
 * may end it early.
 */
bool terminal_wait(unsigned ms);

/* If stderr is a terminal: writes a line that the next one takes the place of. */
void terminal_status(const char *format, ...) LM_PRINTF(1, 2);

/* Takes that line away, if there is one. */
void terminal_clear_status(void);

/* If stderr is a terminal: as terminal_status says how many logs there were, a second after the
 * first call and then a few times a second. */
void terminal_progress(const char *what, unsigned long long logs, unsigned long long bytes);

/* Writes `n` as "1,000,000", terminated. */
enum { TERMINAL_NUMBER_LEN = 28 };
void terminal_number(unsigned long long n, char out[TERMINAL_NUMBER_LEN]);

/* Writes an amount as people say it: "17 bytes", "1.5 MB"; "12 s", "3 min", "2 h", "5 days". */
enum { TERMINAL_AMOUNT_LEN = 32 };
void terminal_bytes(uint64_t n, char out[TERMINAL_AMOUNT_LEN]);
void terminal_seconds(uint64_t n, char out[TERMINAL_AMOUNT_LEN]);

#endif
