"""The requests of fastapi.json, and how the texts of the bulk files are made.

A case is (name, method, path, headers, body, differs): `differs` says why logmill's answer is meant
to be another one, or is None.
"""

import json
import random

JSON = {"content-type": "application/json"}
GOOD = '{"message":"m","level":"info"}'
ID = "01934567-89ab-7cde-8f01-23456789abcd"  # 0x0193456789ab ms = 2024-11-19T16:07:03.211Z
ID_MS = 0x0193456789AB
ID_OF_NO_TIME = "ffffffff-ffff-7fff-bfff-ffffffffffff"  # after the year 9999

NO_UTF16 = "bodies are UTF-8 (RFC 8259); the original also takes UTF-16 and UTF-32"
NOT_FINITE = "NaN and Infinity are not JSON: 422 json_invalid, where the original takes them or fails"
INFINITE = "a time that is infinite as a double: the original fails on it with 500; 422 datetime_parsing"
OUTSIDE_YEARS = {"0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01", "9999-12-31T23:59:00-00:01"}
OUTSIDE = "a zone that leads out of the years 1 to 9999 of UTC: 422 datetime_parsing"
NOT_TEXT = "not Unicode text: 422 json_invalid, where the original answers 400 or 500, or loses it"
TOO_DEEP = "nested too deeply: 422 json_invalid, where the original answers 400"
TOO_LONG_INTEGER = "an integer is an attribute like any other, however long; the original answers 400"
NO_BYTES = "a body that is not JSON is echoed as text only where it is UTF-8; the original fails with 500"
NDJSON = "logmill takes NDJSON here"
ALLOW = "one path is one resource: Allow names all its methods, and HEAD goes with GET"
HEAD = "HEAD goes with GET"
PAGE = "GET / is the page"
RELATIVE = "a time relative to now: 200"
UNKNOWN = "an unknown parameter is refused: 422 extra_forbidden"
CURSOR = "a cursor must be one that logmill handed out: 422"

BAD_JSON = [
    "{", "}", "[", "]", '"', ",", ":", "nul", "nulll", "tru", "falsey", "None", "'a'", "undefined", "-", "+1", "01",
    "1.", ".5", "1e", "1.5e+", "0x10", "--1", "-a", "{}}", "{} {}", "{},", "[]]", "[1,]", "[,]", "[1 2]", "[1,,2]",
    "[1", "[1,", "[1, ", "[ ", '["a" "b"]', '["a', '{"a"', '{"a" ', '{"a":', '{"a": ', '{"a":1', '{"a":1 ', '{"a":1,',
    '{"a":1, ', '{"a":1,}', '{"a":1, }', '{"a":1,,"b":2}', '{"a" 1}', '{"a"; 1}', "{a:1}", "{'a':1}", '{1:2}', "{,}",
    '{"a":}', '{"a":,}', '{"a":1 "b":2}', '{"a":1;"b":2}', '{"a":[1,2}', '{"a":{"b":[}}', "// c\n{}", "{} // c",
    '{"a":1}\n{"b":2}', '\n\n  {"a":\n1,\n}', "\v{}", "\f{}", "\u00a0{}", "\ufeff\ufeff{}", "{}\0", "\0",
    '"\n"', '"a\tb"', '"\x1f"', '"\0"', '"\\x"', '"\\', '"\\"', '"\\u"', '"\\u12"', '"\\u12g4"', '"\\uD800\\u12"',
    '"\\u 123"', '"\\u+123"', '"\\u-123"', '"\\u0x12"', '"\\u12_3"', '"\\U0041"', '"\\\'"', '{"a\\q":1}', '{"a\n":1}',
    '{"\\u00', '"\\u0041', '{"\\uD83D', '["\\uD83D\\uDE00',
    '"é', '["é", "é" "é"]', '{"日本語": "日本語", "x" 1}', '{"😀": "😀😀", }', '{"message": "😀\\x"}', '"😀\n"',
    '{"a":"b"', '{"a":"b', '{"a', '{"', '{ "a" : tru }', "[[[[", "[[1,2],[3,4}", '{"a":{"a":{"a":1}', "[1,2,3",
    "true false",
    "[true,false,nul]", "-01", "1 .5", "[-]", "[1.e5]", "[1.5.5]", "[1e5e5]", "[+1]", "[.5]", "[1_000]", "[0b1]",
    "1e5x",
    '{"message":"m","level":"info",}', '{"message":"m" "level":"info"}', '{"message":"m","level":info}',
    '{"message":"m","level":"info"', '{"message":"m","level":"in', '{"message":"m\nn","level":"info"}',
    "message=m&level=info", "<log/>", "hello",
]

