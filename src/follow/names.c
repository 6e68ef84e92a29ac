#include "follow/names.h"

#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/text_map.h"
#include "base/xalloc.h"
#include "follow/stem.h"

enum { PARTS_MAX = 60 }; /* of a pattern: a bit of a word each */

enum given_kind { GIVEN_FILE, GIVEN_PATTERN, GIVEN_DIR };

struct given {
    enum given_kind kind;
    char *path;
    size_t fixed_len; /* of its fixed folder; "/" has none */
    /* A pattern's, behind its fixed folder; of a DIR "**" and "*". */
    char *rest;
    const char *parts[PARTS_MAX];
    int parts_len;
    int depth_max; /* parts of a path behind the fixed folder, at most */
    enum stem_form form;
};

/* A live name that is a link. */
struct link {
    char *path, *target;
    char *family;  /* of its target */
    uint32_t next; /* another link to something of that family; of a free one: another free one */
};

struct names {
    struct given *given;
    int len;
    int *patterns; /* those that are none of GIVEN_FILE */
    int patterns_len;
    char **excluded;
    int excluded_len;
    struct text_map files;   /* FILEs by their paths */
    struct text_map folders; /* theirs */
    struct link *links;
    size_t links_len, links_capacity;
    uint32_t free_link;
    struct text_map links_by_path, links_by_family;
};

/* ---- Paths ---- */

static struct slice folder_of(struct slice path)
{
    while (path.len > 0 && path.data[path.len - 1] != '/')
        path.len--;
    if (path.len > 0)
        path.len--; /* "/" is "" here */
    return path;
}

static struct slice base_of(struct slice path)
{
    size_t folder = folder_of(path).len;
    size_t at = folder < path.len && path.data[folder] == '/' ? folder + 1 : folder;

    return slice_of(path.data + at, path.len - at);
}

/* Takes the last part away, if it is a folder and no link. */
static bool go_up(struct buffer *path)
{
    struct stat st;

    buffer_append_char(path, '\0');
    bool is_folder = lstat(path->data, &st) == 0 && S_ISDIR(st.st_mode);

    buffer_truncate(path, path->len - 1);
    if (path->len > 0 && !is_folder)
        return false;
    buffer_truncate(path, folder_of(buffer_slice(path)).len);
    return true;
}

/*
 * Appends `given` as an absolute path without parts that mean nothing; "" for "/". The ".." of a
 * folder that is a link stays: what it means may change.
 */
static int make_absolute(const char *given, struct buffer *path, struct errbuf *err)
{
    char cwd[PATH_MAX];
    struct slice rest = slice_of_string(given);

    if (given[0] == '\0')
        return errbuf_fail(err, LM_EINVAL, "the name of a file is empty");
    if (given[0] != '/') {
        if (!getcwd(cwd, sizeof(cwd)))
            return errbuf_fail(err, LM_EIO, "cannot tell the current folder");
        buffer_append_string(path, strcmp(cwd, "/") == 0 ? "" : cwd);
    }
    while (rest.len > 0) {
        struct slice part = slice_cut(&rest, '/');

        if (part.len == 0 || slice_equal(part, SLICE_LITERAL(".")))
            continue;
        if (slice_equal(part, SLICE_LITERAL("..")) && go_up(path))
            continue;
        buffer_append_char(path, '/');
        buffer_append_slice(path, part);
    }
    if (buffer_error(path))
        return errbuf_fail(err, LM_EINVAL, "the name of a file is too long: %.100s…", given);
    return 0;
}

static bool has_wildcard(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (strchr("*?[", text[i]) && text[i])
            return true;
    return false;
}

/* ---- Patterns ---- */

