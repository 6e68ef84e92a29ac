/* The end that SIGINT and SIGTERM ask for. Any thread, but for stop_catch_signals. */
#ifndef LOGMILL_CLI_STOP_H
#define LOGMILL_CLI_STOP_H

#include <stdbool.h>

/* From then on the first of them is an asking, and the second one ends the process. `wake_fd`, an
 * eventfd or -1, becomes readable with it. */
void stop_catch_signals(int wake_fd);

bool stop_is_asked(void);

/* Waits `ms` milliseconds, or less if the end is asked for meanwhile. */
void stop_wait(unsigned ms);

#endif