TIMES = [
    # dates, times, separators
    "2024-02-29", "2023-02-29", "2000-02-29", "1900-02-29", "2024-00-10", "2024-13-10", "2024-04-31", "2024-01-00",
    "2024-01-32", "0000-01-01", "0000-01-01T00:00:00Z", "0001-01-01", "0001-01-01T00:00:00Z", "9999-12-31",
    "9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.9999999Z", "10000-01-01", "10000-01-01T00:00:00Z",
    "-2024-01-01", "+2024-01-01", "24-01-01", "2024-1-1", "2024/01/01", "2024.01.01", "20240101", "20240101T000000Z",
    "2024-01", "2024", "2024-W01-1", "2024-001", "01-01-2024", "2024-01-01T", "2024-01-01 ", "2024-01-01Z",
    "2024-01-01T00", "2024-01-01T00:0", "2024-01-01T00:00", "2024-01-01t00:00:00z", "2024-01-01 00:00:00",
    "2024-01-01_00:00:00", "2024-01-01x00:00:00", "2024-01-01  00:00:00", "2024-01-01T 00:00:00",
    "2024-01-01T00:00:00 ",
    " 2024-01-01T00:00:00", "\t2024-01-01", "2024-01-01\n", "2024-01-01T00:00:00\0", "2024-01-01T0000",
    "2024-01-01T000000",
    "2024-01-01T24:00:00", "2024-01-01T23:60:00", "2024-01-01T23:59:60Z", "2016-12-31T23:59:60Z",
    "2024-01-01T23:59:61",
    "2024-01-01T1:00:00", "2024-01-01T00-00-00", "2024-01-01T00:00:0", "2024-01-01T00:00:", "2024-01-01T12:00:00 PM",
    # fractions
    "2024-01-01T00:00:00.", "2024-01-01T00:00:00.1", "2024-01-01T00:00:00.12", "2024-01-01T00:00:00.123",
    "2024-01-01T00:00:00.1234", "2024-01-01T00:00:00.12345", "2024-01-01T00:00:00.123456",
    "2024-01-01T00:00:00.1234567",
    "2024-01-01T00:00:00.12345678", "2024-01-01T00:00:00.123456789", "2024-01-01T00:00:00.123456789123456789Z",
    "2024-01-01T00:00:00,5Z", "2024-01-01T00:00:00,", "2024-01-01T00:00:00.x", "2024-01-01T00:00:00.1.2",
    "2024-01-01T00:00.5",
    "2024-01-01T00:00:00.999999999Z", "1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.9Z",
    # zones
    "2024-01-01T00:00:00Z", "2024-01-01T00:00:00z", "2024-01-01T00:00Z", "2024-01-01T00:00:00+00:00",
    "2024-01-01T00:00:00-00:00",
    "2024-01-01T00:00:00+01:00", "2024-01-01T00:00:00+0130", "2024-01-01T00:00:00+01", "2024-01-01T00:00:00+1",
    "2024-01-01T00:00:00+1:00", "2024-01-01T00:00:00-08:00", "2024-01-01T00:00:00\u221208:00",
    "2024-01-01T00:00:00\u22120830",
    "2024-01-01T00:00:00\u2212", "2024-01-01T00:00:00\u201308:00", "2024-01-01T00:00:00+23:59",
    "2024-01-01T00:00:00-23:59",
    "2024-01-01T00:00:00+24:00", "2024-01-01T00:00:00+12:60", "2024-01-01T00:00:00+99:99", "2024-01-01T00:00:00+01:0",
    "2024-01-01T00:00:00+01:00:00", "2024-01-01T00:00:00 +01:00", "2024-01-01T00:00:00 Z", "2024-01-01T00:00:00UTC",
    "2024-01-01T00:00:00 UTC", "2024-01-01T00:00:00ZZ", "2024-01-01T00:00:00Z+01:00",
    "2024-01-01T00:00:00[Europe/Paris]",
    "2024-01-01T00:00:00+01:00[Europe/Paris]", "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01",
    "0001-01-01T00:00:00.000000+00:00", "9999-12-31T23:59:59.999999-00:00", "9999-12-31T23:59:00-00:01",
    # numbers as text
    "0", "-0", "+0", "1", "-1", "+1", "1700000000", "1700000000.5", "-1700000000.25", "+1.5", "1700000000000",
    "1700000000000.5",
    "1700000000123456", "20000000000", "20000000001", "-20000000000", "-20000000001", "20000000000.5",
    "19999999999.999999",
    "20000000001.123", "20000000001.1234", "1.1234567", "1.0000005", "1.9999999", "-0.0000001", ".5", "5.", "-.5",
    "+.5", ".", "-", "+", "-.",
    "1.5e3", "1.5E3", "1.5e+3", "1.5e-3", "1.e3", "1e3", "1.5e", "1.5e400", "-1.5e400", "1.5e300", "0x10", "1_000",
    "1,5",
    " 1", "1 ", "00001", "1700000000.", "1700000000.000000000", "253402300799", "253402300800", "253402300799999",
    "253402300800000",
    "-62135596800000", "-62135596800001", "-62167219200000", "-62167219200001", "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808", "-9223372036854775809", "18446744073709551616", "99999999999999999999999999",
    "1234567890", "12345678901", "123456789", "2024010100", "nan", "inf", "NaN", "infinity", "1.5f",
    # no time at all
    "", " ", "x", "now", "today", "null", "yesterday afternoon", "2024-01-01T00:00:00é", "２０２４-01-01", "٢٠٢٤-01-01",
    "é", "日本語日本語", "Mon, 01 Jan 2024 00:00:00 GMT", "2024-01-01T00:00:00" + "0" * 100,
]