/* Cuts a pattern's text behind its fixed folder into parts. */
static int cut_parts(struct given *g, struct errbuf *err)
{
    int depth = 0;
    char *at = g->rest;

    while (at) {
        char *slash = strchr(at, '/');

        if (slash)
            *slash = '\0';
        if (g->parts_len + 2 >= PARTS_MAX)
            return errbuf_fail(err, LM_EINVAL, "a pattern has too many parts, at most %d: %s",
                               PARTS_MAX - 2, g->path);
        if (strcmp(at, "..") == 0)
            return errbuf_fail(err, LM_EINVAL, "\"..\" behind a wildcard: %s", g->path);
        g->parts[g->parts_len++] = at;
        at = slash ? slash + 1 : NULL;
    }
    if (strcmp(g->parts[g->parts_len - 1], "**") == 0)
        g->parts[g->parts_len++] = "*";
    for (int i = 0; i < g->parts_len; i++)
        depth += strcmp(g->parts[i], "**") == 0 ? 0 : 1;
    g->depth_max = depth + (depth < g->parts_len ? NAMES_DEPTH_MAX : 0);
    g->form = stem_form(slice_of_string(g->parts[g->parts_len - 1]));
    return 0;
}

static int make_pattern(struct given *g, struct errbuf *err)
{
    size_t first = 0; /* where the first part with a wildcard begins */

    if (g->kind == GIVEN_DIR) {
        g->fixed_len = strlen(g->path);
        g->rest = xstrdup("**");
        return cut_parts(g, err);
    }
    for (size_t at = 1;; at++) {
        bool is_end = g->path[at] == '\0';

        if (!is_end && g->path[at] != '/')
            continue;
        if (has_wildcard(g->path + first, at - first) || is_end)
            break;
        first = at;
    }
    g->fixed_len = first;
    g->rest = xstrdup(g->path + first + 1);
    return cut_parts(g, err);
}

static bool is_any_depth(const char *part)
{
    return part[0] == '*' && part[1] == '*' && part[2] == '\0';
}

/* Positions in the pattern, a bit each: a "**" may also stand for no folder. */
static uint64_t reach(const struct given *g, uint64_t states)
{
    for (int i = 0; i < g->parts_len; i++)
        if (states >> i & 1 && is_any_depth(g->parts[i]))
            states |= UINT64_C(2) << i;
    return states;
}

static uint64_t step(const struct given *g, uint64_t states, const char *part)
{
    uint64_t next = 0;

    for (int i = 0; i < g->parts_len; i++) {
        if (!(states >> i & 1))
            continue;
        if (is_any_depth(g->parts[i]))
            next |= part[0] == '.' ? 0 : UINT64_C(1) << i;
        else if (strcmp(g->parts[i], "*") == 0 ? part[0] != '.'
                                               : fnmatch(g->parts[i], part, FNM_PERIOD) == 0)
            next |= UINT64_C(2) << i;
    }
    return reach(g, next);
}

/*
 * How far the pattern is matched by the path, as positions in it: bit parts_len is all of it, any
 * other that something in that folder may match. 0 if the path has more than `depth_max` parts
 * behind the fixed folder.
 */
static uint64_t match(const struct given *g, struct slice path, int depth_max)
{
    char parts[PATH_MAX];
    uint64_t states = reach(g, 1);
    int depth = 0;

    if (path.len < g->fixed_len || memcmp(path.data, g->path, g->fixed_len) != 0 ||
        path.len >= sizeof(parts) || (path.len > g->fixed_len && path.data[g->fixed_len] != '/'))
        return 0;
    if (path.len <= g->fixed_len + 1)
        return states;
    struct slice rest = {path.data + g->fixed_len + 1, path.len - g->fixed_len - 1};

    while (rest.len > 0 && states) {
        struct slice part = slice_cut(&rest, '/');

        memcpy(parts, part.data, part.len);
        parts[part.len] = '\0';
        states = ++depth > depth_max ? 0 : step(g, states, parts);
    }
    return states;
}

static bool matches_file(const struct given *g, struct slice path)
{
    return match(g, path, g->depth_max) >> g->parts_len & 1;
}

static bool matches_folder(const struct given *g, struct slice path)
{
    return (match(g, path, g->depth_max - 1) & ((UINT64_C(1) << g->parts_len) - 1)) != 0;
}

