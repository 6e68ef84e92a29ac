"""Asks a real FastAPI + pydantic v2 application (app.py) and writes down its answers: see README.md.

    python3.11 -m venv VENV && VENV/bin/pip install -r requirements.txt && VENV/bin/python generate.py
"""

import asyncio
import base64
import json
import pathlib
from datetime import datetime
from urllib.parse import unquote

from pydantic import UUID7, TypeAdapter, ValidationError

import cases
from app import app, microseconds, understood

HERE = pathlib.Path(__file__).parent
HEADERS = ("allow", "location")  # of an answer, as far as they are of interest


def ask(method, target, headers, body):
    """Sends one request through the ASGI interface, as a server would."""
    path, _, query = target.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8000),
    }
    answer = {"body": b""}

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        if message["type"] == "http.response.start":
            answer["status"] = message["status"]
            answer["headers"] = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            answer["body"] += message.get("body", b"")

    understood.clear()
    try:
        asyncio.run(app(scope, receive, send))
    except (ValueError, UnicodeError):  # the original fails on its own answer: a 500
        assert answer["status"] == 500
    return answer


def vector(name, method, path, headers, body, differs):
    raw = body if isinstance(body, bytes) else body.encode()
    answer = ask(method, path, headers, raw)
    v = {"name": name, "method": method, "path": path, "headers": headers}
    try:
        v["body"] = raw.decode()
    except UnicodeDecodeError:
        v["body_base64"] = base64.b64encode(raw).decode()
    v["status"] = answer["status"]
    v["response_headers"] = {name: answer["headers"][name] for name in HEADERS if name in answer["headers"]}
    is_json = answer["headers"].get("content-type") == "application/json"
    v["response"] = json.loads(answer["body"]) if is_json and answer["body"] else None
    if differs:
        v["differs"] = differs
    elif answer["status"] < 300:
        v |= understood  # "logs", "query" or "id"
    return v


def verdict(check, value, result):
    """What `check` makes of `value`: a result, or [error type, its reason or None]."""
    try:
        return [result(check(value))]
    except ValidationError as e:
        (error,) = e.errors()
        return [error["type"], error.get("ctx", {}).get("error")]


def saturated(i):
    return max(-(2**63), min(i, 2**63 - 1))


def json_verdict(text):
    """As json.loads, but for its search for a byte order mark or UTF-16."""
    try:
        json.JSONDecoder().decode(text)
    except json.JSONDecodeError as e:
        return [text, e.msg, e.pos]
    return [text]


def write(name, lines):
    """One line a vector, so that a change can be read as a diff."""
    text = ",\n".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")) for line in lines)
    (HERE / name).write_text(f"[\n{text}\n]\n", encoding="utf-8")


def main():
    write("fastapi.json", (vector(*case) for case in cases.cases()))

    time = TypeAdapter(datetime).validate_python
    texts = [["text", text, *verdict(time, text, microseconds)] for text in cases.timestamp_texts()]
    numbers = [["number", text, *verdict(time, json.loads(text), microseconds)] for text in cases.timestamp_numbers()]
    write("timestamps.json", texts + numbers)

    uuid = TypeAdapter(UUID7).validate_python
    write("uuids.json", ([text, *verdict(uuid, text, str)] for text in cases.uuid_texts()))

    integer = TypeAdapter(int).validate_python
    write("integers.json", ([text, *verdict(integer, text, saturated)] for text in cases.integer_texts()))

    write("json_errors.json", map(json_verdict, cases.json_texts()))


if __name__ == "__main__":
    main()
