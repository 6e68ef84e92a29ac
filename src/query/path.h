/*
 * Attributes by a dotted path: `a.b.c` is member c of b of a, and the member named `a.b.c`, and
 * every way in between: at each object every prefix of what is left of the path that ends before a
 * dot, or is all of it, may be a member's name. An array stands for each of its elements. So a path
 * may lead to many values, or none.
 */
#ifndef LOGMILL_QUERY_PATH_H
#define LOGMILL_QUERY_PATH_H

#include <stdbool.h>
#include <stdint.h>

#include <yyjson.h>

#include "base/slice.h"

enum { PATH_NAMES_MAX = 32 }; /* dots of a path, and one; what has more is one name alone */

/* False: enough. */
typedef bool path_value_fn(yyjson_val *value, void *ctx);

/*
 * Calls `fn` for each value at `path` in `object`: of arrays (however deep) their elements, and not
 * the array, but for an empty one, which is handed out itself; objects too. Returns false if `fn`
 * did. `*steps` grows by the work, which is linear in the members that are met. Recursive, as deep
 * as the values are.
 */
bool path_each(yyjson_val *object, struct slice path, path_value_fn *fn, void *ctx,
               uint64_t *steps);

/* The longest of the names that the path is cut into by its dots: part of some member's name. */
struct slice path_longest_name(struct slice path);

#endif
