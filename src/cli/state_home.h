/* Where the command line keeps what it has to remember: $XDG_STATE_HOME/logmill, or
 * ~/.local/state/logmill. */
#ifndef LOGMILL_CLI_STATE_HOME_H
#define LOGMILL_CLI_STATE_HOME_H

#include "base/buffer.h"

/* Appends the path of the file `name` there, with a NUL. */
void state_home_append(struct buffer *path, const char *name);

/* Makes the folders that `path`, which is written to meanwhile, is in. What cannot be made is
 * noticed when the file is opened. */
void state_home_make_folders(char *path);

#endif
