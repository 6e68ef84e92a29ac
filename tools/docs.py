"""What tools/update-docs writes into the documents, and tools/check-docs looks for there."""

import importlib.machinery
import importlib.util
import os
import re

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
SETTINGS = os.path.join(TOP, "docs", "settings.md")
ARCHITECTURE = os.path.join(TOP, "ARCHITECTURE.md")


def read(path):
    with open(path, encoding="utf-8") as text:
        return text.read()


def rooms_under():
    """UNDER of tools/check-rooms."""
    path = os.path.join(TOP, "tools", "check-rooms")
    loader = importlib.machinery.SourceFileLoader("check_rooms", path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("check_rooms", loader))
    loader.exec_module(module)
    return module.UNDER


def with_settings(text, table):
    """`text` with the program's table of settings between its marks."""
    return re.sub(r"(<!-- settings[^\n]*\n).*?(<!-- end of settings)",
                  lambda found: found[1] + table + found[2], text, flags=re.DOTALL)


def with_rooms(text, under):
    """
    `text` with the last column of its table of rooms, which is between marks, as `under` has it; and
    the rooms that the table lacks, or has though there are none.
    """
    marks = re.search(r"<!-- rooms[^\n]*\n(.*?)<!-- end of rooms", text, re.DOTALL)
    missing, gone, rows = set(under), set(), []
    for row in marks[1].splitlines(keepends=True):
        room = re.match(r"\| `([^`]*)` \|", row)
        name = room and {"main.c": "."}.get(room[1], room[1])
        if name in under:
            missing.discard(name)
            below = ", ".join(f"`{other}`" for other in under[name]) or "nothing of ours"
            row = re.sub(r"\| [^|]*\|\n$", lambda _: f"| {below} |\n", row)
        elif room:
            gone.add(name)
        rows.append(row)
    return text[:marks.start(1)] + "".join(rows) + text[marks.end(1):], missing, gone
