/*
 * PCRE2 bounds the work of one match by a limit of steps, but that is counted anew at each place of
 * the text where a match may begin, and one step may go through all of the text: by itself
 * it is a bound for short texts only. So an expression is compiled twice. `quick` has a limit that
 * makes the worst of a text of up to SHORT_MAX bytes cheap. What it cannot tell within that, and
 * longer texts, are `watched`'s, which calls us before each item of the expression that it tries:
 * between two calls it does at most linear work, and the clock is looked at.
 */
#include "query/regex.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/clock.h"
#include "base/xalloc.h"

enum {
    SHORT_MAX = 2048,
    SHORT_WORK = 1 << 24,     /* bytes looked at, at most, in a short text by `quick` */
    SHORT_LIMIT_MIN = 16,     /* … but so many steps are always taken */
    STACK_MIN = 32 << 10,     /* of JIT-compiled code … */
    STACK_MAX = 1 << 20,      /* … and the heap of PCRE2's interpreter */
    CALLS_PER_LOOK = 32,      /* calls between two looks at the clock, … */
    BYTES_PER_LOOK = 1 << 20, /* … or bytes that they may go through, if that is sooner */
    SPARE = 4,                /* rooms that are kept, for as many threads at once */
    SAMPLE = 16,              /* one of so many matches stands for all in what is spent */
};

/* What a match needs, and one at a time has. */
struct room {
    pcre2_match_data *data;
    pcre2_match_context *quick;
    pcre2_match_context *watched;
    pcre2_jit_stack *stack; /* NULL: there is no JIT */
};

struct regex {
    pcre2_code *quick; /* NULL: it is too large to be quick */
    pcre2_code *watched;
    _Atomic(struct room *) spare[SPARE]; /* that nobody has now; NULL: somebody has */
    atomic_ullong asked;                 /* texts */
    atomic_ullong spent_ns;              /* on them, as samples tell */
    atomic_ullong granted_ns;            /* for them */
    struct regex_literals literals;
};

/* ---- Rooms ---- */

static void free_room(struct room *room)
{
    if (!room)
        return;
    pcre2_match_data_free(room->data);
    pcre2_match_context_free(room->quick);
    pcre2_match_context_free(room->watched);
    pcre2_jit_stack_free(room->stack);
    free(room);
}

static pcre2_match_context *new_context(struct room *room)
{
    pcre2_match_context *context = pcre2_match_context_create(NULL);

    if (!context)
        return NULL;
    pcre2_set_heap_limit(context, STACK_MAX / 1024);
    if (room->stack)
        pcre2_jit_stack_assign(context, NULL, room->stack);
    return context;
}

static struct room *new_room(void)
{
    struct room *room = try_malloc(sizeof(*room));
    uint32_t has_jit = 0;

    if (!room)
        return NULL;
    *room = (struct room){.data = pcre2_match_data_create(1, NULL)};
    pcre2_config(PCRE2_CONFIG_JIT, &has_jit);
    if (has_jit)
        room->stack = pcre2_jit_stack_create(STACK_MIN, STACK_MAX, NULL);
    room->quick = new_context(room);
    room->watched = new_context(room);
    if (room->data && room->quick && room->watched)
        return room;
    free_room(room);
    return NULL;
}

static struct room *take_room(struct regex *r)
{
    struct room *room = NULL;

    for (int i = 0; !room && i < SPARE; i++)
        if (atomic_load_explicit(&r->spare[i], memory_order_relaxed))
            room = atomic_exchange(&r->spare[i], NULL);
    return room ? room : new_room();
}

static void give_room_back(struct regex *r, struct room *room)
{
    for (int i = 0; i < SPARE; i++) {
        struct room *none = NULL;

        if (atomic_compare_exchange_strong(&r->spare[i], &none, room))
            return;
    }
    free_room(room);
}

/* ---- Making one ---- */

static int fail_compile(int code, size_t at, size_t *offset, struct errbuf *err)
{
    char why[256];

    if (code == PCRE2_ERROR_HEAP_FAILED)
        return LM_ENOMEM;
    if (pcre2_get_error_message(code, (PCRE2_UCHAR *)why, sizeof(why)) < 0)
        why[0] = '\0';
    *offset = at;
    return errbuf_fail(err, LM_EINVAL, "%s", why);
}

