#include "access/keys.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "base/clock.h"
#include "base/monotonic_cond.h"
#include "base/xalloc.h"
#include "diag/diag.h"

enum {
    LOOK_US = 1000000, /* how often the file is looked at */
    /* Sets that somebody still looks at, and the current one: looking takes a microsecond. */
    SLOTS = 16,
    SLOT_SHIFT = 56,
};

/* ---- Sets ---- */

/* An open table of grants by their digests, at most half full. */
struct keys_set {
    /* Those who have left; once it is no longer the current one, less those who have come. */
    _Atomic int64_t left;
    size_t len, capacity;
    struct grant **table;
};

struct keys {
    const char *path;
    struct stat seen; /* as it was looked into last; all zero: that could not be done */
    bool is_wrong;    /* as it is now: that has been said */
    /* The slot of the current set, and below it how many have come to look at that. */
    _Atomic uint64_t current;
    _Atomic(struct keys_set *) slots[SLOTS];
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool watches, stops;
};

static size_t place_of(const struct keys_set *set, const uint8_t begin[KEY_BEGIN_BYTES])
{
    uint64_t first;

    static_assert(sizeof(first) == KEY_BEGIN_BYTES, "the place is found by the begin");
    memcpy(&first, begin, sizeof(first));
    return (size_t)first & (set->capacity - 1);
}

/* Where it is, or would be. The whole digest is compared, in a time that does not depend on it. */
static struct grant **find(const struct keys_set *set, const uint8_t digest[KEY_DIGEST_BYTES])
{
    size_t at = place_of(set, digest);

    while (set->table[at] && CRYPTO_memcmp(set->table[at]->digest, digest, KEY_DIGEST_BYTES) != 0)
        at = (at + 1) & (set->capacity - 1);
    return &set->table[at];
}

static void set_free(struct keys_set *set)
{
    if (!set)
        return;
    for (size_t i = 0; i < set->capacity; i++)
        grant_unref(set->table[i]);
    free(set->table);
    free(set);
}

static size_t count_lines(struct slice text)
{
    size_t n = 0;

    for (size_t i = 0; i < text.len; i++)
        n += text.data[i] == '\n';
    return n;
}

static int set_read(struct slice text, struct keys_set **made, struct errbuf *err)
{
    struct keys_set *set = xcalloc(1, sizeof(*set));
    struct slice line;
    struct grant *g;
    unsigned number = 0;
    size_t lines = count_lines(text) + 1; /* the last one of a text need not end */
    int result;

    set->capacity = 4;
    while (set->capacity < 2 * lines && set->capacity < 4 * (size_t)KEYS_MAX)
        set->capacity *= 2;
    set->table = xcalloc(set->capacity, sizeof(struct grant *));
    while ((result = keys_file_next(&text, &number, &line, &g, err)) == 1) {
        struct grant **at = find(set, g->digest);

        if (*at)
            result = errbuf_fail(err, LM_EINVAL, "line %u: the same key as that of \"%s\"", number,
                                 (*at)->name);
        else if (set->len == KEYS_MAX)
            result = errbuf_fail(err, LM_ETOOBIG, "line %u: more than %d keys", number, KEYS_MAX);
        if (result != 1) {
            grant_unref(g);
            break;
        }
        *at = g;
        set->len++;
    }
    if (result) {
        set_free(set);
        return result;
    }
    *made = set;
    return 0;
}

/* ---- Who looks ---- */

/* Comes: the set stays till `leave`. */
static struct keys_set *come(struct keys *k)
{
    return atomic_load(&k->slots[atomic_fetch_add(&k->current, 1) >> SLOT_SHIFT]);
}

static void free_slot(struct keys *k, struct keys_set *set)
{
    for (size_t i = 0; i < SLOTS; i++) {
        struct keys_set *there = set;

        if (atomic_compare_exchange_strong(&k->slots[i], &there, NULL))
            break;
    }
    set_free(set);
}

static void leave(struct keys *k, struct keys_set *set)
{
    if (atomic_fetch_add(&set->left, 1) + 1 ==
        0) /* the last, and it is no longer the current one */
        free_slot(k, set);
}

