"""The page of plots: one HTML file that needs nothing else. A bar is a median, the line through it
goes from the least to the most of the rounds.
"""

import html

from figures import contestants, median, values

PLOTS = {
    "single": [("cpu_per_100k", "CPU-seconds per 100,000 logs"), ("requests_per_second", "requests/s"), ("p99_ms", "p99, ms")],
    "batches": [("cpu_per_million", "CPU-seconds per million logs"), ("logs_per_second", "logs/s"),
                ("disk_mib_per_million", "MiB on the disk per million logs")],
    "postgres": [("rows_per_second", "rows/s"), ("cpu_per_million", "CPU-seconds per million rows")],
    "sqlite": [("rows_per_second", "rows/s"), ("cpu_per_million", "CPU-seconds per million rows")],
    "read": [("requests_per_second", "requests/s"), ("p99_ms", "p99, ms")],
    "search": [("cpu_per_million", "CPU-seconds per million logs"), ("bytes_a_log", "bytes a log on the disk"),
               ("mean_ms", "ms a query, geometric mean"), ("reads_per_second", "pages of 100 a second, while 50,000 logs/s come in")],
    "protocols": [("cpu_per_million", "CPU-seconds per million logs"), ("logs_per_second", "logs/s")],
    "footprint": [("first_ms", "ms to the first 201"), ("rss_idle_mib", "idle memory, MiB"),
                  ("rss_open_mib", "memory with 10,000 connections, MiB")],
}  # fmt: skip
LABEL, BAR, VALUE, ROW = 210, 420, 110, 26

STYLE = """
:root { color-scheme: light dark; --text: #1c2430; --quiet: #667; --bar: #9db4cc; --ours: #2f6f9f; --back: #fff; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e4e8ee; --quiet: #99a; --bar: #4a5c70; --ours: #5fa8dc; --back: #14181e; } }
body { font: 15px/1.45 system-ui, sans-serif; color: var(--text); background: var(--back); max-width: 60rem;
       margin: 2rem auto; padding: 0 1rem; }
svg { display: block; max-width: 100%; height: auto; margin: .3rem 0 1.2rem; }
text { font: 13px system-ui, sans-serif; fill: var(--text); } .quiet, .quiet text { color: var(--quiet); }
rect { fill: var(--bar); } rect.ours { fill: var(--ours); } line { stroke: var(--text); }
h2 { margin-top: 2.5rem; } h3 { margin-bottom: 0; font-size: 1rem; } .met { color: #2d8a4e; } .not { color: #c0392b; }
"""


def bars(turns, figure):
    """One plot; empty if no contestant has the figure."""
    found = [(who, median(turns, who, figure), values(turns, who, figure)) for who in contestants(turns)]
    found = [row for row in found if row[1] is not None]
    if not found:
        return ""
    scale = BAR / (max(max(row[2]) for row in found) or 1)
    out = [f'<svg viewBox="0 0 {LABEL + BAR + VALUE} {ROW * len(found)}" width="{LABEL + BAR + VALUE}" role="img">']
    for number, (who, middle, rounds) in enumerate(found):
        y = number * ROW + ROW / 2
        kind = ' class="ours"' if "logmill" in who else ""
        end = LABEL + scale * max(rounds)
        out.append(f'<text x="{LABEL - 8}" y="{y + 4}" text-anchor="end">{html.escape(who)}</text>'
                   f'<rect{kind} x="{LABEL}" y="{y - 8}" width="{max(1, scale * middle):.1f}" height="16"/>'
                   f'<line x1="{LABEL + scale * min(rounds):.1f}" x2="{end:.1f}" y1="{y}" y2="{y}"/>'
                   f'<text x="{end + 8:.1f}" y="{y + 4}">{short(middle)}</text>')  # fmt: skip
    return "".join(out) + "</svg>"


def short(number):
    return f"{number:,.0f}" if number >= 1000 else f"{number:.3g}"


def aims(case):
    rows = []
    for aim in case["aims"]:
        kind = "met" if aim["verdict"] == "met" else "not"
        figure = "–" if aim["figure"] is None else short(aim["figure"])
        text = f"{aim['what']}: {figure} ({aim['limit']}): "
        rows.append(f"<li>{html.escape(text)}<b class={kind}>{html.escape(aim['verdict'])}</b></li>")
    return f"<ul>{''.join(rows)}</ul>"


def page(results):
    out = ["<!doctype html><html lang=en><meta charset=utf-8><title>logmill: make bench</title>",
           f"<style>{STYLE}</style><h1>logmill beside others</h1>",
           f"<p class=quiet>{html.escape(results['when'])}, {html.escape(results['machine'])}. A bar is the median of "
           "the rounds, the line goes from the least to the most.</p>"]  # fmt: skip
    for name, shown in PLOTS.items():
        if name not in results:
            continue
        out.append(f"<h2>{name}</h2>")
        for case in results[name]["cases"]:
            out.append(f"<h3>{html.escape(case['title'])}</h3>")
            for figure, label in shown:
                if plot := bars(case["turns"], figure):
                    out.append(f"<p>{label}</p>{plot}")
            out.append(aims(case))
        for who, why in results[name].get("absent", {}).items():
            out.append(f"<p class=quiet>Not measured: {html.escape(who)}: {html.escape(why)}</p>")
    return "\n".join(out)


def write(results, path):
    with open(path, "w", encoding="utf-8") as out:
        out.write(page(results) + "\n")
