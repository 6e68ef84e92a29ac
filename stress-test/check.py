"""Is every log that was answered 201 in the store, once?

A user's logs are numbered 0, 1, 2, …, each sent after the answer to the one before. So the store has
to hold exactly these numbers of each user, less those that were not answered 201: of a refused log
nothing is promised, and it may be there (once) or not.
"""

import re
from collections import defaultdict

# Each user's logs: how many, how many different numbers, the first and the last of them.
BY_USER = "SELECT {vu}, count(*), count(DISTINCT {n}), min({n}), max({n}) FROM logs GROUP BY 1"
OF_USER = "SELECT {n} FROM logs WHERE {vu} = {user}"

REFUSED = re.compile(r"refused vu=(\d+) first=(\d+) logs=(\d+)")


def refused_of(warnings):
    """By user, the numbers of the logs that were not answered 201."""
    refused = defaultdict(set)
    for vu, first, logs in REFUSED.findall(warnings):
        refused[int(vu)].update(range(int(first), int(first) + int(logs)))
    return refused


def check(setup, accepted, refused_count, warnings):
    """Returns what was found: figures, and `faults`, which is empty if all is well."""
    refused = refused_of(warnings)
    faults = []
    rows = stored_refused = sent = 0
    users = {vu: rest for vu, *rest in setup.query(BY_USER)}
    for vu in sorted(users | refused.keys()):
        count, distinct, first, last = users.get(vu, (0, 0, 0, -1))
        refused_here = refused.get(vu, set())
        rows += count
        extra = 0
        if refused_here:
            extra = len(refused_here & {n for (n,) in setup.query(OF_USER, user=vu)})
            stored_refused += extra
        ought = max(last, max(refused_here, default=-1)) + 1
        sent += ought
        if count != distinct:
            faults.append(f"user {vu}: {count - distinct} logs are stored more than once")
        if first < 0 or distinct - extra != ought - len(refused_here):
            faults.append(f"user {vu}: {ought - len(refused_here) - (distinct - extra)} logs are missing")
    told = sum(len(numbers) for numbers in refused.values())
    if told != refused_count:
        faults.append(f"{refused_count} logs were refused, but {told} told of")
    if sent != accepted + refused_count:
        faults.append(f"{accepted + refused_count} logs were sent, but the numbers reach {sent}")
    if rows - stored_refused != accepted:
        faults.append(f"{accepted} logs were answered 201, but {rows - stored_refused} of them are stored")
    return {"answered_201": accepted, "refused": refused_count, "rows": rows, "rows_of_refused": stored_refused,
            "users": len(users), "faults": faults}  # fmt: skip
