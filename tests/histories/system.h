/*
 * What the system says of files, the same each time a history is lived: the numbers of inodes,
 * which are given again once a file is gone (or never), birth times (or none), the order of a
 * folder's entries. Linked in the place of what the C library has (-Wl,--wrap).
 */
#ifndef LOGMILL_HISTORIES_SYSTEM_H
#define LOGMILL_HISTORIES_SYSTEM_H

#include <stdbool.h>
#include <stdint.h>

struct system_options {
    uint64_t seed; /* of the order of entries */
    bool gives_again, has_births;
};

void system_begin(const struct system_options *options);
void system_end(void);

/* A file that was just made, and is open. */
void system_made(int fd);

#endif
