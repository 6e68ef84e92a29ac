#include "http/percent.h"

#include "base/hex.h"

size_t percent_decode(char *out, struct slice s, bool plus_is_space)
{
    size_t len = 0;

    for (size_t i = 0; i < s.len; i++) {
        char c = s.data[i];

        if (c == '+' && plus_is_space) {
            c = ' ';
        } else if (c == '%' && s.len - i > 2) {
            int high = hex_value(s.data[i + 1]);
            int low = hex_value(s.data[i + 2]);

            if (high >= 0 && low >= 0) {
                c = (char)(high * 16 + low);
                i += 2;
            }
        }
        out[len++] = c;
    }
    return len;
}
