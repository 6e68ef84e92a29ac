#include "cli/line_input.h"

#include "base/hash.h"

enum { INSIDE = GATHER_STREAMS }; /* of `from`: a line whose parts are coming */

void line_input_begin(struct line_input *in, const struct line_forms *forms)
{
    *in = (struct line_input){.chosen = forms->chosen};
    for (int i = 0; i <= INSIDE; i++)
        in->from[i] = UINT64_MAX;
}

void line_input_begin_again(struct line_input *in, const struct line_forms *forms,
                            struct line_place *place)
{
    line_input_begin(in, forms);
    in->place = place;
}

void line_input_begin_file(struct line_input *in, const struct line_forms *forms, uint64_t key,
                           const char *path, uint64_t *held_from)
{
    line_input_begin(in, forms);
    in->key = key;
    in->path = path;
    in->held_from = held_from;
    if (held_from)
        *held_from = UINT64_MAX;
}

void line_input_release(struct line_input *in, struct gather *g)
{
    for (int i = 0; i < GATHER_STREAMS; i++) {
        struct gathered *s = in->held[i];

        if (!s)
            continue;
        line_input_let_go(s);
        gather_close(g, s);
    }
}

/* ---- What is held back ---- */

uint64_t line_input_held_from(const struct line_input *in)
{
    uint64_t first = in->from[0];

    for (int i = 1; i <= INSIDE; i++)
        first = in->from[i] < first ? in->from[i] : first;
    return first;
}

const char *line_input_form(const struct line_input *in, uint64_t *guessed)
{
    uint32_t mark = line_chosen_mark(&in->chosen);
    uint64_t first = UINT64_MAX;

    for (int i = 0; i <= INSIDE; i++) {
        if (in->from[i] < first) {
            first = in->from[i];
            mark = in->mark[i];
        }
    }
    return line_chosen_marked(mark, guessed);
}

static void set_from(struct line_input *in, int which, uint64_t number)
{
    in->from[which] = number;
    in->mark[which] = line_chosen_mark(&in->chosen);
    if (in->held_from)
        *in->held_from = line_input_held_from(in);
}

struct gathered *line_input_open(const struct line_input *in, int stream)
{
    struct gathered *s = in->held[stream];

    return s && s->input == in ? s : NULL;
}

void line_input_hold(struct line_input *in, int stream, struct gathered *s)
{
    in->held[stream] = s;
    in->before[stream] = NULL;
    s->stream = stream;
    s->begun = s->input = in;
}

void line_input_holds(struct line_input *in, int stream, uint64_t number)
{
    if (in->from[stream] == UINT64_MAX)
        set_from(in, stream, number);
}

void line_input_let_go(struct gathered *s)
{
    int stream = s->stream;

    for (struct line_input *in = s->input, *before; in; in = before) {
        before = in->before[stream];
        in->before[stream] = NULL;
        in->held[stream] = NULL;
        set_from(in, stream, UINT64_MAX);
    }
}

void line_input_inside(struct line_input *in, uint64_t number)
{
    set_from(in, INSIDE, number);
}

void line_input_goes_on(struct line_input *old, struct line_input *next)
{
    if (!next->chosen.form) {
        next->chosen.form = old->chosen.form;
        if (next->chosen.guessed < old->chosen.guessed)
            next->chosen.guessed = old->chosen.guessed;
    }
    for (int i = 0; i < GATHER_STREAMS; i++) {
        struct gathered *s = line_input_open(old, i);

        if (!s || next->held[i])
            continue;
        s->input = next;
        next->held[i] = s;
        next->before[i] = old;
    }
}

/* ---- Ids ---- */

struct uuid line_input_id(const struct line_input *in, int64_t us, uint64_t number, uint64_t bits,
                          uint32_t part, struct slice text)
{
    if (in->place)
        return uuid7_numbered(us, in->place->logs, hash_mix(in->place->hash ^ bits));
    if (in->path) {
        uint64_t hash = hash_wide(hash_mix(in->key ^ hash_mix(number + part)), text);

        return uuid7_numbered(us, (uint32_t)number, hash);
    }
    return uuid7_new(us);
}
