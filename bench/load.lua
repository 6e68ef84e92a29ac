-- For wrk: sends one request again and again, and prints a summary as one line of JSON.
-- Arguments, for a POST: content type, file with the body. Without any: GET.
--
-- There is no request() or response(): wrk then runs no Lua while it measures.

function init(args)
    if not args[1] then
        return
    end
    local file = assert(io.open(args[2], "rb"))
    wrk.method = "POST"
    wrk.headers["Content-Type"] = args[1]
    wrk.body = file:read("*a")
    file:close()
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format(
        '{"requests":%d,"seconds":%.6f,"refused":%d,"broken":%d,"p50_ms":%.3f,"p99_ms":%.3f}\n',
        summary.requests, summary.duration / 1e6, errors.status,
        errors.connect + errors.read + errors.write + errors.timeout,
        latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
