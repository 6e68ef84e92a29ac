/* From a member to the struct that holds it. */
#ifndef LOGMILL_BASE_CONTAINER_OF_H
#define LOGMILL_BASE_CONTAINER_OF_H

#include <stddef.h>

#define container_of(pointer, type, member) ((type *)((char *)(pointer) - offsetof(type, member)))

#endif
