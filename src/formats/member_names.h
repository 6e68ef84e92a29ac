/*
 * What programs call the message, the level and the time of a log among its members, and which
 * values say a level: the one table of all formats in which logs have members of somebody else's
 * names, whatever the members are written in. formats/members.h says what is known.
 */
#ifndef LOGMILL_FORMATS_MEMBER_NAMES_H
#define LOGMILL_FORMATS_MEMBER_NAMES_H

#include <stdbool.h>

#include "base/slice.h"

enum member_role { MEMBER_MESSAGE, MEMBER_LEVEL, MEMBER_TIME, MEMBER_ROLES };

/* Of one role the member of the lowest rank is taken that is of use. */
enum { MEMBER_RANK_FIRST = 0, MEMBER_RANK_NONE = 99 };

struct member_name {
    enum member_role role; /* MEMBER_ROLES: it is none of them */
    unsigned rank;         /* 1 to 98, or MEMBER_RANK_NONE */
};

/* What a member of this name may be. */
struct member_name member_name_of(struct slice name);

/* The level that the text of a value stands for: of a text (`is_text`), or the digits of a number.
 * Empty if it stands for none. */
struct slice member_level_of(struct slice text, bool is_text);

/* The same of a value with a name, which may ask for more: "status" is much else. */
struct slice member_level_named(struct member_name name, struct slice text, bool is_text);

#endif
