-- Prints wrk's summary as one line of JSON.
done = function(summary, latency, requests)
    local e = summary.errors
    io.write(string.format(
        'JSON {"completed": %d, "bytes": %d, "seconds": %.4f, "p50_us": %d, "p99_us": %d, ' ..
        '"lost": %d, "connect": %d, "read": %d, "write": %d, "status": %d, "timeout": %d}\n',
        summary.requests, summary.bytes, summary.duration / 1e6,
        latency:percentile(50), latency:percentile(99),
        e.connect + e.read + e.write + e.status + e.timeout,
        e.connect, e.read, e.write, e.status, e.timeout))
end
