#include "temp_directory.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "cmocka_all.h"

char *temp_directory_new(void)
{
    const char *parent = getenv("TMPDIR");
    char path[512];

    snprintf(path, sizeof(path), "%s/logmill-test-XXXXXX", parent ? parent : "/tmp");
    assert_non_null(mkdtemp(path));
    return xstrdup(path);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

void temp_directory_free(char *path)
{
    if (!path)
        return;
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(path);
}
