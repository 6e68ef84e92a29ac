/*
 * What a key lets its holder do: a line of the file of keys, made ready. It never changes but for
 * its counts, how long it holds, and how much may be had by it; whoever has a reference may use it
 * from any thread, also when its key is no longer in the file.
 */
#ifndef LOGMILL_ACCESS_GRANT_H
#define LOGMILL_ACCESS_GRANT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "access/key.h"
#include "access/places.h"
#include "access/rate.h"
#include "base/buffer.h"
#include "query/tree.h"

enum {
    GRANT_NAME_MAX = 64,        /* of letters, digits and . _ - */
    GRANT_SET_MAX = 16,         /* attributes that are set */
    GRANT_TEXT_MAX = 1024,      /* bytes of such a name, or value */
    GRANT_CERTIFICATE_MAX = 255 /* bytes of the name of a certificate: net/tls.h */
};

enum grant_role { GRANT_WRITE, GRANT_READ, GRANT_ADMIN, GRANT_ROLES };

/* "write|read|admin" */
extern const char grant_roles[];
const char *grant_role_name(enum grant_role role);
bool grant_role_of(struct slice name, enum grant_role *role);

struct grant_set {
    struct slice name, value;
};

struct grant {
    atomic_uint references;
    uint8_t digest[KEY_DIGEST_BYTES];
    char name[GRANT_NAME_MAX + 1];
    enum grant_role role;
    int64_t added_us;           /* 0: not said */
    _Atomic int64_t expires_us; /* INT64_MAX: never */
    struct slice certificate;   /* whose name is the key; empty: none's */
    struct grant_set set[GRANT_SET_MAX];
    size_t set_len;
    struct slice only_text;            /* as it was given; empty: everything */
    struct query *only;                /* of the same */
    struct allowance may;              /* what may be sent with it */
    struct places places[PLACE_KINDS]; /* and what may be had at once */
    atomic_bool withdrawn;             /* its key is no longer in the file */
    char *texts;                       /* what the slices above point into */
};

/* All zero, with one reference. */
struct grant *grant_new(void);
struct grant *grant_ref(struct grant *g); /* NULL: NULL */
void grant_unref(struct grant *g);        /* NULL does nothing */

/* Whether its key may still be used at `now_us`. */
bool grant_holds(const struct grant *g, int64_t now_us);

/* Whether both let their holder see and say the same, by the same key and name. */
bool grant_is_same(const struct grant *a, const struct grant *b);

/* Makes `g` say what one that is the same says: of how long it holds, and how much. One caller at a
 * time; what is counted of it goes on. */
void grant_renew(struct grant *g, const struct grant *by);

/* Whether both say the same of the same key. */
bool grant_equal(const struct grant *a, const struct grant *b);

/*
 * One line of the file, a JSON object (docs/security.md). Returns 0 with `*g`, one reference;
 * LM_EINVAL with `err` saying what is wrong and what is allowed; or LM_ENOMEM.
 */
int grant_parse(struct slice line, struct grant **g, struct errbuf *err) LM_MUST_CHECK;

/* Appends the line, which ends with a line feed, of which grant_parse makes an equal one. */
void grant_append_line(struct buffer *b, const struct grant *g);

/*
 * By which a client's certificate of that name is found, as a key is by its SHA-256. It is the
 * complement of one, so that whoever knows the name knows no text that would be found as a key.
 */
bool grant_certificate_digest(struct slice name, uint8_t digest[KEY_DIGEST_BYTES]);

/* Whether `name` may be a key's. */
bool grant_is_name(struct slice name);

/* What a name may be, for errors. */
#define GRANT_NAME_FORM "1 to 64 letters, digits and . _ -"

#endif
