/* What deleting by a filter promises, whatever the store. */
#ifndef LOGMILL_TESTS_ERASE_CONFORMANCE_H
#define LOGMILL_TESTS_ERASE_CONFORMANCE_H

#include "store_conformance.h"

/* Runs the suite; the number of cases that failed. */
int erase_conformance_run(const struct store_conformance *a);

#endif
