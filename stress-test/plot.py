"""Lines over time, as SVG."""

import math
from html import escape

WIDTH, PANEL, LEFT, RIGHT, TOP, GAP = 860, 210, 90, 130, 46, 52
COLOURS = ["#1b6ca8", "#d1603d", "#3b8b4f", "#8250a0", "#8a6d1d", "#444444"]
LINES_DRAWN = 300  # points a line at most


def ticks(most):
    """Some five round numbers from 0 to about `most`."""
    step = 10 ** math.floor(math.log10(max(most, 1e-9) / 4))
    step *= next(factor for factor in (1, 2, 5, 10) if most / (step * factor) <= 5)
    return [step * i for i in range(math.ceil(most / step) + 1)]


def thinned(points):
    """Of each stretch the highest point, so that no peak gets lost."""
    size = math.ceil(len(points) / LINES_DRAWN)
    return [max(points[i : i + size], key=lambda p: p[1]) for i in range(0, len(points), size)]


def panel(title, lines, last, top):
    """One diagram, from 0 to `last`; `lines` is name to points (x, y)."""
    y_ticks = ticks(max((y for points in lines.values() for _, y in points), default=0) or 1)
    x_at = lambda x: LEFT + (WIDTH - LEFT - RIGHT) * x / last
    y_at = lambda y: top + PANEL * (1 - y / y_ticks[-1])
    yield f'<text x="{LEFT}" y="{top - 12}" class="title">{escape(title)}</text>'
    for y in y_ticks:
        yield f'<path d="M{LEFT} {y_at(y):.1f}H{WIDTH - RIGHT}" class="grid"/>'
        yield f'<text x="{LEFT - 8}" y="{y_at(y) + 4:.1f}" class="y">{y:,.0f}</text>'
    for x in (x for x in ticks(last) if x <= last):
        yield f'<text x="{x_at(x):.1f}" y="{top + PANEL + 18}" class="x">{x:.0f} s</text>'
    for i, (name, points) in enumerate(lines.items()):
        colour = COLOURS[i % len(COLOURS)]
        path = " ".join(f"{x_at(x):.1f},{y_at(y):.1f}" for x, y in thinned(points))
        yield f'<polyline points="{path}" stroke="{colour}"/>'
        yield f'<text x="{WIDTH - RIGHT + 12}" y="{top + 14 + 18 * i}" fill="{colour}">{escape(name)}</text>'


def write(path, heading, panels):
    """`panels` is title to lines; they share their x axis, in seconds."""
    last = max(x for lines in panels.values() for points in lines.values() for x, _ in points)
    height = TOP + 24 + len(panels) * (PANEL + GAP)
    body = [f'<text x="{LEFT}" y="24" class="heading">{escape(heading)}</text>']
    for i, (title, lines) in enumerate(panels.items()):
        body += panel(title, lines, last, TOP + 24 + i * (PANEL + GAP))
    style = (
        "text{font:12px sans-serif}.heading{font-size:16px}.title{font-size:13px}.y{text-anchor:end}"
        ".x{text-anchor:middle}.grid{stroke:#ddd}polyline{fill:none;stroke-width:1.6}"
    )
    with open(path, "w", encoding="utf-8") as out:
        out.write(
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}">'
            f"<style>{style}</style>"
            f'<rect width="100%" height="100%" fill="white"/>\n' + "\n".join(body) + "\n</svg>\n"
        )
