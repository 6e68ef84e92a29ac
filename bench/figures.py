"""Figures of many turns: medians, ratios of a round, aims, and tables for the terminal."""

import math
import statistics


def values(turns, contestant, figure):
    return [t[figure] for t in turns if t["contestant"] == contestant and figure in t]


def median(turns, contestant, figure):
    """None if the contestant has no such figure."""
    found = values(turns, contestant, figure)
    return statistics.median(found) if found else None


def ratios(turns, contestant, other, figure):
    """Each round's ratio, ascending."""
    pairs = zip(values(turns, contestant, figure), values(turns, other, figure))
    return sorted(a / b for a, b in pairs if b)


def ratio(turns, contestant, other, figure):
    """The median of each round's ratio: what disturbs a machine for a while disturbs both. None
    if one of the two did not run."""
    found = ratios(turns, contestant, other, figure)
    return statistics.median(found) if found else None


def median_interval(found):
    """Between which of `found`, ascending, the median of all that could be measured lies with 95 %:
    by the binomial distribution, whatever theirs is. (None, None) if they are too few for that."""
    n, outside, low = len(found), 0, -1
    while (outside := outside + math.comb(n, low + 1) / 2**n) <= 0.025:
        low += 1
    return (found[low], found[n - 1 - low]) if low >= 0 else (None, None)


def contestants(turns):
    return list(dict.fromkeys(t["contestant"] for t in turns))


def say_turn(number, figures, text):
    print(f"round {number}: {figures['contestant']:<28}{text}", flush=True)


def print_table(title, columns, rows):
    """`columns` are (heading, width, format); a row has a name and then one number a column, or
    None if there is none."""
    print(f"\n{title}")
    print(" " * 28 + "".join(f"{heading:>{width}}" for heading, width, _ in columns))
    for name, *numbers in rows:
        cells = (f"{'-':>{w}}" if n is None else f"{n:>{w}{f}}" for n, (_, w, f) in zip(numbers, columns))
        print(f"{name:<28}" + "".join(cells), flush=True)


def medians_table(title, turns, columns, limit=None):
    """`columns` are (figure, heading, width, format); the figures `least`, `most` and `to_limit` are
    those of the first column, the last against contestant `limit`."""
    first = columns[0][0]

    def cell(who, figure):
        if figure in ("least", "most"):
            return (min if figure == "least" else max)(values(turns, who, first))
        return ratio(turns, who, limit, first) if figure == "to_limit" else median(turns, who, figure)

    rows = [(who, *(cell(who, c[0]) for c in columns)) for who in contestants(turns)]
    print_table(title, [c[1:] for c in columns], rows)


class Aim:
    """What is asked of a figure: `most` or `least`, in the words of `what`."""

    def __init__(self, what, figure, most=None, least=None):
        self.what, self.figure, self.most, self.least = what, figure, most, least

    def verdict(self):
        if self.figure is None:
            return "not measured"
        bound = self.most if self.most is not None else self.least
        met = self.figure <= bound if self.most is not None else self.figure >= bound
        if met:
            return "met"
        return f"NOT met: {abs(self.figure / bound - 1):.0%} {'above' if self.most is not None else 'below'}"

    def tell(self):
        """Prints the aim and how it came out, if it was measured; returns both for the results."""
        limit = f"at most {self.most:g}" if self.most is not None else f"at least {self.least:g}"
        if self.figure is not None:
            print(f"aim: {self.what}: {self.figure:.3g} ({limit}): {self.verdict()}", flush=True)
        return {"what": self.what, "figure": self.figure, "limit": limit, "verdict": self.verdict()}


def tell_before(turns, name, other, figure):
    """How `name` stands to `other`, the build before, if both ran."""
    found = ratios(turns, name, other, figure)
    if found:
        low, high = median_interval(found)
        between = f"95 % interval {low:.3f} to {high:.3f}" if low else "too few for an interval"
        print(f"{figure}, {name} / {other}: {statistics.median(found):.3f} ({between}, {len(found)} pairs)", flush=True)


def tell_absent(absent):
    for name, why in absent.items():
        print(f"not measured: {name}: {why}", flush=True)