NUMBERS = [
    "0", "-0", "0.0", "-0.0", "1", "-1", "1.5", "-1.5", "-1.25", "-0.000001", "0.000001", "0.0000001", "0.0000005",
    "1.9999999",
    "1700000000", "1700000000.123456", "1700000000.1234567", "-1700000000.75", "1700000000000", "1700000000123.456",
    "1700000000123456", "1.7e9", "1.7e12", "17e8", "1.7E+9", "17000000000e-1", "20000000000", "20000000000.0",
    "20000000000.5",
    "20000000001", "20000000001.5", "-20000000000", "-20000000001", "-20000000000.5", "-20000000001.25", "2e10",
    "2.0000000001e10",
    "253402300799", "253402300799999", "253402300799999.9", "253402300800000", "253402300799999.9999",
    "-62135596800000",
    "-62135596800000.5", "-62135596800001", "-62167219200000", "-62167219200001", "-62167219200000.5",
    "9007199254740993",
    "9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "1e15", "1e18",
    "1e19", "1e300",
    "-1e300", "-1e19", "123456789012345678901234567890", "1" + "0" * 308, "1" + "0" * 309, "-1" + "0" * 309,
    "1797693134862315" + "8" * 293, "1e-300", "1e-400", "5e-7", "0.5", "-0.5",
]

