"""Prints the rows of tests/senders (a folder of JSON files) as the table of docs/senders.md."""

import glob
import json
import os
import sys

print("| sender | route | sent | told safe | there | twice | why more may be missing, or twice |")
print("|---|---|--:|--:|--:|--:|---|")
rows = []
for path in glob.glob(os.path.join(sys.argv[1], "*.json")):
    with open(path, encoding="utf-8") as file:
        rows.append(json.load(file))
for row in sorted(rows, key=lambda row: (row["route"].strip("`").lower(), row["title"].lower())):
    row["told"] = row["told"] or "—"  # the protocol tells nobody
    figures = " | ".join(f"{row[name]:,}" if row[name] != "—" else "—" for name in ("sent", "told", "there", "twice"))
    print(f"| {row['title']} | {row['route']} | {figures} | {row['remark']} |")
