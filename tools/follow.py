"""Prints what became of the lines of tests/follow's scenes (a folder of JSON files) as a table."""

import collections
import glob
import json
import os
import sys

COUNTED = ("lines", "lost", "doubled", "broken", "disorder", "excused", "kills")

rows = {}
for path in glob.glob(os.path.join(sys.argv[1], "*.json")):
    with open(path, encoding="utf-8") as file:
        result = json.load(file)
    row = rows.setdefault(result["title"], collections.Counter())
    row["runs"] += 1
    row["failed"] += "failure" in result
    row["place"] = result["place"]
    for name in COUNTED:
        row[name] += result[name]

print("| scene | runs (failed) | kills | lines | lost | doubled | broken | out of order | not to be had |")
print("|---|--:|--:|--:|--:|--:|--:|--:|--:|")
for title, row in sorted(rows.items(), key=lambda item: item[1]["place"]):
    runs = f"{row['runs']} ({row['failed']})" if row["failed"] else row["runs"]
    print(f"| {title} | {runs} | {row['kills']} | {row['lines']:,} | {row['lost']} | {row['doubled']} "
          f"| {row['broken']} | {row['disorder']} | {row['excused']} |")