IDS = [
    ID, ID.upper(), ID.replace("-", ""), "{" + ID + "}", "urn:uuid:" + ID, "URN:UUID:" + ID,
    "urn:uuid:" + ID.replace("-", ""),
    "{" + ID.replace("-", "") + "}", "{" + ID, ID + "}", "(" + ID + ")", " " + ID, ID + " ", ID[:-1], ID + "0",
    ID[1:],
    ID.replace("-", "")[:-1], ID.replace("-", "") + "0", "", "x", "{", "}", "{}", "-", "----", "urn:uuid:", "g" * 32,
    "g" * 36,
    ID.replace("7cde", "4cde"), ID.replace("7cde", "1cde"), ID.replace("7cde", "0cde"), ID.replace("8f01", "0f01"),
    ID.replace("8f01", "cf01"), ID.replace("8f01", "bf01"), ID.replace("-", "_"), ID.replace("89ab", "89zb"),
    "0" * 32, "f" * 32,
    "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "00000000-0000-7000-8000-000000000000",
    "ffffffff-ffff-7fff-bfff-ffffffffffff", "0193456789ab-7cde-8f01-23456789abcd",
    "01934567-89ab-7cde-8f0123456789abcd",
    "01934567-89ab7-cde-8f01-23456789abcd", "0193456-789ab-7cde-8f01-23456789abcd",
    "01934567-89ab-7cde8-f01-23456789abcd",
    "01934567-89ab-7cde-8f012-3456789abcd", "01934567-89ab-7cde-8f01-23456789-abcd",
    "01934567-89ab-7cde-8f01-23456789abc",
    "01934567-89ab-7cde-8f01-23456789abcde", "{01934567-89ab-7cde-8f01-23456789abcé}", "é", ID[:-2] + "é",
    ID[:-1] + "é",
    "urn:uuid:" + ID[:-1], "urn:uuid:" + ID + "0", "urn:uuid:" + ID[:-1] + "g", "{" + ID[:-1] + "g}",
    "{" + ID[:-1] + "}",
    "{01934567-89ab7-cde-8f01-23456789abcd}", "urn:uuid:01934567-89ab7-cde-8f01-23456789abcd", "\U0001f600",
    "'" + ID + "'",
    "0x" + ID.replace("-", ""), "a" * 36, ID.replace("-", "", 1), ID.replace("-", "--", 1), "-" * 32, "-" * 36, "1",
    "123", "null",
    "{" + "a" * 36 + "}", "urn:uuid:" + "a" * 36, "{" + "-" * 36 + "}", "{" + "a" * 30 + "}", "{" + "g" * 30 + "}",
    "{" + "g" * 34 + "}", "urn:uuid:" + "a" * 23, "urn:uuid:" + "a" * 27,
]

INTEGERS = [
    "0", "1", "5", "100", "999", "1000", "1001", "-0", "-1", "+0", "+5", "++5", "+-5", "-+5", "--5", " 5", "5 ",
    " 5 ", "\t5\n", "\u00a05",
    "5\u3000", "\u200b5", "\ufeff5", "5.0", "5.00", "5.", ".0", ".5", "0.0", "00.0", "-0.0", "5.5", "5.0.0", "5e0",
    "5E2", "1e3", "1_0", "1__0", "_1", "1_",
    "1_0.0", "1.0_0", "+1_0", "-1_0", "0_1", "0_0", "00", "007", "-007", "+007", "0_", "_0", "-_1", "00_7",
    "1_000_000", "0x10", "0b1", "0o7", "abc", "",
    " ", "-", "+", ".", "_", "1 0", "1,000", "٥", "５", "½", "五", "true", "null", "None", "NaN", "inf",
    "9223372036854775807",
    "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "18446744073709551616", "1" * 4299,
    "1" * 4300, "1" * 4301,
    "-" + "1" * 4299, "-" + "1" * 4300, "-" + "1" * 4301, "+" + "1" * 4300, "+" + "1" * 4301, " " + "1" * 4301,
    "0" * 4301, "0" * 4300 + "5", "1_" + "0" * 4299, "1" * 4301 + "x",
    "1" * 4301 + ".5", "1" * 4301 + ".0", "0" * 30 + "5", "5\0", "\x1c5", "\x855", "5" + "0" * 30,
    "5" + "0" * 30 + ".0", "1000.0", "1001.0", "1_001", "-5.0", "+5.0", "5.-0", "5.+0", "0-", "0-5", "00-5", "-0-5",
    "1-", "0.", "0.5", "-0_5", "0_-5", "+0_5",
    "+ 5", "- 5", "5_.0", "5._0", "0_.0", "0_5.0", "-0.5", "-00.0",
]

MUTATION_BYTES = "0123456789-:.,+TtZz _ex/\u2212é"
INTEGER_CHARACTERS = "00123456789_.+- e"


def mutations(rng, seeds, characters, count):
    """`count` different texts, each one of `seeds` with one to three characters changed."""
    found = dict.fromkeys(seeds)
    while len(found) < count:
        text = rng.choice(seeds)[:60]
        for _ in range(rng.randint(1, 3)):
            at = rng.randint(0, len(text))
            character = rng.choice(characters)
            text = rng.choice(
                [text[:at] + character + text[at:], text[:at] + text[at + 1 :], text[:at] + character + text[at + 1 :]]
            )
        found[text] = None
    return list(found)


