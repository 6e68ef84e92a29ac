/* A directory for one test's files, in TMPDIR or /tmp, and gone with all in it afterwards. */
#ifndef LOGMILL_TESTS_TEMP_DIRECTORY_H
#define LOGMILL_TESTS_TEMP_DIRECTORY_H

/* Its path; fails the test where it cannot be made. */
char *temp_directory_new(void);

/* Removes it, its files and the directories in it. NULL does nothing. */
void temp_directory_free(char *path);

#endif