/* The first pattern that a file of that form may match; -1. */
static int find_pattern(const struct names *n, struct slice path, enum stem_form form)
{
    for (int i = 0; i < n->patterns_len; i++) {
        const struct given *g = &n->given[n->patterns[i]];

        if ((form == STEM_LOG || form == STEM_ARCHIVE || form == g->form) && matches_file(g, path))
            return n->patterns[i];
    }
    return -1;
}

static bool is_excluded(const struct names *n, const char *path, struct slice base)
{
    for (int i = 0; i < n->excluded_len; i++)
        if (fnmatch(n->excluded[i], strchr(n->excluded[i], '/') ? path : base.data, 0) == 0)
            return true;
    return false;
}

/* ---- Making ---- */

static enum given_kind kind_of(const char *given, const char *path)
{
    struct stat st;
    size_t len = strlen(given);

    if (given[len - 1] == '/' && !has_wildcard(given, len))
        return GIVEN_DIR;
    if (stat(path, &st) == 0)
        return S_ISDIR(st.st_mode) ? GIVEN_DIR : GIVEN_FILE;
    return has_wildcard(given, len) && lstat(path, &st) != 0 ? GIVEN_PATTERN : GIVEN_FILE;
}

/* What is not there yet may become a folder: as a DIR, too, as long as these are not too many. */
static int add_as_folder(struct names *n, const char *path, struct errbuf *err)
{
    struct given *g = &n->given[n->len];
    struct stat st;

    if (lstat(path, &st) == 0 || errno != ENOENT || n->patterns_len == NAMES_PATTERNS_MAX)
        return 0;
    g->path = xstrdup(path);
    g->kind = GIVEN_DIR;
    n->patterns[n->patterns_len++] = n->len++;
    return make_pattern(g, err);
}

static int add_given(struct names *n, const char *text, int *files, struct errbuf *err)
{
    struct given *g = &n->given[n->len];
    char memory[PATH_MAX];
    struct buffer path;
    int error;

    buffer_init_over(&path, memory, sizeof(memory) - 1);
    error = make_absolute(text, &path, err);
    if (error)
        return error;
    memory[path.len] = '\0';
    g->path = xstrdup(memory);
    g->kind = kind_of(text, path.len > 0 ? g->path : "/");
    n->len++;
    if (g->kind != GIVEN_FILE) {
        n->patterns[n->patterns_len++] = n->len - 1;
        return n->patterns_len > NAMES_PATTERNS_MAX
                   ? errbuf_fail(err, LM_EINVAL, "too many patterns and folders, at most %d",
                                 NAMES_PATTERNS_MAX)
                   : make_pattern(g, err);
    }
    if (++*files > NAMES_FILES_MAX)
        return errbuf_fail(err, LM_EINVAL, "too many files, at most %d", NAMES_FILES_MAX);
    struct slice whole = buffer_slice(&path);

    whole.data = g->path;
    g->fixed_len = folder_of(whole).len;
    if (text_map_find(&n->files, whole) == TEXT_MAP_NONE)
        text_map_put(&n->files, whole, (uint32_t)n->len - 1);
    text_map_put(&n->folders, folder_of(whole), (uint32_t)n->len - 1);
    return 0;
}

static void add_excluded(struct names *n, const char *pattern)
{
    struct buffer b;

    buffer_init_small(&b);
    if (strchr(pattern, '/') && pattern[0] != '/')
        buffer_append_string(&b, "*/");
    buffer_append_string(&b, pattern);
    if (b.len > 1 && b.data[b.len - 1] == '/')
        buffer_truncate(&b, b.len - 1);
    buffer_append_char(&b, '\0');
    n->excluded[n->excluded_len++] = b.data;
}