def timestamp_texts():
    rng = random.Random(1)
    real = []
    for _ in range(600):
        date = f"{rng.randint(1, 9999):04}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"
        time = f"{rng.randint(0, 23):02}:{rng.randint(0, 59):02}:{rng.randint(0, 59):02}"
        fraction = rng.choice(["", f".{rng.randint(0, 10 ** 9 - 1)}", f",{rng.randint(0, 999):03}"])
        zone = rng.choice(["", "Z", "z", f"{rng.choice('+-')}{rng.randint(0, 23):02}:{rng.randint(0, 59):02}"])
        real.append(date + rng.choice("Tt _") + time + fraction + zone)
    for _ in range(400):
        digits = rng.randint(1, 17)
        text = rng.choice(["", "-"]) + str(rng.randint(0, 10**digits))
        real.append(text + rng.choice(["", "", f".{rng.randint(0, 10 ** rng.randint(1, 9))}"]))
    return mutations(rng, list(dict.fromkeys(TIMES + real)), MUTATION_BYTES, 3600)


def timestamp_numbers():
    """JSON numbers: integers and fractions of every magnitude."""
    rng = random.Random(2)
    found = dict.fromkeys(NUMBERS)
    while len(found) < 1600:
        text = rng.choice(["", "-"]) + str(rng.randint(0, 10 ** rng.randint(1, 17)))
        if rng.random() < 0.6:
            text += "." + "".join(rng.choice("0123456789") for _ in range(rng.randint(1, 9)))
        if rng.random() < 0.1:
            text += rng.choice("eE") + rng.choice(["", "+", "-"]) + str(rng.randint(0, 12))
        found[text] = None
    return list(found)


def uuid_texts():
    return mutations(random.Random(3), IDS, "0123456789abcdefABCDEF----{}g é", 1500)


def integer_texts():
    return mutations(random.Random(4), INTEGERS, INTEGER_CHARACTERS, 1500)


def json_texts():
    """Broken JSON, mostly: the cases of BAD_JSON, and good JSON with something changed."""
    good = [
        '{"message": "hello", "level": "info", "n": [1, -2.5e3, true, false, null], "o": {"k": {}}}',
        '[{"a": "\\u00e9\\n\\"", "é": "日本語 😀"}, [], [[1], [2, 3]], "\\ud83d\\ude00"]',
        '\n{ "a" : 1 ,\r\n\t"b" : [ ] }\n',
        "[0, -0, 0.5, 1e5, 1E-5, 12345678901234567890]",
    ]
    characters = '{}[]",:\\/ \n\tu0123456789aeflnrst.-+ED\x01é😀'
    return mutations(random.Random(5), good + BAD_JSON, characters, 2500)


def log(**fields):
    return json.dumps({"message": "m", "level": "info"} | fields, ensure_ascii=False)


def log_with(name, value):
    """A good log with one field that is given as JSON text."""
    return '{"message":"m","level":"info","%s":%s}' % (name, value)


