-- Sends prepared requests, each with a delivery id of its own.
-- Arguments: file of requests, number of the run, seconds.

local ffi = require("ffi")
ffi.cdef [[
  typedef struct { long seconds; long nanoseconds; } timespec_t;
  int clock_gettime(int clock, timespec_t *now);
]]
local MONOTONIC = 1
local timespec = ffi.new("timespec_t")

local function now()
  ffi.C.clock_gettime(MONOTONIC, timespec)
  return tonumber(timespec.seconds) + tonumber(timespec.nanoseconds) / 1e9
end

local requests, position, number, run, seconds, deadline = {}, 0, 0, 0, 0, nil

-- The file repeats: a line with two lengths, then the head and the tail of a request.
function init(arguments)
  run, seconds = tonumber(arguments[2]), tonumber(arguments[3])
  local file = assert(io.open(arguments[1], "rb"))
  while true do
    local head, tail = file:read("*n", "*n")
    if not head then break end
    file:read(1)
    requests[#requests + 1] = { file:read(head), file:read(tail) }
  end
  file:close()
end

-- After the deadline nothing is sent any more, and the connections wait: so every request
-- that was sent is answered before wrk stops, and answers can be compared with rows.
function request()
  deadline = deadline or now() + seconds
  if now() >= deadline then return "" end
  position = position % #requests + 1
  number = number + 1
  local prepared = requests[position]
  return prepared[1] .. string.format("%08x-0000-4000-8000-%012x", run, number) .. prepared[2]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    "RESULT %d %d %f %f %f\n",
    summary.requests,
    errors.status + errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000, latency.max / 1000))
end
