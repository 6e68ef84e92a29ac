#!/usr/bin/env python3
"""Makes one report of the results of several runs, in which tables were measured piece by piece:

    bench/report.py RESULT.json…

prints the medians as Markdown, and writes bench/results/report.html, the page of plots. Of a table
that several files have, the newest counts, case by case.
"""

import json
import os
import sys

import plots
from common import BENCH
from figures import contestants, median

# What is shown of each table: figure, heading, format.
SHOWN = {
    "single": [
        ("cpu_per_100k", "CPU-s per 100k", ".2f"), ("requests_per_second", "requests/s", ",.0f"),
        ("p50_ms", "p50 ms", ".2f"), ("p99_ms", "p99 ms", ".2f"), ("promise", "its success promises", ""),
    ],
    "batches": [
        ("cpu_per_million", "CPU-s per million", ".2f"), ("logs_per_second", "logs/s", ",.0f"),
        ("p50_ms", "p50 ms", ".0f"), ("p99_ms", "p99 ms", ".0f"),
        ("disk_mib_per_million", "disk, MiB per million", ".0f"), ("promise", "its success promises", ""),
    ],
    "postgres": [
        ("rows_per_second", "rows/s", ",.0f"), ("cpu_per_million", "CPU-s per million", ".2f"),
        ("server_cpu_per_million", "the server's", ".2f"),
    ],
    "sqlite": [
        ("rows_per_second", "rows/s", ",.0f"), ("cpu_per_million", "CPU-s per million", ".2f"),
        ("disk_mib_per_million", "disk, MiB per million", ".0f"),
    ],
    "read": [
        ("requests_per_second", "requests/s", ",.0f"), ("p50_ms", "p50 ms", ".2f"), ("p99_ms", "p99 ms", ".2f"),
        ("cpu_per_100k", "CPU-s per 100k", ".1f"), ("server_cpu_per_100k", "the server's", ".1f"),
    ],
    "search": [
        ("cpu_per_million", "CPU-s per million", ".2f"), ("bytes_a_log", "bytes a log on the disk", ".1f"),
        ("mean_ms", "ms a query, geometric mean", ".1f"), ("reads_per_second", "pages of 100 a second", ".0f"),
    ],
    "footprint": [
        ("first_ms", "first 201, ms", ".0f"), ("rss_idle_mib", "idle, MiB", ".0f"),
        ("rss_load_mib", "full load, MiB", ".0f"), ("rss_open_mib", "10,000 open, MiB", ".0f"),
        ("program_mib", "program, MiB", ".1f"),
    ],
}  # fmt: skip


def cell(turns, who, figure, form):
    if figure == "promise":
        turn = next(t for t in turns if t["contestant"] == who)
        return turn["promise"] + (f" ({turn['version']})" if turn["version"] else "")
    found = median(turns, who, figure)
    return "–" if found is None else format(found, form)


def markdown(results):
    for name, shown in SHOWN.items():
        for case in results.get(name, {}).get("cases", []):
            print(f"**{case['title']}**\n\n| | {' | '.join(heading for _, heading, _ in shown)} |")
            print("|---" * (len(shown) + 1) + "|")
            for who in contestants(case["turns"]):
                cells = (cell(case["turns"], who, figure, form) for figure, _, form in shown)
                print(f"| {who} | {' | '.join(cells)} |")
            print()
            for aim in case["aims"]:
                figure = "–" if aim["figure"] is None else format(aim["figure"], ".3g")
                print(f"- {aim['what']}: {figure} ({aim['limit']}): {aim['verdict']}")
            print()
        for who, why in results.get(name, {}).get("absent", {}).items():
            print(f"Not measured: {who}: {why}\n")


def merge(paths):
    merged = {}
    for path in sorted(paths, key=os.path.basename):
        with open(path, encoding="utf-8") as file:
            results = json.load(file)
        merged |= {key: results[key] for key in ("when", "machine")}
        for name in SHOWN:
            if name in results:
                known = merged.setdefault(name, {"cases": [], "absent": {}})
                titles = {case["title"] for case in results[name]["cases"]}
                known["cases"] = [c for c in known["cases"] if c["title"] not in titles] + results[name]["cases"]
                known["absent"] = results[name].get("absent", {})
    return merged


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    results = merge(sys.argv[1:])
    markdown(results)
    plots.write(results, os.path.join(BENCH, "results", "report.html"))


if __name__ == "__main__":
    main()