def body_cases():
    def post(name, body, headers=JSON, path="/log", differs=None):
        return (name, "POST", path, headers, body, differs)

    def kind(value):
        return {"content-type": value}

    for path in ("/log", "/logs"):
        yield post(f"no body, {path}", "", path=path)
        yield post(f"no body, no type, {path}", "", {}, path)
        for value in (
            "null", "true", "5", "1.5", '"text"', "{}", "[]", "[[]]", '{"a":[1,{"b":null}]}', "[null]",
            "[1,\"a\",true,{},[]]"
        ):
            yield post(f"{value} to {path}", value, path=path)
        for value in (
            "text/plain", "application/x-www-form-urlencoded", "application/jsonp", "application/octet-stream",
            "json", "/json", "application/", "application", "text/json", "multipart/form-data; boundary=x"
        ):
            yield post(f"{value} to {path}", GOOD, kind(value), path)
        yield post(f"no type, {path}", GOOD, {}, path)
        yield post(f"empty type, {path}", GOOD, kind(""), path)
    yield post("not JSON with no type", "message=m", {})
    yield post("text to escape with no type", 'a "quoted"\n\x01\x7f é 😀 \\ </script>', {})
    yield post("ndjson to /logs", GOOD + "\n" + GOOD, kind("application/x-ndjson"), "/logs", NDJSON)
    yield post("ndjson to /log", GOOD, kind("application/x-ndjson"))
    for value in (
        "application/json; charset=utf-8", "application/json;charset=UTF-8", "application/json; charset=latin-1",
        "APPLICATION/JSON",
        "application/vnd.api+json", "application/problem+json; charset=utf-8", "application/+json",
        "application/json ; x", "application/json;",
        " application/json ", "application/json, text/plain", "application/json+x", "application/ld+JSON",
        "text/vnd.api+json", "application/json/x",
        "application /json", "application/ json", '"application/json"', "application/json charset=utf-8",
        ";application/json", "application//json",
    ):
        yield post(f"type {value!r}", GOOD, kind(value))

    yield post("good", GOOD)
    yield post("good with white space and a BOM", "\ufeff \r\n\t" + GOOD + " \n")
    yield post("BOM, then an error", '\ufeff{"a" 1}')
    yield post("other fields", log(service="api", n=1, f=1.5, b=True, z=None, o={"a": [1]}))
    yield post("repeated names: the last counts", '{"message":1,"message":"m","level":"info","level":"warn"}')
    yield post("repeated names: the last is wrong", '{"message":"m","message":1,"level":"info"}')
    yield post("names are compared with case", '{"Message":"m","LEVEL":"info"}')
    yield post("escapes", '{"\\u006dessage":"\\u00e9\\ud83d\\ude00\\n\\/","level":"\\u0069nfo"}')
    yield post("empty texts", '{"message":"","level":""}')
    for missing in ("message", "level"):
        entry = json.loads(GOOD)
        del entry[missing]
        yield post(f"no {missing}", json.dumps(entry))
        for value in (
            "null", "0", "-5", "1.5", "1e3", "12345678901234567890123", "true", "false", "[]", '["a",1]', "{}",
            '{"a":{"b":[1,null]}}'
        ):
            yield post(f"{missing}: {value}", json.dumps(entry)[:-1] + f',"{missing}":{value}' + "}")
    yield post("missing fields show the input", '{"a":1,"b":[true,null,{"c":"é"}],"f":1.50,"e":1e2}')
    yield post("everything is wrong", '{"id":1,"timestamp":"x","level":null,"message":[]}')
    yield post("everything is wrong, in another order", '{"message":5,"level":{},"timestamp":[],"id":"x"}')
    yield post("missing, and wrong", '{"timestamp":true,"level":7}')
    yield post(
        "/logs: several items are wrong",
        '[{"message":"m","level":"l"},{"level":1},{"message":"m"},7,{"message":"m","level":"l","timestamp":"x","id":"y"}]',
        path="/logs"
    )
    yield post("/logs: good ones", "[" + log(timestamp=1) + "," + log(id=ID) + "]", path="/logs")
    yield post("/logs: broken JSON", "[" + GOOD + "," + GOOD[:-1] + "]", path="/logs")

    for text, what in (
        ("x" * 1024, "1,024 bytes"), ("x" * 1025, "1,025 bytes"), ("é" * 512, "512 letters of two bytes"),
        ("é" * 513, "513 letters of two bytes"), ("é" * 1025, "1,025 letters of two bytes")
    ):
        yield post(f"level of {what}", log(level=text))
        yield post(f"attribute name of {what}", log(**{text: 1}))
    yield post("limits: all that is passed is told", log_with("n" * 1025, '{"a":1},"timestamp":"x","level":"' + "l" * 1025 + '"'))
    yield post("limits in /logs", "[" + GOOD + "," + log(level="x" * 1025) + "," + log(**{"é" * 513: []}) + "]", path="/logs")

    for value in ("null", "true", "false", "[]", "{}", '["2024-01-01"]'):
        yield post(f"timestamp: {value}", log_with("timestamp", value))
    for value in ("null", "true", "5", "1.5", "[]", "{}", '"' + ID + '"'):
        yield post(f"id: {value}", log_with("id", value))
    for value in TIMES:
        yield post(
            f"timestamp text {value[:60]!r}", log(timestamp=value),
            differs=OUTSIDE if value in OUTSIDE_YEARS else None
        )
    for value in NUMBERS:
        yield post(f"timestamp number {value[:40]}, {len(value)} characters", log_with("timestamp", value))
    for value in IDS:
        if value != ID_OF_NO_TIME:
            yield post(f"id {value!r}", log(id=value))
    for delta, what in ((0, "agree"), (1, "later by 1 ms"), (-1, "earlier by 1 ms")):
        yield post(f"id and timestamp: {what}", log_with("id", f'"{ID}","timestamp":{ID_MS + delta}'))
    yield post("id and timestamp: agree in the millisecond", log_with("id", f'"{ID}","timestamp":{ID_MS}.999'))
    yield post(
        "id and timestamp: before 1970 an id has 0",
        log(id="00000000-0000-7000-8000-000000000000", timestamp="1950-01-01")
    )
    yield post("id and timestamp: before 1970, with another", log(id=ID, timestamp="1950-01-01"))
    yield post("id and timestamp: timestamp null", log_with("id", f'"{ID}","timestamp":null'))
    yield post("id and timestamp: timestamp bad", log(id=ID, timestamp="x"))
    yield post("id and timestamp: id of another version", log(id=ID.replace("7cde", "4cde"), timestamp=1))

    for value in BAD_JSON:
        yield post(f"broken JSON {value!r}", value)
    for value in (
        "NaN", "Infinity", "-Infinity", '{"message":NaN}', log_with("x", "NaN"), log_with("timestamp", "NaN"),
        log_with("timestamp", "-Infinity")
    ):
        yield post(f"not finite: {value}", value, differs=NOT_FINITE)
    for value in (log_with("timestamp", "1e400"), log_with("timestamp", "-1.5e999")):
        yield post(f"not finite: {value}", value, differs=INFINITE)
    for value in (
        b"\xff", b'{"message":"\xff","level":"info"}', b'{"message":"\xc0\x80","level":"info"}',
        b'{"message":"\xed\xa0\x80","level":"info"}', b'{"message":"\xf4\x90\x80\x80","level":"info"}',
        b'{"message":"\xe2\x82', b'{"message":"m","level":"info","a\x80":1}'
    ):
        yield post(f"not UTF-8: {value!r}", value, differs=NOT_TEXT)
    for value in (
        '{"message":"\\ud800","level":"info"}', '{"message":"\\udc00\\ud800","level":"info"}',
        '{"message":"m","level":"\\ud800x"}', '{"message":"m","level":"info","\\udfff":1}'
    ):
        yield post(f"lone surrogate: {value}", value, differs=NOT_TEXT)
    yield post("UTF-16", GOOD.encode("utf-16"), differs=NO_UTF16)
    yield post("UTF-16 without a mark", GOOD.encode("utf-16-le"), differs=NO_UTF16)
    yield post("nested too deeply", log_with("x", "[" * 2000 + "]" * 2000), differs=TOO_DEEP)
    yield post("a very long integer", log_with("x", "1" * 5000), differs=TOO_LONG_INTEGER)
    yield post("not UTF-8 with no type", b"\xff\xfe", {}, differs=NO_BYTES)


