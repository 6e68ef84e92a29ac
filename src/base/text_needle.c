/*
 * Most needles have a byte that is rare in the texts of logs, and memchr finds its places faster
 * than any other search. If there are too many of them for that, as somebody can arrange, the
 * rest is searched by the two-way algorithm, which looks at each byte twice at most:
 *
 *   M. Crochemore, D. Perrin: Two-way string-matching. Journal of the ACM 38 (1991), 650-674.
 *
 * The needle is cut into two parts at a place where a repetition cannot be hidden (its local period
 * is the period of the whole). The right part is compared from left to right; a mismatch there
 * moves the needle past it. Then the left part is compared, and a mismatch there moves it by the
 * period.
 */
#include "base/text_needle.h"

enum {
    PLACE_STEPS = 4,  /* what it costs to go to a place that memchr finds */
    MEMCHR_BYTES = 8, /* what memchr goes through in a step */
};

/* ---- The needle ---- */

/* From 1, the most common, up. Bytes that continue a character are rarer than those that begin one.
 */
static unsigned rarity(unsigned char c)
{
    static const char common[] = "etaoinsrlcdupmhgfbyvw -./:0123456789"; /* the most common first */
    const char *found = c ? strchr(common, c) : NULL;

    if (found)
        return (unsigned)(found - common) + 1;
    if (c >= 0xc0)
        return sizeof(common) + 1;
    return c >= 0x80 ? sizeof(common) + 2 : sizeof(common);
}

static size_t find_rarest(struct slice s)
{
    size_t best = 0;
    unsigned best_rarity = 0;

    for (size_t i = 0; i < s.len; i++) {
        unsigned r = rarity((unsigned char)s.data[i]);
        if (r > best_rarity) {
            best_rarity = r;
            best = i;
        }
    }
    return best;
}

/*
 * Where the suffix begins that comes last (`reversed`: first, but for its own beginnings) by the
 * order of bytes, and its period.
 */
static size_t last_suffix(struct slice s, bool reversed, size_t *period)
{
    const unsigned char *x = (const unsigned char *)s.data;
    size_t start = 0; /* of the best so far; the one that is compared begins at `other` */
    size_t other = 1;
    size_t k = 0; /* bytes in which they agree */

    *period = 1;
    while (other + k < s.len) {
        unsigned char a = x[other + k];
        unsigned char b = x[start + k];

        if (a == b) {
            if (++k == *period) {
                other += k;
                k = 0;
            }
        } else if ((a < b) != reversed) {
            other += k + 1;
            k = 0;
            *period = other - start;
        } else {
            start = other++;
            k = 0;
            *period = 1;
        }
    }
    return start;
}

void text_needle_init(struct text_needle *n, struct slice folded)
{
    *n = (struct text_needle){.folded = folded};
    if (folded.len == 0)
        return;
    n->rarest = find_rarest(folded);

    size_t period, reversed_period;
    size_t split = last_suffix(folded, false, &period);
    size_t reversed_split = last_suffix(folded, true, &reversed_period);
    if (reversed_split > split) {
        split = reversed_split;
        period = reversed_period;
    }
    n->split = split;
    n->is_periodic =
        split + period <= folded.len && memcmp(folded.data, folded.data + period, split) == 0;
    size_t longer = split > folded.len - split ? split : folded.len - split;
    n->period = n->is_periodic ? period : longer + 1;
}

/* ---- Two-way ---- */

static bool two_way(const struct text_needle *n, struct slice text, uint64_t *steps)
{
    const char *x = n->folded.data;
    const size_t len = n->folded.len;
    size_t at = 0;
    size_t known = 0; /* bytes at the beginning of a periodic needle that are known to agree */
    uint64_t compared = 0;
    bool found = false;

    while (!found && text.len - at >= len) {
        const char *y = text.data + at;
        size_t i = n->split > known ? n->split : known;

        while (i < len && x[i] == y[i])
            i++;
        compared += i - n->split + 1;
        if (i < len) {
            at += i - n->split + 1;
            known = 0;
        } else {
            size_t left = n->split;

            while (left > known && x[left - 1] == y[left - 1])
                left--;
            compared += n->split - left;
            found = left <= known;
            at += n->period;
            known = n->is_periodic ? len - n->period : 0;
        }
        if (text.len < at)
            break;
    }
    *steps += compared;
    return found;
}

/* ---- The whole ---- */

/* How many bytes of the needle are at `p`. */
static size_t agreeing(struct slice needle, const char *p)
{
    size_t i = 0;

    while (i < needle.len && needle.data[i] == p[i])
        i++;
    return i;
}

bool text_needle_is_in(const struct text_needle *n, struct slice folded, uint64_t *steps)
{
    struct slice needle = n->folded;

    if (needle.len == 0)
        return true;
    if (needle.len > folded.len)
        return false;

    const size_t places = folded.len - needle.len + 1;
    const char *rarest = folded.data + n->rarest; /* of the needle at the first place */
    uint64_t spent = 0;
    size_t at = 0;

    while (at < places && spent <= folded.len) {
        const char *next = memchr(rarest + at, needle.data[n->rarest], places - at);
        size_t i = next ? (size_t)(next - rarest) : places;

        spent += (i - at) / MEMCHR_BYTES + PLACE_STEPS;
        at = i;
        if (at == places)
            break;
        size_t agree = agreeing(needle, folded.data + at);
        spent += agree;
        if (agree == needle.len) {
            *steps += spent;
            return true;
        }
        at++;
    }
    *steps += spent;
    return at < places && two_way(n, slice_of(folded.data + at, folded.len - at), steps);
}
