#!/bin/bash
# PCRE2's match limit bounds no call: it is counted anew at each place where a match may begin, and a
# step may go through all of the text.
#
# pcre2api(3) says of pcre2_set_match_limit that it keeps PCRE2 "from using up too many computing
# resources", by "an internal counter in pcre2_match()": which reads as a bound of a call. Both
# engines, the interpreter and JIT, begin to count again for each start: a text of 20,000 bytes on
# which each start takes 990 steps is gone through with a limit of 1,000, though it takes 20 million.
# And what takes no backtracking is no step, however long: x*+y on 40,000 of x takes 800 million
# comparisons with a limit of 10. Whoever lets others write expressions needs a clock besides:
# PCRE2_AUTO_CALLOUT calls back before each item, and less than a pass over the text lies between two.
set -euo pipefail
echo "PCRE2 $(pkg-config --modversion libpcre2-8)"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat >limits.c <<'C'
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>
#include <string.h>

static char text[40000];

/* "found", "not found", or "the limit". */
static const char *try(const char *pattern, size_t len, unsigned limit, int jit)
{
    int error;
    PCRE2_SIZE at;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, PCRE2_NO_AUTO_POSSESS,
                                     &error, &at, NULL);
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    pcre2_match_context *context = pcre2_match_context_create(NULL);

    if (jit)
        pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
    pcre2_set_match_limit(context, limit);
    int found = pcre2_match(code, (PCRE2_SPTR)text, len, 0, 0, data, context);
    pcre2_match_context_free(context);
    pcre2_match_data_free(data);
    pcre2_code_free(code);
    return found >= 0                      ? "found"
           : found == PCRE2_ERROR_NOMATCH  ? "not found"
           : found == PCRE2_ERROR_MATCHLIMIT ? "the limit"
                                             : "another error";
}

int main(void)
{
    memset(text, 'x', sizeof(text));
    for (int jit = 0; jit < 2; jit++) {
        const char *engine = jit ? "JIT" : "interpreter";

        printf("%s, 990 steps a start, 1 start, limit 1000: %s\n", engine,
               try("^x{0,990}[^x]", 20000, 1000, jit));
        printf("%s, 990 steps a start, 20000 starts, limit 1000: %s\n", engine,
               try("x{0,990}[^x]", 20000, 1000, jit));
        printf("%s, 990 steps a start, limit 100: %s\n", engine, try("x{0,990}[^x]", 20000, 100, jit));
        printf("%s, possessive over 40000 bytes, limit 10: %s\n", engine,
               try("x*+[^x]", 40000, 10, jit));
    }
    return 0;
}
C
cc -O2 -Wall -o limits limits.c -lpcre2-8
./limits | tee said
diff - said <<'TEXT'
interpreter, 990 steps a start, 1 start, limit 1000: not found
interpreter, 990 steps a start, 20000 starts, limit 1000: not found
interpreter, 990 steps a start, limit 100: the limit
interpreter, possessive over 40000 bytes, limit 10: not found
JIT, 990 steps a start, 1 start, limit 1000: not found
JIT, 990 steps a start, 20000 starts, limit 1000: not found
JIT, 990 steps a start, limit 100: the limit
JIT, possessive over 40000 bytes, limit 10: not found
TEXT
echo "as described"
