/* What comes back of all that can be stored, whatever the store and however it keeps it. */
#ifndef LOGMILL_TESTS_CONTENT_CONFORMANCE_H
#define LOGMILL_TESTS_CONTENT_CONFORMANCE_H

#include "store_conformance.h"

/* Runs the suite; the number of cases that failed. */
int content_conformance_run(const struct store_conformance *a);

#endif