/* Takes the place of the current one. False: all slots are taken, for a moment. */
static bool put(struct keys *k, struct keys_set *set)
{
    uint64_t slot = 0;

    while (slot < SLOTS && atomic_load(&k->slots[slot]))
        slot++;
    if (slot == SLOTS)
        return false;
    atomic_store(&k->slots[slot], set);

    uint64_t before = atomic_exchange(&k->current, slot << SLOT_SHIFT);
    struct keys_set *old = atomic_load(&k->slots[before >> SLOT_SHIFT]);
    int64_t came = (int64_t)(before & ((UINT64_C(1) << SLOT_SHIFT) - 1));

    if (old && atomic_fetch_sub(&old->left, came) == came)
        free_slot(k, old);
    return true;
}

/*
 * Of each thread: keys that were found last, with their digests, since making one costs as much as
 * a tenth of taking a log. Those that were not found are hashed each time, as no key is.
 */
enum { MEMOS = 8 };
struct memo {
    char text[KEY_TEXT_LEN];
    uint8_t digest[KEY_DIGEST_BYTES];
    bool is_set;
};
static _Thread_local struct memo memos[MEMOS];
static _Thread_local unsigned next_memo;

static const struct memo *remembered(struct slice text)
{
    for (unsigned i = 0; text.len == KEY_TEXT_LEN && i < MEMOS; i++)
        if (memos[i].is_set && CRYPTO_memcmp(memos[i].text, text.data, KEY_TEXT_LEN) == 0)
            return &memos[i];
    return NULL;
}

static void remember(struct slice text, const uint8_t digest[KEY_DIGEST_BYTES])
{
    struct memo *m = &memos[next_memo++ % MEMOS];

    if (text.len != KEY_TEXT_LEN)
        return;
    memcpy(m->text, text.data, KEY_TEXT_LEN);
    memcpy(m->digest, digest, KEY_DIGEST_BYTES);
    m->is_set = true;
}

static struct grant *find_digest(struct keys *k, const uint8_t digest[KEY_DIGEST_BYTES])
{
    struct keys_set *set = come(k);
    struct grant *g = grant_ref(*find(set, digest));

    leave(k, set);
    return g;
}

struct grant *keys_find_certificate(struct keys *k, struct slice name)
{
    uint8_t digest[KEY_DIGEST_BYTES];

    return grant_certificate_digest(name, digest) ? find_digest(k, digest) : NULL;
}

struct grant *keys_find(struct keys *k, struct slice text)
{
    const struct memo *known = remembered(text);
    uint8_t digest[KEY_DIGEST_BYTES];

    if (known)
        memcpy(digest, known->digest, sizeof(digest));
    else if (!key_digest(text, digest))
        return NULL;

    struct grant *g = find_digest(k, digest);

    if (g && !known)
        remember(text, digest);
    return g;
}

struct grant *keys_find_begun(struct keys *k, const uint8_t begin[KEY_BEGIN_BYTES])
{
    struct keys_set *set = come(k);
    size_t at = place_of(set, begin);

    while (set->table[at] && memcmp(set->table[at]->digest, begin, KEY_BEGIN_BYTES) != 0)
        at = (at + 1) & (set->capacity - 1);

    struct grant *g = grant_ref(set->table[at]);

    leave(k, set);
    return g;
}

size_t keys_len(struct keys *k)
{
    struct keys_set *set = come(k);
    size_t len = set->len;

    leave(k, set);
    return len;
}

/* ---- The file ---- */

/*
 * Our own is ours alone. One that somebody else lends us is as they have it: secrets of containers
 * have mode 0444, credentials of systemd 0440. There is no key in it; but nobody else may write it.
 */
static int check_mode(const char *path, const struct stat *s, struct errbuf *err)
{
    bool is_ours = s->st_uid == geteuid();
    unsigned mode = (unsigned)s->st_mode & 07777;

    if (!(mode & (is_ours ? 077 : 022)))
        return 0;
    if (is_ours)
        return errbuf_fail(
            err, LM_EINVAL,
            "%s has mode %04o: others must not reach it; allowed is 0600 (chmod 600)", path, mode);
    return errbuf_fail(err, LM_EINVAL,
                       "%s has mode %04o: others must not write it; allowed is 0644, since it is "
                       "the file of user %u (chmod 644)",
                       path, mode, (unsigned)s->st_uid);
}