struct names *names_new(const char *const *given, int given_len, const char *const *excluded,
                        int excluded_len, struct errbuf *err)
{
    struct names *n = xcalloc(1, sizeof(*n));
    int files = 0;

    n->given = xcalloc(2 * (size_t)given_len + 1, sizeof(*n->given));
    n->patterns = xcalloc(2 * (size_t)given_len + 1, sizeof(*n->patterns));
    n->excluded = xcalloc((size_t)excluded_len + 1, sizeof(*n->excluded));
    n->free_link = TEXT_MAP_NONE;
    for (int i = 0; i < excluded_len; i++) {
        if (strlen(excluded[i]) >= PATH_MAX) {
            errbuf_set(err, "a pattern to exclude is too long");
            goto fail;
        }
        add_excluded(n, excluded[i]);
    }
    for (int i = 0; i < given_len; i++)
        if (add_given(n, given[i], &files, err) != 0)
            goto fail;
    for (int i = 0; i < given_len; i++)
        if (n->given[i].kind == GIVEN_FILE && add_as_folder(n, n->given[i].path, err))
            goto fail;
    return n;
fail:
    names_free(n);
    return NULL;
}

void names_free(struct names *n)
{
    if (!n)
        return;
    for (int i = 0; i < n->len; i++) {
        free(n->given[i].path);
        free(n->given[i].rest);
    }
    for (int i = 0; i < n->excluded_len; i++)
        free(n->excluded[i]);
    for (size_t i = 0; i < n->links_len; i++) {
        free(n->links[i].path);
        free(n->links[i].target);
        free(n->links[i].family);
    }
    text_map_release(&n->files);
    text_map_release(&n->folders);
    text_map_release(&n->links_by_path);
    text_map_release(&n->links_by_family);
    free(n->given);
    free(n->patterns);
    free(n->excluded);
    free(n->links);
    free(n);
}

/* ---- Siblings ---- */

/* A search for the live file that a name was made of. */
struct origin {
    const struct names *n;
    struct slice folders[2]; /* where it may be */
    int folders_len;
    bool also_patterns;
    char *path;      /* PATH_MAX bytes */
    int file;        /* the FILE with the longest name so far; -1 */
    size_t file_len; /* of its path */
    int pattern;     /* -1 */
};

static size_t join(struct slice folder, struct slice name, char *path)
{
    if (folder.len + name.len + 2 > PATH_MAX)
        return 0;
    memcpy(path, folder.data, folder.len);
    path[folder.len] = '/';
    memcpy(path + folder.len + 1, name.data, name.len);
    path[folder.len + 1 + name.len] = '\0';
    return folder.len + 1 + name.len;
}

/* Always goes on: the longest name is the nearest. */
static bool try_origin(void *ctx, struct slice name)
{
    struct origin *o = ctx;

    for (int i = 0; i < o->folders_len; i++) {
        struct slice path = {o->path, join(o->folders[i], name, o->path)};
        uint32_t file = text_map_find(&o->n->files, path);

        if (file != TEXT_MAP_NONE && path.len > o->file_len) {
            o->file = (int)file;
            o->file_len = path.len;
        }
        if (o->also_patterns && o->pattern < 0)
            o->pattern = find_pattern(o->n, path, STEM_LOG);
    }
    return false;
}

/* Returns the number of FILE, or else of the pattern, of which `path` may be a sibling; -1. */
static int find_origin(const struct names *n, struct slice path, bool also_patterns)
{
    char memory[PATH_MAX];
    struct slice folder = folder_of(path), base = base_of(path);
    size_t live = stem_live_folder(folder);
    struct origin o = {.n = n,
                       .folders = {folder, {folder.data, live}},
                       .folders_len = live < folder.len ? 2 : 1,
                       .also_patterns = also_patterns,
                       .path = memory,
                       .file = -1,
                       .pattern = -1};

    stem_before(base, try_origin, &o);
    if (live < folder.len) {
        o.folders[0] = o.folders[1];
        o.folders_len = 1;
        try_origin(&o, base);
    }
    return o.file >= 0 ? o.file : o.pattern;
}

static bool is_wanted(void *ctx, struct slice name)
{
    const struct slice *wanted = ctx;

    return slice_equal(*wanted, name);
}