/* Sets `*code`, and adds its size to `*bytes`. */
static int compile(struct slice text, uint32_t options, pcre2_code **code, size_t *bytes,
                   size_t *offset, struct errbuf *err)
{
    const uint32_t all = options | PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C;
    PCRE2_SIZE at = 0;
    size_t size = 0;
    int failure;

    *code = pcre2_compile((PCRE2_SPTR)text.data, text.len, all, &failure, &at, NULL);
    if (!*code)
        return fail_compile(failure, at < text.len ? at : text.len, offset, err);
    pcre2_pattern_info(*code, PCRE2_INFO_SIZE, &size);
    *bytes += size;
    return 0;
}

/* `*quick_bytes`: the size of r->quick. */
static int compile_both(struct slice text, struct regex *r, size_t *quick_bytes, size_t *offset,
                        struct errbuf *err)
{
    *offset = 0;
    *quick_bytes = 0;
    if (text.len > REGEX_TEXT_MAX)
        return errbuf_fail(err, LM_EINVAL, "longer than %d bytes", REGEX_TEXT_MAX);
    if (text.len == 0)
        text.data = "";

    int error = compile(text, 0, &r->quick, quick_bytes, offset, err);
    size_t bytes = *quick_bytes;

    if (!error)
        error = compile(text, PCRE2_AUTO_CALLOUT, &r->watched, &bytes, offset, err);
    if (!error && bytes > REGEX_COMPILED_MAX)
        error =
            errbuf_fail(err, LM_EINVAL, "compiled it is larger than %d bytes", REGEX_COMPILED_MAX);
    return error;
}

int regex_new(struct slice text, struct regex **made, size_t *offset, struct errbuf *err)
{
    struct regex *r = try_malloc(sizeof(*r));
    size_t bytes;

    *made = NULL;
    if (!r)
        return LM_ENOMEM;
    *r = (struct regex){0};

    int error = compile_both(text, r, &bytes, offset, err);

    if (error) {
        regex_free(r);
        return error;
    }
    if (bytes <= REGEX_JIT_MAX) {
        /* Without it, it is slower; so if there is no JIT, or no memory for it. */
        (void)pcre2_jit_compile(r->quick, PCRE2_JIT_COMPLETE);
        (void)pcre2_jit_compile(r->watched, PCRE2_JIT_COMPLETE);
    } else {
        pcre2_code_free(r->quick);
        r->quick = NULL;
    }
    regex_literals_find(text, &r->literals);
    *made = r;
    return 0;
}

int regex_check(struct slice text, size_t *offset, struct errbuf *err)
{
    struct regex r = {0};
    size_t bytes;
    int error = compile_both(text, &r, &bytes, offset, err);

    pcre2_code_free(r.quick);
    pcre2_code_free(r.watched);
    return error;
}

void regex_free(struct regex *r)
{
    if (!r)
        return;
    pcre2_code_free(r->quick);
    pcre2_code_free(r->watched);
    for (int i = 0; i < SPARE; i++)
        free_room(atomic_load(&r->spare[i]));
    free(r);
}

size_t regex_literals(const struct regex *r, const struct slice **literals, bool *with_case)
{
    *literals = r->literals.each;
    *with_case = r->literals.with_case;
    return r->literals.len;
}

/* ---- Matching ---- */

static int fail_match(int code)
{
    return code == PCRE2_ERROR_NOMEMORY ? LM_ENOMEM : LM_ETOOBIG;
}

/* LM_ETOOBIG: it cannot tell. */
static int match_quickly(const struct regex *r, struct room *room, struct slice text, bool *matches)
{
    size_t limit = SHORT_WORK / (text.len * text.len + 1);

    pcre2_set_match_limit(room->quick,
                          (uint32_t)(limit > SHORT_LIMIT_MIN ? limit : SHORT_LIMIT_MIN));
    int code =
        pcre2_match(r->quick, (PCRE2_SPTR)text.data, text.len, 0, 0, room->data, room->quick);
    *matches = code >= 0;
    return code >= 0 || code == PCRE2_ERROR_NOMATCH ? 0 : fail_match(code);
}

