#include "cli/state_home.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void state_home_append(struct buffer *path, const char *name)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

    if (state && state[0] == '/') {
        buffer_append_string(path, state);
    } else {
        struct passwd *user = home && home[0] == '/' ? NULL : getpwuid(getuid());

        buffer_append_string(path, user ? user->pw_dir : home ? home : "");
        buffer_append_string(path, "/.local/state");
    }
    buffer_append_string(path, "/logmill/");
    buffer_append(path, name, strlen(name) + 1);
}

void state_home_make_folders(char *path)
{
    for (char *slash = path + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        mkdir(path, 0700);
        *slash = '/';
    }
}
