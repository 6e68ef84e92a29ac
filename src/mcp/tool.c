#include "mcp/tool.h"

#include <string.h>

#include "json/writer.h"

#define TIMES "2h, 30m, 1d (ago), now-1h, today, yesterday (UTC), or 2026-11-25T08:00:00Z"
#define FIELDS                                                                                     \
    "level, message, pattern (messages without their numbers), or attributes by their dotted "     \
    "path, such as service or http.status"

/* ---- Arguments ---- */

static const struct mcp_argument query = {
    .name = "query",
    .param = "query",
    .about = "Which logs: terms side by side are ANDed. Words and \"quoted texts\" are looked for "
             "in the message, without case. level:error, level:>=warning; service:pay (an "
             "attribute equals), http.status:>=500, ms:[100 TO 500], host:web-*, trace_id:* (it "
             "is there), service:(pay OR cart), any:4711 (in any value), /time.?out \\d+/ (a "
             "regular expression on the message), path:/^\\/api/; -x or NOT x, a OR b, ( ). "
             "Without it: all logs.",
};
static const struct mcp_argument since = {
    .name = "since",
    .param = "since",
    .about = "Only logs from then on: " TIMES ". Default of all tools but search: a day before "
             "until.",
};
static const struct mcp_argument until = {
    .name = "until",
    .param = "until",
    .about = "Only logs before then; default: now.",
};
static const struct mcp_argument groups = {
    .name = "limit",
    .role = MCP_ROLE_ROWS,
    .param = "top",
    .about = "How many at most, those with the most logs first; all others are counted together "
             "as other.",
    .min = 1,
    .max = MCP_ROWS_MAX,
    .whole_number = MCP_ROWS_DEFAULT,
};
static const struct mcp_argument rows = {
    .name = "limit",
    .role = MCP_ROLE_ROWS,
    .param = "limit",
    .about = "How many logs at most, the newest first.",
    .min = 1,
    .max = MCP_ROWS_MAX,
    .whole_number = MCP_ROWS_DEFAULT,
};
static const struct mcp_argument cursor = {
    .name = "cursor",
    .param = "cursor",
    .about = "Goes on where an answer ended: its next.",
};
static const struct mcp_argument text_bytes = {
    .name = "text_bytes",
    .role = MCP_ROLE_TEXT,
    .about = "Bytes that are shown of a message or another long text; how much was cut is told.",
    .min = 50,
    .max = MCP_TEXT_MAX,
    .whole_number = MCP_TEXT_DEFAULT,
};
static const struct mcp_argument by = {
    .name = "by",
    .param = "by",
    .about =
        "Up to four fields, with commas between them, whose values are the groups: " FIELDS ".",
    .fallback = "level",
};
static const struct mcp_argument by_or_not = {
    .name = "by",
    .param = "by",
    .about = "Up to four fields, with commas between them, for each group of whose values there "
             "are numbers: " FIELDS ". Without it: for all logs together.",
};
static const struct mcp_argument bucket = {
    .name = "bucket",
    .param = "bucket",
    .about = "Seconds of a bucket: the numbers are given for each bucket of time as well. Not "
             "more than 1,000 buckets.",
    .min = 1,
    .max = INT64_C(31536000),
};
static const struct mcp_argument value = {
    .name = "value",
    .param = "value",
    .about = "Up to eight, with commas between them, of sum(x), avg(x), min(x), max(x), p50(x) to "
             "p99.9(x), distinct(x), count(x) of an attribute x by its dotted path: "
             "p95(ms),distinct(user.id).",
    .required = true,
};
static const struct mcp_argument field = {
    .name = "field",
    .role = MCP_ROLE_PATH,
    .about = "Whose values: level, or an attribute by its dotted path, such as service or "
             "http.status.",
    .required = true,
};
static const struct mcp_argument prefix = {
    .name = "prefix",
    .param = "prefix",
    .about = "Only values that begin so.",
};
static const struct mcp_argument new_since = {
    .name = "new_since",
    .param = "new_since",
    .about = "Patterns that were not met before then, as a release: " TIMES ".",
    .required = true,
};
static const struct mcp_argument known_since = {
    .name = "since",
    .param = "since",
    .about = "How far back a pattern that was met makes it an old one; default: a day before "
             "until. " TIMES ".",
};

static const struct mcp_argument fields = {
    .name = "fields",
    .param = "fields",
    .about = "Only these attributes, by their dotted paths, with commas between them. Without it: "
             "all.",
};
static const struct mcp_argument id = {
    .name = "id",
    .param = "around",
    .about = "The id of the log.",
    .required = true,
};
static const struct mcp_argument before = {
    .name = "before",
    .param = "before",
    .about = "How many logs that came before it.",
    .min = 0,
    .max = MCP_AROUND_MAX,
    .whole_number = MCP_AROUND_DEFAULT,
};
static const struct mcp_argument after = {
    .name = "after",
    .param = "after",
    .about = "How many logs that came after it.",
    .min = 0,
    .max = MCP_AROUND_MAX,
    .whole_number = MCP_AROUND_DEFAULT,
};
static const struct mcp_argument same = {
    .name = "same",
    .param = "same",
    .about = "Only neighbours that have the same values of these fields as the log, with commas "
             "between them: service,host.",
};

static const struct mcp_argument samples = {
    .name = "samples",
    .param = "top",
    .about = "Values that are shown of each field, those that most logs have.",
    .min = 1,
    .max = MCP_SAMPLES_MAX,
    .whole_number = MCP_SAMPLES_DEFAULT,
};

/* ---- Tools ---- */