bool names_is_sibling(const char *live, const char *sibling)
{
    struct slice l = slice_of_string(live), s = slice_of_string(sibling);
    struct slice folder = folder_of(s), base = base_of(s);
    struct slice wanted = base_of(l);
    enum stem_form form = stem_form(base);
    bool is_beside = slice_equal(folder, folder_of(l));

    if (slice_equal(l, s) || (form != STEM_LOG && form != STEM_ARCHIVE))
        return false;
    if (!is_beside && !slice_equal(slice_of(folder.data, stem_live_folder(folder)), folder_of(l)))
        return false;
    return (!is_beside && slice_equal(base, wanted)) || stem_before(base, is_wanted, &wanted);
}

/* ---- Families ---- */

static void append_stem(struct slice path, struct buffer *family)
{
    struct slice folder = folder_of(path);

    buffer_append(family, folder.data, stem_live_folder(folder));
    buffer_append_char(family, '/');
    stem_family(base_of(path), family);
}

/* The link whose target's family the path is of; TEXT_MAP_NONE. */
static uint32_t link_of(const struct names *n, struct slice path)
{
    char memory[PATH_MAX];
    struct buffer family;

    if (n->links_by_family.len == 0)
        return TEXT_MAP_NONE;
    buffer_init_over(&family, memory, sizeof(memory));
    append_stem(path, &family);
    return text_map_find(&n->links_by_family, buffer_slice(&family));
}

static void append_family(const struct names *n, struct slice path, struct buffer *family)
{
    uint32_t file = text_map_find(&n->files, path);
    int origin = file != TEXT_MAP_NONE ? (int)file : find_origin(n, path, false);

    if (origin >= 0)
        buffer_append_string(family, n->given[origin].path);
    else
        append_stem(path, family);
}

void names_family(const struct names *n, const char *path, struct buffer *family)
{
    struct slice p = slice_of_string(path);
    uint32_t link = text_map_find(&n->files, p) == TEXT_MAP_NONE &&
                            text_map_find(&n->links_by_path, p) == TEXT_MAP_NONE
                        ? link_of(n, p)
                        : TEXT_MAP_NONE;

    append_family(n, link == TEXT_MAP_NONE ? p : slice_of_string(n->links[link].path), family);
}

/* ---- Links ---- */

static struct slice family_of_link(const struct link *l)
{
    return slice_of_string(l->family);
}

/* Takes a link out of those of its target's family. */
static void unlink_family(struct names *n, uint32_t number)
{
    struct link *l = &n->links[number];
    uint32_t first = text_map_find(&n->links_by_family, family_of_link(l));

    /* The key is the text of the first, which may go. */
    text_map_remove(&n->links_by_family, family_of_link(l));
    if (first == number) {
        first = l->next;
    } else {
        uint32_t at = first;

        while (n->links[at].next != number)
            at = n->links[at].next;
        n->links[at].next = l->next;
    }
    if (first != TEXT_MAP_NONE)
        text_map_put(&n->links_by_family, family_of_link(&n->links[first]), first);
}

static void forget_link(struct names *n, uint32_t number)
{
    struct link *l = &n->links[number];

    unlink_family(n, number);
    text_map_remove(&n->links_by_path, slice_of_string(l->path));
    free(l->path);
    free(l->target);
    free(l->family);
    *l = (struct link){.path = NULL, .next = n->free_link};
    n->free_link = number;
}

static uint32_t new_link(struct names *n)
{
    uint32_t number = n->free_link;

    if (number != TEXT_MAP_NONE) {
        n->free_link = n->links[number].next;
        return number;
    }
    n->links = array_reserve(n->links, &n->links_capacity, n->links_len + 1, sizeof(*n->links));
    return (uint32_t)n->links_len++;
}

