/* What scans promise, whatever the store. */
#ifndef LOGMILL_TESTS_SCAN_CONFORMANCE_H
#define LOGMILL_TESTS_SCAN_CONFORMANCE_H

#include "store_conformance.h"

/* Runs the suite; the number of cases that failed. */
int scan_conformance_run(const struct store_conformance *a);

#endif
