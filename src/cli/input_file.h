/* A file that is read from its beginning to its end, inflated if it is gzip or zstd. */
#ifndef LOGMILL_CLI_INPUT_FILE_H
#define LOGMILL_CLI_INPUT_FILE_H

#include <stdint.h>
#include <sys/types.h>

#include "base/errbuf.h"

struct input_file;

/* Returns NULL with `err` set if it cannot be opened. "-" is standard input. */
struct input_file *input_file_open(const char *name, struct errbuf *err);
void input_file_close(struct input_file *f);

/* When it was changed last, in microseconds since 1970; 0 for what is no regular file. */
int64_t input_file_changed_us(const struct input_file *f);

/* Reads up to `len` bytes. Returns how many, 0 at the end, or LM_EIO or LM_EDATA (not whole). */
ssize_t input_file_read(struct input_file *f, char *data, size_t len, struct errbuf *err);

#endif
