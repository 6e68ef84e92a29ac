/*
 * Allocation. Small things: failing aborts the process with a line on stderr, since nothing
 * sensible can be done without a few hundred bytes. What is as large as an input is allocated with
 * try_malloc or try_realloc, which are malloc and realloc, and its failure returned as LM_ENOMEM.
 * All of it is freed with free.
 */
#ifndef LOGMILL_BASE_XALLOC_H
#define LOGMILL_BASE_XALLOC_H

#include <stddef.h>
#include <stdlib.h>

#include "base/fault.h"

void *xmalloc(size_t size);
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *text);

static inline void *try_malloc(size_t size)
{
    return fault_here(FAULT_INPUT) ? NULL : malloc(size);
}

static inline void *try_realloc(void *p, size_t size)
{
    return fault_here(FAULT_INPUT) ? NULL : realloc(p, size);
}

#endif
