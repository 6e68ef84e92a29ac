/* The clocks of base/clock.h and usleep, linked in the place of the real ones (-Wl,--wrap). */
#ifndef LOGMILL_SIMULATION_CLOCK_H
#define LOGMILL_SIMULATION_CLOCK_H

#include <stdint.h>

void simulated_clock_set(int64_t wall_us);
void simulated_clock_advance(int64_t us);
int64_t simulated_clock_now(void);

#endif
