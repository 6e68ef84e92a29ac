-- For wrk: sends the requests of a file in turn, each with the time of sending, and prints a summary
-- as one line of JSON. bench/corpus.py tells what such a file is.
-- Arguments, for POSTs: content type, form of the time ("iso" or "ns"), file, and the header
-- Authorization, if there is to be one. For GETs of many
-- paths: "paths", file with one path a line. Without any: the one GET of the URL.

local ffi = require("ffi")
ffi.cdef("struct bench_time { long s, ns; }; int clock_gettime(int clock, struct bench_time *t);")
local time = ffi.new("struct bench_time")
local requests, count, sent = {}, 0, 0
local forms = {
    iso = function(s, ms) return os.date("!%Y-%m-%dT%H:%M:%S", s) .. string.format(".%03d", ms) end,
    ns = function(s, ms) return string.format("%d%03d", s, ms) end,
}
local form, stamp, stamp_ms

local function now()
    ffi.C.clock_gettime(0, time)
    local ms = math.floor(tonumber(time.ns) / 1e6)
    if ms ~= stamp_ms then
        stamp_ms, stamp = ms, form(tonumber(time.s), ms)
    end
    return stamp
end

local function split(text, separator)
    local parts, from = {}, 1
    while true do
        local at = string.find(text, separator, from, true)
        parts[#parts + 1] = string.sub(text, from, (at or 0) - 1)
        if not at then
            return parts
        end
        from = at + 1
    end
end

local function read(path)
    local file = assert(io.open(path, "rb"))
    local text = file:read("*a")
    file:close()
    return text
end

-- Every request becomes the pieces between the places of its times, headers in the first.
local function prepare_posts(content_type, path, authorization)
    local more = authorization and "Authorization: " .. authorization .. "\r\n" or ""
    for _, body in ipairs(split(read(path), "\2")) do
        local parts = split(body, "\1")
        local length = #body + (#parts - 1) * (#now() - 1)
        parts[1] = string.format(
            "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n%s\r\n%s",
            wrk.path, wrk.headers["Host"], content_type, length, more, parts[1])
        count = count + 1
        requests[count] = parts
    end
    sent = math.random(count) - 1
    request = function()
        sent = sent % count + 1
        return table.concat(requests[sent], now())
    end
end

local function prepare_gets(path)
    for line in io.lines(path) do
        count = count + 1
        requests[count] = wrk.format("GET", line)
    end
    request = function()
        sent = sent % count + 1
        return requests[sent]
    end
end

function init(args)
    if args[1] == "paths" then
        prepare_gets(args[2])
    elseif args[1] then
        form = forms[args[2]]
        prepare_posts(args[1], args[3], args[4])
    end
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format(
        '{"requests":%d,"seconds":%.6f,"refused":%d,"broken":%d,"p50_ms":%.3f,"p99_ms":%.3f}\n',
        summary.requests, summary.duration / 1e6, errors.status,
        errors.connect + errors.read + errors.write + errors.timeout,
        latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