static const struct mcp_tool tools[] = {
    {.name = "schema",
     .title = "What logs there are",
     .about = "Of what time there are logs, and which fields they have: in how many logs each is, "
              "of which types its values are, how many differ, and which are met most. Ask for "
              "this first if you do not know these logs: other tools take the fields by their "
              "path.",
     .read = MCP_READ_FIELDS,
     .has_span = true,
     .arguments = {&query, &since, &until, &samples}},
    {.name = "count",
     .title = "Count logs",
     .about = "How many logs match, in all and by the values of fields (by level unless it is "
              "said otherwise), over time with bucket. Begin here, or with patterns: a count "
              "costs less than lines.",
     .read = MCP_READ_STATS,
     .arguments = {&query, &since, &until, &by, &bucket, &groups}},
    {.name = "patterns",
     .title = "Messages by their pattern",
     .about = "What the logs say, shortened to what differs: messages grouped by their pattern, "
              "numbers, ids, times and addresses being <*>, with how many there are by level, "
              "when they were first and last seen, and one example. Ask for patterns before you "
              "ask for lines.",
     .read = MCP_READ_PATTERNS,
     .arguments = {&query, &since, &until, &groups}},
    {.name = "new_patterns",
     .title = "Patterns that are new",
     .about = "Patterns of messages that were not met before a time, such as that of a release or "
              "of an incident's beginning: what is new since then.",
     .read = MCP_READ_PATTERNS,
     .arguments = {&new_since, &query, &known_since, &until, &groups}},
    {.name = "top",
     .title = "Values of a field",
     .about = "The values that a field has most often, each with its count: which services there "
              "are, which hosts, which users.",
     .read = MCP_READ_VALUES,
     .arguments = {&field, &query, &since, &until, &prefix, &groups}},
    {.name = "stats",
     .title = "Numbers of logs",
     .about = "Sums, averages, percentiles, least, greatest and distinct values of attributes, by "
              "groups and over time: the latency of each service, the bytes of each host.",
     .read = MCP_READ_STATS,
     .arguments = {&value, &query, &since, &until, &by_or_not, &bucket, &groups}},
    {.name = "search",
     .title = "Search logs",
     .about = "Lines: the newest logs that match, with their attributes. Long texts are cut, and "
              "an answer ends at 64 KiB; next goes on. Narrow down with patterns and count first.",
     .read = MCP_READ_LOGS,
     .arguments = {&query, &since, &until, &rows, &fields, &cursor, &text_bytes}},
    {.name = "around",
     .title = "Neighbours of a log",
     .about = "A log with what came before and after it, newest first, as it has led to it and "
              "followed from it; around in the answer is its place in logs. With before and after "
              "0, and more text_bytes: all of one log.",
     .read = MCP_READ_AROUND,
     .arguments = {&id, &before, &after, &same, &query, &fields, &text_bytes}},
};

enum { TOOLS_LEN = sizeof(tools) / sizeof(tools[0]) };

const struct mcp_tool *mcp_tool_find(struct slice name)
{
    for (size_t i = 0; i < TOOLS_LEN; i++)
        if (slice_equal(name, slice_of_string(tools[i].name)))
            return &tools[i];
    return NULL;
}

void mcp_tool_append_names(struct buffer *b)
{
    for (size_t i = 0; i < TOOLS_LEN; i++)
        buffer_appendf(b, "%s%s", i ? ", " : "", tools[i].name);
}

/* ---- tools/list ---- */

static void append_text(struct buffer *b, const char *lead, const char *text)
{
    buffer_append_string(b, lead);
    json_append_string(b, slice_of_string(text));
}

static void append_argument(struct buffer *b, const struct mcp_argument *a)
{
    json_append_string(b, slice_of_string(a->name));
    append_text(b, ":{\"description\":", a->about);
    if (a->max) {
        buffer_appendf(b, ",\"type\":\"integer\",\"minimum\":%lld,\"maximum\":%lld",
                       (long long)a->min, (long long)a->max);
        if (a->whole_number)
            buffer_appendf(b, ",\"default\":%lld", (long long)a->whole_number);
    } else {
        buffer_appendf(b, ",\"type\":\"string\",\"maxLength\":%d", MCP_ARGUMENT_MAX);
        if (a->fallback)
            append_text(b, ",\"default\":", a->fallback);
    }
    buffer_append_char(b, '}');
}

static void append_schema(struct buffer *b, const struct mcp_tool *tool)
{
    const struct mcp_argument *const *a;
    const char *comma = "";

    buffer_append_string(b, "{\"type\":\"object\",\"properties\":{");
    for (a = tool->arguments; *a; a++) {
        buffer_append_string(b, a == tool->arguments ? "" : ",");
        append_argument(b, *a);
    }
    buffer_append_string(b, "},\"required\":[");
    for (a = tool->arguments; *a; a++)
        if ((*a)->required) {
            append_text(b, comma, (*a)->name);
            comma = ",";
        }
    buffer_append_string(b, "],\"additionalProperties\":false}");
}

void mcp_tool_append_list(struct buffer *b)
{
    for (size_t i = 0; i < TOOLS_LEN; i++) {
        append_text(b, i ? ",{\"name\":" : "[{\"name\":", tools[i].name);
        append_text(b, ",\"title\":", tools[i].title);
        append_text(b, ",\"description\":", tools[i].about);
        buffer_append_string(b, ",\"inputSchema\":");
        append_schema(b, &tools[i]);
        append_text(b, ",\"annotations\":{\"title\":", tools[i].title);
        buffer_append_string(b, ",\"readOnlyHint\":true,\"destructiveHint\":false,"
                                "\"idempotentHint\":true,\"openWorldHint\":false}}");
    }
    buffer_append_char(b, ']');
}