def get_cases():
    def get(name, path, differs=None):
        return (name, "GET", path, {}, "", differs)

    def quote(text):
        from urllib.parse import quote as percent

        return percent(text, safe="")

    yield get("/logs", "/logs")
    for i, value in enumerate(value for value in INTEGERS if len(value) < 100):
        yield get(f"limit {value!r}", "/logs?limit=" + quote(value))
        if i % 3 == 0:
            yield get(f"offset {value!r}", "/logs?offset=" + quote(value))
            yield get(
                f"bucket {value!r}",
                "/logs/stats?since=2024-01-01T00:00&until=2024-01-01T00:10&bucket=" + quote(value)
            )
    yield get("limit of 4301 digits", "/logs?limit=" + "1" * 4301)
    yield get("limit of 4301 digits, signed", "/logs?limit=-" + "1" * 4301)
    for value in TIMES:
        if len(value) < 60:
            differs = OUTSIDE if value in OUTSIDE_YEARS else RELATIVE if value in ("now", "today") else None
            yield get(f"since {value!r}", "/logs?since=" + quote(value), differs)
    for value in ("2024-01-01", "x", ""):
        yield get(f"until {value!r}", "/logs?until=" + quote(value))
        yield get(f"stats since {value!r}", "/logs/stats?bucket=1000&until=2024-01-02&since=" + quote(value))
    yield get("a plus that is a space", "/logs?since=2024-01-01T00:00:00+01:00")
    yield get("everything is wrong in the query", "/logs?cursor=&q=&level=&until=y&since=x&offset=-1&limit=0", CURSOR)
    yield get("everything is wrong but the cursor", "/logs?q=&level=&until=y&since=x&offset=-1&limit=0")
    yield get("everything is wrong in stats", "/logs/stats?bucket=0&until=y&since=x")
    yield get("a bad time leaves a bucket alone", "/logs/stats?bucket=1&since=x")
    yield get("the last counts", "/logs?limit=x&limit=5&since=x&since=2024-01-01&q=a&q=b")
    yield get("the last is wrong", "/logs?limit=5&limit=x")
    yield get("all levels count", "/logs?level=info&level=WARN&level=&level=info")
    yield get("32 levels", "/logs?" + "&".join(f"level={i}" for i in range(32)))
    yield get(
        "33 levels", "/logs?limit=0&cursor=&" + "&".join(f"level={i}%22" for i in range(33)) + "&since=x", CURSOR
    )
    yield get("33 levels in stats", "/logs/stats?bucket=0&" + "&".join(f"level={i}" for i in range(33)) + "&since=x")
    yield get("no level but its name", "/logs?level")
    yield get("unknown parameters", "/logs?x=1&LIMIT=0&limit[]=0&attrx=1&=1&limit%20=0", UNKNOWN)
    yield get("broken escapes", "/logs?q=%zz%4&limit=%3")
    yield get("not UTF-8", "/logs?q=%ff%fe&limit=%ff")
    yield get("escaped names", "/logs?%6cimit=0")
    yield get("the longest q", "/logs?q=" + quote("é" * 1000))
    yield get("q is too long", "/logs?q=" + quote("é" * 1001))
    yield get("q of stats is too long", "/logs/stats?bucket=x&q=" + "a" * 1001)
    yield get("separators", "/logs?&&limit=5&;offset=3&q=a=b&", UNKNOWN)
    yield get("name only", "/logs?limit")
    yield get("text", "/logs?q=%E2%82%AC+%2B%20a%00b")
    yield get("a cursor", "/logs?cursor=abc", CURSOR)
    yield get("an empty cursor", "/logs?cursor=", CURSOR)
    for value in IDS:
        if value:
            yield get(f"GET id {value!r}", "/logs/" + quote(value))
    yield get("id that is not UTF-8", "/logs/%ff")
    yield get("id with a query", f"/logs/{ID}?limit=0")
    yield get("stats", "/logs/stats")
    yield get("health", "/health")


