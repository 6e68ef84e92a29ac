/* The files of one family, in the order in which they are read. */
#include <string.h>

#include "base/container_of.h"
#include "base/hash.h"
#include "base/xalloc.h"
#include "follow/internal.h"

static const uint64_t ORDER_US = (uint64_t)FOLLOW_ORDER_MS * 1000;

struct family *family_named(struct follower *f, struct slice name)
{
    uint64_t hash = hash_mix(hash_bytes(HASH_BASIS, name));

    for (struct table_node *n = table_first(&f->families, hash); n; n = table_next(n)) {
        struct family *family = container_of(n, struct family, node);

        if (slice_equal(slice_of_string(family->name), name))
            return family;
    }
    struct family *family = xcalloc(1, sizeof(*family));
    family->name = xmalloc(name.len + 1);
    memcpy(family->name, name.data, name.len);
    family->name[name.len] = '\0';
    table_add(&f->families, &family->node, hash);
    return family;
}

struct family *family_of(struct follower *f, const char *path)
{
    buffer_clear(&f->path);
    names_family(f->names, path, &f->path);
    if (f->path.len == 0)
        buffer_append_string(&f->path, path);
    return family_named(f, buffer_slice(&f->path));
}

static bool is_live(const struct follower *f, const char *path, bool *is_exact)
{
    int pattern = 0;

    *is_exact = false;
    return names_kind(f->names, path, false, &pattern, is_exact) == NAME_LIVE;
}

const char *family_live_path(const struct follower *f, const struct family *family,
                             const char *path)
{
    bool is_exact;

    if (is_live(f, path, &is_exact))
        return path;
    return is_live(f, family->name, &is_exact) && is_exact ? family->name : path;
}

static void link_behind(struct source *s, struct source *older)
{
    struct family *family = s->family;
    struct source *newer = older ? older->newer : family->oldest;

    s->older = older;
    s->newer = newer;
    if (older)
        older->newer = s;
    else
        family->oldest = s;
    if (newer)
        newer->older = s;
    else
        family->newest = s;
    s->older_size = older ? older->look.size : 0;
    s->is_in_family = true;
}

void family_append(struct source *s)
{
    link_behind(s, s->family->newest);
}

void family_insert_behind(struct source *s, struct source *older)
{
    link_behind(s, older);
}

void family_insert_before(struct source *s, struct source *newer)
{
    link_behind(s, newer->older);
    newer->older_size = s->look.size;
}

void family_remove(struct source *s)
{
    if (!s->is_in_family)
        return;
    s->is_in_family = false;
    if (s->older)
        s->older->newer = s->newer;
    else
        s->family->oldest = s->newer;
    if (s->newer) {
        s->newer->older = s->older;
        s->newer->older_size = s->older ? s->older->look.size : 0;
    } else {
        s->family->newest = s->older;
    }
    s->older = s->newer = NULL;
}

bool family_is_begun(const struct source *s)
{
    return s->offset > 0 || s->is_taken;
}

/* True if there is more of it, or less, than was read: of that nobody may have been told yet. */
static bool has_changed(struct follower *f, struct source *s)
{
    struct file_look look;

    if (s->fd < 0 || s->is_reported || file_look_fd(s->fd, &look) || look.size == s->look.size)
        return false;
    follower_ready(f, s);
    return true;
}

bool family_is_whole(const struct source *s)
{
    return s->offset == s->look.size && s->is_at_end && s->file.held_from == UINT64_MAX;
}

/* True if what `s` has so far was read: what it had when `newer` was found, at least. */
static bool is_read(const struct source *s, const struct source *newer)
{
    uint64_t whole = s->searched > s->offset ? s->searched : s->offset;

    return s->is_reported || whole >= newer->older_size || (s->is_at_end && s->fd >= 0);
}

/* True if one that may come before `s` was not judged yet. An archive that was found later than `s`
 * is made of what was there before: that is not waited for. */
static bool may_have_older(const struct source *s)
{
    if (s->family->unknown > s->family->unknown_archives)
        return true;
    for (const struct roll_node *n = s->family->unjudged.first; n; n = n->behind)
        if (container_of(n, struct source, in_unjudged)->found_us <= s->found_us)
            return true;
    return false;
}

/* True if the end of `s` was waited for long enough: it may just have been read, and nobody have
 * looked yet whether it ends there. */
static bool is_given_up(const struct follower *f, const struct source *s, uint64_t since)
{
    uint64_t us = f->now_us - since;

    return us >= (s->is_held || s->is_archive || s->is_reported ? ORDER_US : 2 * ORDER_US);
}

bool family_lets_read(struct follower *f, struct source *s)
{
    struct source *older = s->older;
    bool has_waited;

    if (family_is_begun(s))
        return true;
    if (s->parked_us == 0)
        s->parked_us = f->now_us;
    has_waited = f->now_us - s->parked_us >= ORDER_US;
    if (!has_waited && may_have_older(s))
        return false;
    if (!older)
        return true;
    switch (older->phase) {
    case SOURCE_READING:
        if (!is_read(older, s))
            return false;
        if (is_given_up(f, older, s->parked_us))
            return true;
        if (has_changed(f, older) || !family_is_whole(older)) {
            follower_attend(f, older, 0);
            return false;
        }
        return true;
    case SOURCE_SEEKING:
        return has_waited;
    case SOURCE_OVER: /* until it is told what follows it */
        return older->is_told;
    case SOURCE_ENDING:  /* ending_hand_out decides */
    case SOURCE_UNKNOWN: /* no others are listed */
    case SOURCE_COPY:
        return true;
    }
    return true;
}

static void free_family(struct table_node *n, void *ctx)
{
    struct family *family = container_of(n, struct family, node);

    while (family->known.first)
        known_remove(ctx, container_of(family->known.first, struct known, in_family));
    free(family->name);
    free(family);
}

void families_release(struct follower *f)
{
    table_each(&f->families, free_family, f);
    table_release(&f->families);
}
