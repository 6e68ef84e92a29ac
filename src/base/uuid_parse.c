/*
 * Reading UUIDs as Rust's `uuid` crate does, which pydantic uses: the forms are told apart by their
 * length, and a refusal is explained afterwards, by a second look.
 */
#include "base/hex.h"
#include "base/uuid7.h"

enum {
    SIMPLE_LEN = 32,
    LONGEST_LEN = 45, /* urn:uuid: and the hyphenated form */
    GROUPS = 5,
};

static const struct slice URN_PREFIX = {"urn:uuid:", 9};

/* Where each group of the hyphenated form starts, and the end of the last, counted as a start. */
static const size_t GROUP_STARTS[GROUPS + 1] = {0, 9, 14, 19, 24, UUID_TEXT_LEN + 1};

/* Length of the prefix that wraps the hyphenated form (`{…}`, `urn:uuid:…`); 0: there is none. */
static size_t wrapper_len(struct slice text)
{
    if (text.len >= 2 && text.data[0] == '{' && text.data[text.len - 1] == '}')
        return 1;
    if (text.len >= URN_PREFIX.len && slice_equal(slice_of(text.data, URN_PREFIX.len), URN_PREFIX))
        return URN_PREFIX.len;
    return 0;
}

/* What is within `{…}` or `urn:uuid:…`, or `text` itself. */
static struct slice unwrap(struct slice text)
{
    size_t prefix = wrapper_len(text);

    if (prefix == 0)
        return text;
    return slice_of(text.data + prefix, text.len - prefix - (prefix == 1));
}

static bool parse_hex(struct slice text, bool hyphenated, struct uuid *id)
{
    size_t at = 0;

    for (int i = 0; i < 16; i++) {
        int high;
        int low;

        if (hyphenated && (i == 4 || i == 6 || i == 8 || i == 10) && text.data[at++] != '-')
            return false;
        high = hex_value(text.data[at]);
        low = hex_value(text.data[at + 1]);
        if (high < 0 || low < 0)
            return false;
        id->bytes[i] = (uint8_t)(high << 4 | low);
        at += 2;
    }
    return true;
}

/* The bytes of the UTF-8 character at the start of `s`, as far as they are there. */
static int character_len(struct slice s)
{
    size_t len = 1;

    while (len < s.len && ((unsigned char)s.data[len] & 0xc0) == 0x80)
        len++;
    return (int)len;
}

/* One of five groups is too long or too short. */
static void explain_groups(const size_t hyphens[GROUPS - 1], size_t text_len, struct errbuf *reason)
{
    for (size_t i = 0; i < GROUPS; i++) {
        size_t expected = GROUP_STARTS[i + 1] - GROUP_STARTS[i] - 1;
        /* The crate measures the last group by the whole text, whatever wraps it. */
        size_t end = i < GROUPS - 1 ? hyphens[i] : text_len;

        if (end != GROUP_STARTS[i] + expected) {
            errbuf_set(reason, "invalid group length in group %zu: expected %zu, found %zu", i,
                       expected, end - GROUP_STARTS[i]);
            return;
        }
    }
}

static void explain(struct slice text, struct errbuf *reason)
{
    size_t hyphens[GROUPS - 1];
    size_t n = 0;

    if (text.len == 0 || text.len > LONGEST_LEN) {
        errbuf_set(reason, "invalid length: found %zu", text.len);
        return;
    }

    /* At the length of the hyphenated form nothing wraps it, and what it is wrapped in right does
     * not count. */
    size_t wrapper = text.len == UUID_TEXT_LEN ? 0 : wrapper_len(text);
    struct slice inner = wrapper ? unwrap(text) : text;
    size_t counted = inner.len == UUID_TEXT_LEN ? 0 : wrapper; /* characters before `inner` */

    for (size_t i = 0; i < inner.len; i++) {
        if (inner.data[i] == '-') {
            if (n < GROUPS - 1)
                hyphens[n] = i;
            n++;
        } else if (hex_value(inner.data[i]) < 0) {
            struct slice rest = slice_of(inner.data + i, inner.len - i);

            if (rest.data[0] == '\0') /* no text of ours can hold it */
                rest = SLICE_LITERAL("\xef\xbf\xbd");
            errbuf_set(reason, "invalid character: found `%.*s` at %zu", character_len(rest),
                       rest.data, counted + i);
            return;
        }
    }
    if (n == 0 && wrapper == 0 && text.len != UUID_TEXT_LEN) {
        errbuf_set(reason, "invalid length: found %zu", text.len);
        return;
    }
    if (n != GROUPS - 1) {
        errbuf_set(reason, "invalid group count: expected 5, found %zu", n + 1);
        return;
    }
    explain_groups(hyphens, text.len, reason);
}

int uuid_parse(struct slice text, struct uuid *id, struct errbuf *reason)
{
    struct slice inner = unwrap(text);

    if (inner.len == UUID_TEXT_LEN && parse_hex(inner, true, id))
        return 0;
    if (text.len == SIMPLE_LEN && parse_hex(text, false, id))
        return 0;
    explain(text, reason);
    return LM_EINVAL;
}