def routing_cases():
    for method, path, differs in (
        ("GET", "/log", None), ("DELETE", "/log", None), ("OPTIONS", "/log", None), ("HEAD", "/log", None),
        ("PUT", "/log", None),
        ("PUT", "/logs", ALLOW), ("HEAD", "/logs", HEAD), ("POST", "/logs/stats", ALLOW),
        ("POST", "/logs/" + ID, ALLOW), ("POST", "/health", ALLOW),
        ("HEAD", "/health", HEAD), ("GET", "/", PAGE), ("GET", "/nope", None), ("POST", "/nope", None),
        ("GET", "/logs/a/b", None), ("GET", "//logs", None),
        ("GET", "/LOGS", None), ("GET", "/logs/a%2Fb", "%2F is part of the id: 422, not 404"),
        ("GET", "/l%6fgs", "paths are compared as sent"), ("GET", "/log%20", None), ("GET", "/log/", None),
        ("POST", "/log/", None), ("POST", "/logs/", None), ("GET", "/logs/", None),
        ("GET", "/logs/?limit=5&q=a%20b", None), ("PUT", "/logs/", None),
        ("GET", "/logs/stats/", None), ("GET", f"/logs/{ID}/", None), ("GET", "/health/", None),
        ("GET", "/nope/", None), ("GET", "/logs//", None),
    ):
        yield (f"{method} {path}", method, path, {"host": "logs.example:8000"}, "", differs)


def cases():
    yield from body_cases()
    yield from get_cases()
    yield from routing_cases()
