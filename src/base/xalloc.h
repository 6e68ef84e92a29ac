/*
 * Allocation of small things: failing aborts the process with a line on stderr, since nothing
 * sensible can be done without a few hundred bytes. What is as large as an input is allocated with
 * malloc, and its failure returned as LM_ENOMEM.
 */
#ifndef LOGMILL_BASE_XALLOC_H
#define LOGMILL_BASE_XALLOC_H

#include <stddef.h>

void *xmalloc(size_t size);
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *text);

#endif
