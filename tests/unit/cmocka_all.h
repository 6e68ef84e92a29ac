/* cmocka's header with what it needs before it. */
#ifndef LOGMILL_TESTS_CMOCKA_ALL_H
#define LOGMILL_TESTS_CMOCKA_ALL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