void names_set_target(struct names *n, const char *link, const char *target)
{
    uint32_t number = text_map_find(&n->links_by_path, slice_of_string(link));
    char memory[PATH_MAX];
    struct buffer family;

    if (number != TEXT_MAP_NONE) {
        if (target && strcmp(n->links[number].target, target) == 0)
            return;
        forget_link(n, number);
    }
    if (!target)
        return;
    buffer_init_over(&family, memory, sizeof(memory));
    append_stem(slice_of_string(target), &family);
    buffer_append_char(&family, '\0');
    if (buffer_error(&family))
        return; /* longer than any path */
    number = new_link(n);
    struct link *l = &n->links[number];

    *l = (struct link){xstrdup(link), xstrdup(target), xstrdup(family.data), TEXT_MAP_NONE};
    text_map_put(&n->links_by_path, slice_of_string(l->path), number);
    l->next = text_map_find(&n->links_by_family, family_of_link(l));
    text_map_remove(&n->links_by_family, family_of_link(l));
    text_map_put(&n->links_by_family, family_of_link(l), number);
}

/* ---- Kinds ---- */

static bool is_live_folder(const struct names *n, struct slice path)
{
    if (text_map_find(&n->folders, path) != TEXT_MAP_NONE)
        return true;
    for (int i = 0; i < n->patterns_len; i++)
        if (matches_folder(&n->given[n->patterns[i]], path))
            return true;
    return false;
}

static enum name_kind kind_of_folder(const struct names *n, struct slice path)
{
    size_t live = stem_live_folder(path);

    if (is_live_folder(n, path) ||
        (live < path.len && is_live_folder(n, slice_of(path.data, live))))
        return NAME_FOLDER;
    return NAME_NONE;
}

static enum name_kind kind_of_file(const struct names *n, struct slice path, int *pattern,
                                   bool *is_exact)
{
    enum stem_form form = stem_form(base_of(path));
    uint32_t link;

    *pattern = find_pattern(n, path, form);
    if (*pattern >= 0 && form != STEM_ARCHIVE)
        return NAME_LIVE;
    if (form != STEM_LOG && form != STEM_ARCHIVE)
        return NAME_NONE;
    int origin = find_origin(n, path, *pattern < 0);

    if (origin >= 0 && (*pattern < 0 || n->given[origin].kind == GIVEN_FILE))
        *pattern = origin;
    if (*pattern < 0 && (link = link_of(n, path)) != TEXT_MAP_NONE)
        return names_kind(n, n->links[link].path, false, pattern, is_exact) == NAME_LIVE
                   ? NAME_SIBLING
                   : NAME_NONE;
    if (*pattern < 0)
        return NAME_NONE;
    *is_exact = n->given[*pattern].kind == GIVEN_FILE;
    return NAME_SIBLING;
}

enum name_kind names_kind(const struct names *n, const char *path, bool is_folder, int *pattern,
                          bool *is_exact)
{
    struct slice p = slice_of_string(path);

    *pattern = -1;
    *is_exact = false;
    if (p.len >= PATH_MAX || is_excluded(n, path, base_of(p)))
        return NAME_NONE;
    if (is_folder)
        return kind_of_folder(n, p.len > 1 ? p : slice_of(path, 0));
    uint32_t file = text_map_find(&n->files, p);

    if (file == TEXT_MAP_NONE)
        return kind_of_file(n, p, pattern, is_exact);
    *pattern = (int)file;
    *is_exact = true;
    return NAME_LIVE;
}

void names_folders(const struct names *n, void (*folder)(const char *path, void *ctx), void *ctx)
{
    struct text_map seen = {.slots = NULL};
    char path[PATH_MAX];

    for (int i = 0; i < n->len; i++) {
        struct slice fixed = {n->given[i].path, n->given[i].fixed_len};

        if (text_map_find(&seen, fixed) != TEXT_MAP_NONE)
            continue;
        text_map_put(&seen, fixed, 0);
        memcpy(path, fixed.data, fixed.len);
        path[fixed.len] = '\0';
        folder(fixed.len > 0 ? path : "/", ctx);
    }
    text_map_release(&seen);
}
