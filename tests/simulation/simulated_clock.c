#include "simulated_clock.h"

#include <unistd.h>

enum { LOOK_US = 1 }; /* that a look at a clock takes: who waits by looking gets on */

static int64_t wall_us;
static uint64_t monotonic_us = 1;

int64_t __wrap_clock_wall_us(void);
uint64_t __wrap_clock_monotonic_us(void);
int __wrap_usleep(useconds_t us);

void simulated_clock_set(int64_t us)
{
    wall_us = us;
    monotonic_us = 1000000;
}

void simulated_clock_advance(int64_t us)
{
    wall_us += us;
    monotonic_us += (uint64_t)us;
}

int64_t simulated_clock_now(void)
{
    return wall_us;
}

int64_t __wrap_clock_wall_us(void)
{
    simulated_clock_advance(LOOK_US);
    return wall_us;
}

uint64_t __wrap_clock_monotonic_us(void)
{
    simulated_clock_advance(LOOK_US);
    return monotonic_us;
}

int __wrap_usleep(useconds_t us)
{
    simulated_clock_advance((int64_t)us);
    return 0;
}