static int check_file(const char *path, const struct stat *s, struct errbuf *err)
{
    int error;

    if (!S_ISREG(s->st_mode))
        return errbuf_fail(err, LM_EINVAL, "%s is no file", path);
    if ((error = check_mode(path, s, err)))
        return error;
    if (s->st_size > KEYS_FILE_BYTES_MAX)
        return errbuf_fail(err, LM_ETOOBIG, "%s has more than %d bytes", path, KEYS_FILE_BYTES_MAX);
    return 0;
}

static int read_all(int fd, const char *path, struct buffer *text, struct errbuf *err)
{
    for (;;) {
        enum { LOT = 65536 };
        char *to = buffer_reserve(text, LOT);
        if (!to)
            return errbuf_fail(err, buffer_error(text), "cannot read %s: %s", path,
                               lm_error_text(buffer_error(text)));

        ssize_t n = read(fd, to, LOT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errbuf_fail(err, LM_EIO, "cannot read %s: %s", path, strerror(errno));
        if (n == 0)
            return 0;
        text->len += (size_t)n;
    }
}

int keys_file_read(const char *path, struct buffer *text, struct stat *was, struct errbuf *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int error;

    if (fd < 0)
        return errbuf_fail(err, errno == ENOENT ? LM_ENOTFOUND : LM_EIO, "cannot open %s: %s", path,
                           strerror(errno));
    if (fstat(fd, was))
        error = errbuf_fail(err, LM_EIO, "cannot read %s: %s", path, strerror(errno));
    else
        error = check_file(path, was, err);
    if (!error)
        error = read_all(fd, path, text, err);
    close(fd);
    if (!error && (text->len == 0 || text->data[text->len - 1] != '\n'))
        error = errbuf_fail(err, LM_EINVAL,
                            "%s is half written: it is empty, or its last line does not end", path);
    return error;
}

int keys_file_next(struct slice *rest, unsigned *number, struct slice *line, struct grant **g,
                   struct errbuf *err)
{
    struct errbuf why = ERRBUF_INIT;

    while (rest->len > 0) {
        *line = slice_cut(rest, '\n');
        ++*number;

        struct slice text = slice_trim(*line);

        if (text.len == 0 || text.data[0] == '#')
            continue;

        int error = grant_parse(text, g, &why);
        if (error)
            return errbuf_fail(err, error, "line %u: %s", *number,
                               why.text[0] ? why.text : lm_error_text(error));
        return 1;
    }
    return 0;
}

static int read_set(const char *path, struct keys_set **set, struct stat *was, struct errbuf *err)
{
    struct errbuf why = ERRBUF_INIT;
    struct buffer text;

    buffer_init(&text, KEYS_FILE_BYTES_MAX + (1 << 20));

    int error = keys_file_read(path, &text, was, err);
    if (!error) {
        error = set_read(buffer_slice(&text), set, &why);
        if (error)
            errbuf_set(err, "%s, %s", path, why.text);
    }
    buffer_release(&text);
    return error;
}

/* ---- Anew ---- */

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mode == b->st_mode && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
           a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/*
 * Grants of which nothing has changed but how long they hold, and how much may be had by them, go
 * on: so does what is counted of them, and who follows or sends by them is not ended.
 */
static void keep_same(const struct keys_set *before, struct keys_set *set)
{
    for (size_t i = 0; i < before->capacity; i++) {
        struct grant *g = before->table[i];
        struct grant **at = g ? find(set, g->digest) : NULL;

        if (at && *at && grant_is_same(*at, g)) {
            grant_renew(g, *at);
            grant_unref(*at);
            *at = grant_ref(g);
        }
    }
}

/* The others are withdrawn from whoever still has them. */
static void withdraw_others(const struct keys_set *before, const struct keys_set *set)
{
    for (size_t i = 0; i < before->capacity; i++) {
        struct grant *g = before->table[i];

        if (g && *find(set, g->digest) != g)
            atomic_store(&g->withdrawn, true);
    }
}

/* Takes over what the file says; `set` has its reference. */
static int change(struct keys *k, struct keys_set *set, struct errbuf *err)
{
    struct keys_set *before = come(k);
    int error = 0;

    keep_same(before, set);
    if (put(k, set)) {
        withdraw_others(before, set); /* `set` stays: this is its only writer */
    } else {
        set_free(set);
        error = errbuf_fail(err, LM_EBUSY, "%s changes too often", k->path);
    }
    leave(k, before);
    return error;
}

/* `*is_other`: it was looked into, for it may not be what it was then. */
static int look(struct keys *k, bool *is_other, struct errbuf *err)
{
    struct stat now = {0};
    struct keys_set *set = NULL;

    *is_other = stat(k->path, &now) != 0 || !is_same(&now, &k->seen);
    if (!*is_other)
        return 0;

    int error = read_set(k->path, &set, &now, err);
    if (!error)
        error = change(k, set, err);
    /* What is wrong in it stays so until it is another; all else is tried again. */
    k->seen = !error || error == LM_EINVAL || error == LM_ETOOBIG ? now : (struct stat){0};
    return error;
}

int keys_refresh(struct keys *k, struct errbuf *err)
{
    bool is_other;

    return look(k, &is_other, err);
}

static void look_and_say(struct keys *k)
{
    struct errbuf why = ERRBUF_INIT;
    bool is_other;
    int error = look(k, &is_other, &why);

    if (!is_other)
        return;
    if (!error)
        diag(DIAG_INFO, "the file of keys was read anew", DIAG_INT("keys", (int64_t)keys_len(k)));
    else if (!k->is_wrong || k->seen.st_ino != 0)
        diag(DIAG_ERROR, "the file of keys is wrong: what it said before goes on to hold",
             DIAG_STR("reason", why.text));
    k->is_wrong = !!error;
}

static void *watch(void *ctx)
{
    struct keys *k = ctx;

    pthread_mutex_lock(&k->lock);
    while (!k->stops) {
        (void)monotonic_cond_wait(&k->wake, &k->lock, clock_monotonic_us() + LOOK_US);
        if (k->stops)
            break;
        pthread_mutex_unlock(&k->lock);
        look_and_say(k);
        pthread_mutex_lock(&k->lock);
    }
    pthread_mutex_unlock(&k->lock);
    return NULL;
}

int keys_watch(struct keys *k, struct errbuf *err)
{
    int error = pthread_create(&k->thread, NULL, watch, k);

    if (error)
        return errbuf_fail(err, LM_EUNAVAILABLE, "cannot start a thread: %s", strerror(error));
    k->watches = true;
    return 0;
}

static struct keys *keys_new(struct keys_set *set)
{
    struct keys *k = xcalloc(1, sizeof(*k));

    atomic_init(&k->slots[0], set);
    pthread_mutex_init(&k->lock, NULL);
    monotonic_cond_init(&k->wake);
    return k;
}

struct keys *keys_open(const char *path, struct errbuf *err)
{
    struct keys_set *set = NULL;
    struct stat was;

    if (read_set(path, &set, &was, err))
        return NULL;

    struct keys *k = keys_new(set);

    k->path = path;
    k->seen = was;
    return k;
}

struct keys *keys_of(struct slice text, struct errbuf *err)
{
    struct keys_set *set = NULL;
    int error = set_read(text, &set, err);

    if (error && !err->text[0])
        errbuf_set(err, "%s", lm_error_text(error));
    return error ? NULL : keys_new(set);
}

void keys_free(struct keys *k)
{
    if (!k)
        return;
    if (k->watches) {
        pthread_mutex_lock(&k->lock);
        k->stops = true;
        pthread_cond_signal(&k->wake);
        pthread_mutex_unlock(&k->lock);
        pthread_join(k->thread, NULL);
    }
    for (size_t i = 0; i < SLOTS; i++)
        set_free(atomic_load(&k->slots[i]));
    pthread_cond_destroy(&k->wake);
    pthread_mutex_destroy(&k->lock);
    free(k);
}