/* What a thread has worked, which is less than the time that goes by if there are many. */
static uint64_t worked_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

struct watch {
    uint64_t until_ns; /* of the thread's work, … */
    uint64_t until_us; /* … before which it cannot be: of time, which is read faster */
    unsigned calls, per_look;
};

static int look(pcre2_callout_block *block, void *ctx)
{
    struct watch *w = ctx;

    if (++w->calls % w->per_look)
        return 0;

    uint64_t now_us = clock_monotonic_us();
    if (now_us < w->until_us)
        return 0;

    uint64_t now_ns = worked_ns();
    w->until_us = now_us + (w->until_ns - now_ns) / 1000;
    return now_ns < w->until_ns ? 0 : PCRE2_ERROR_CALLOUT;
}

static uint64_t granted_ns(struct slice text)
{
    uint64_t ns = REGEX_TEXT_NS + text.len * REGEX_BYTE_NS;

    return ns < REGEX_TEXT_NS_MAX ? ns : REGEX_TEXT_NS_MAX;
}

static int match_watched(struct regex *r, struct room *room, struct slice text, bool *matches)
{
    size_t per_look = BYTES_PER_LOOK / (text.len + 1);
    struct watch w = {
        .until_ns = worked_ns() + granted_ns(text),
        .until_us = clock_monotonic_us() + granted_ns(text) / 1000,
        .per_look = per_look > CALLS_PER_LOOK ? CALLS_PER_LOOK : (unsigned)per_look + 1,
    };

    pcre2_set_match_limit(room->watched, UINT32_MAX);
    pcre2_set_callout(room->watched, look, &w);
    int code =
        pcre2_match(r->watched, (PCRE2_SPTR)text.data, text.len, 0, 0, room->data, room->watched);
    pcre2_set_callout(room->watched, NULL, NULL);
    *matches = code >= 0;
    return code >= 0 || code == PCRE2_ERROR_NOMATCH ? 0 : fail_match(code);
}

static int match_text(struct regex *r, struct slice text, bool *matches)
{
    struct room *room = take_room(r);
    int error = LM_ETOOBIG;

    if (!room)
        return LM_ENOMEM;
    if (text.len == 0)
        text.data = "";
    if (text.len <= SHORT_MAX && r->quick)
        error = match_quickly(r, room, text, matches);
    if (error == LM_ETOOBIG)
        error = match_watched(r, room, text, matches);
    give_room_back(r, room);
    return error;
}

static bool is_spent(const struct regex *r)
{
    return atomic_load_explicit(&r->spent_ns, memory_order_relaxed) >
           REGEX_GRACE_NS + atomic_load_explicit(&r->granted_ns, memory_order_relaxed);
}

/* A text that stands for `weight` of them took `ns`. */
static void spend(struct regex *r, struct slice text, uint64_t ns, unsigned weight)
{
    uint64_t granted = REGEX_MEAN_NS + text.len * REGEX_MEAN_BYTE_NS;

    atomic_fetch_add_explicit(&r->spent_ns, weight * ns, memory_order_relaxed);
    atomic_fetch_add_explicit(&r->granted_ns, weight * granted, memory_order_relaxed);
}

int regex_match(struct regex *r, struct slice text, bool *matches, uint64_t *steps)
{
    *matches = regex_literals_may_be_in(&r->literals, text);
    if (steps)
        *steps += text.len / 4;
    if (!*matches)
        return 0;
    if (is_spent(r))
        return LM_ETOOBIG;

    bool is_sample = atomic_fetch_add_explicit(&r->asked, 1, memory_order_relaxed) % SAMPLE == 0;
    bool is_long = text.len > SHORT_MAX;
    if (!is_sample && !is_long && !steps)
        return match_text(r, text, matches);

    uint64_t began_ns = worked_ns();
    int error = match_text(r, text, matches);
    uint64_t took_ns = worked_ns() - began_ns;
    if (is_sample || is_long)
        spend(r, text, took_ns, is_long ? 1 : SAMPLE);
    if (steps)
        *steps += took_ns;
    return error;
}
