"""What Schemathesis cannot know of logmill: NDJSON, and rules that no JSON schema can say."""

import json
import re

import schemathesis

# Of 422, by the error's type.
BEYOND_SCHEMA = {
    "bytes_too_long",  # a schema counts characters
    "decimal_whole_digits",  # digits of a number, written out
    "decimal_max_places",
    "cursor_invalid",  # only what an answer gave as `next` is a cursor
    "id_timestamp_mismatch",  # id and timestamp must agree
    "id_timestamp_range",  # its time must be before the year 10000
    "too_many_attributes",  # of attr.NAME there may be 16
    "greater_than_equal",  # a bucket that makes too many buckets of the range
    "less_than_equal",  # a slice may be as long as QUERY_TIMEOUT, a setting
    "query_parsing",  # docs/query.md has the grammar
    "query_too_large",  # as a tree
    "by_parsing",  # fields and values of groups have a grammar of their own
    "value_parsing",
    "zone_parsing",
    "fields_parsing",  # so have lists of fields
    "same_parsing",
    "around_missing",  # some parameters go with `around` alone
    "around_excludes",  # … others not with it
    "order_excludes",  # nor with order=oldest
}



def beyond_schema(error):
    """Whether a schema cannot say what is wrong."""
    if error["type"] in BEYOND_SCHEMA:
        return True
    # In a query a number is text, and pydantic knows no exponents there.
    exponent = re.fullmatch(r"-?[0-9.]+e[-+]?[0-9]+", str(error["input"]))
    return bool(exponent) and error["loc"][0] == "query"


@schemathesis.serializer("application/x-ndjson")
def ndjson(ctx, value):
    return value if isinstance(value, bytes) else str(value).encode()


@schemathesis.check
def accepted_unless_beyond_schema(ctx, response, case):
    """A request as the description has it is taken, but for what no schema can say."""
    generated = case.meta and case.meta.generation.mode.is_positive
    if not generated or response.status_code < 400 or response.status_code == 404:
        return
    if case.media_type == "application/x-ndjson":
        return  # to a schema, its body is any text
    if case.path == "/mcp" and response.status_code == 400 and isinstance(case.body, list):
        return  # a batch, which the revision in the header does not have
    if response.status_code in (401, 403) and (case.path == "/login" or case.method == "DELETE"):
        return  # no schema can say which keys there are
    detail = json.loads(response.content)["detail"]
    if response.status_code == 400 and str(detail).startswith("the body is not valid "):
        return  # Content-Encoding says gzip, the body is not
    if response.status_code == 422 and all(map(beyond_schema, detail)):
        return
    raise AssertionError(f"refused though the description has it: {response.status_code} {detail}")
