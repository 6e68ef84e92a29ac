/*
 * Invariants that run. A module with an "Always true:" has `void foo_check(const struct foo *)`,
 * which CHECKs each of them, and calls CHECKED(foo_check(f)) where its functions are entered.
 * Both do something in builds with LOGMILL_CHECKS only, as those of the tests and of the fuzz
 * targets are; elsewhere they evaluate nothing.
 */
#ifndef LOGMILL_BASE_CHECK_H
#define LOGMILL_BASE_CHECK_H

#ifdef LOGMILL_CHECKS

/* Says on stderr what does not hold, and aborts. */
_Noreturn void check_failed(const char *what, const char *file, int line);

#define CHECK(condition) ((condition) ? (void)0 : check_failed(#condition, __FILE__, __LINE__))
#define CHECKED(call) (call)

#else

#define CHECK(condition) ((void)(0 && (condition)))
#define CHECKED(call) ((void)(0 && ((call), 0)))

#endif

#endif
