-- What wrk posts: one alert of about 1.2 KB a request, each with an instance of its own.
-- BENCH_PEERS_SHAPE says in whose words, BENCH_PEERS_RUN marks the run. With
-- BENCH_PEERS_RECORD, every instance whose request was answered 2xx is written to files of
-- that name and the thread's number: that needs as many threads as connections.

local shape = os.getenv("BENCH_PEERS_SHAPE")
local run = os.getenv("BENCH_PEERS_RUN")
local record = os.getenv("BENCH_PEERS_RECORD")

local labels = '{"alertname":"ModelLatencyP99High","environment":"Production","instance":"%s",'
  .. '"job":"inference","model":"%s","model_version":"3.2.1","namespace":"serving",'
  .. '"service":"inference","severity":"critical","team":"ml-platform"}'
local annotations = '{"description":"p99 of the last five minutes is 0.41 s, more than the 0.25 s '
  .. 'agreed with the checkout team; the gateway begins to shed load at 0.6 s","runbook_url":'
  .. '"https://runbooks.example.net/ml/latency","summary":"p99 latency is high"}'
local alert = '{%s"labels":' .. labels .. ',"annotations":' .. annotations
  .. ',"startsAt":"%s"%s,"generatorURL":"http://prometheus.example.net:9090/graph?'
  .. 'g0.expr=histogram_quantile%%%%280.99%%%%2C+model_latency_bucket%%%%29+%%%%3E+0.25\\u0026g0.tab=1"%s}'

local shapes = {
  webhook = {
    '{"receiver":"bench","status":"firing","alerts":['
      .. string.format(alert, '"status":"firing",', '%s', '%s', os.date("!%Y-%m-%dT%H:%M:%SZ"),
        ',"endsAt":"0001-01-01T00:00:00Z"', ',"fingerprint":"%s"')
      .. '],"notification_reason":"first notification","groupLabels":{"alertname":'
      .. '"ModelLatencyP99High","model":"%s"},"commonLabels":{"alertname":"ModelLatencyP99High"},'
      .. '"commonAnnotations":{},"externalURL":"http://alertmanager.example.net:9093","version":"4",'
      .. '"groupKey":"{}:{alertname=\\"ModelLatencyP99High\\", model=\\"%s\\"}","truncatedAlerts":0}',
    function(text, instance, model, fingerprint)
      return string.format(text, instance, model, fingerprint, model, model)
    end,
  },
  alerts = {
    '[' .. string.format(alert, '', '%s', '%s', os.date("!%Y-%m-%dT%H:%M:%SZ"), '', '') .. ']',
    function(text, instance, model) return string.format(text, instance, model) end,
  },
  message = {
    '{"title":"ModelLatencyP99High","body":"%s %s ' .. string.rep("p99 latency is high. ", 52) .. '"}',
    function(text, instance, model) return string.format(text, instance, model) end,
  },
}
local text, fill = unpack(shapes[shape])

local threads = 0

function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

function init()
  count = 0
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
  if record then file = io.open(record .. "." .. number, "w") end
end

function request()
  count = count + 1
  instance = string.format("%s-%d-%dz", run, number, count)
  local model = "model-" .. (count % 200)
  return wrk.format(nil, nil, nil, fill(text, instance, model, string.format("%08x%08x", number, count)))
end

if record then
  function response(status)
    if status >= 200 and status < 300 then file:write(instance, "\n") end
  end
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\nBENCH {"requests":%d,"seconds":%f,"refused":%d,"broken":%d,"p50_ms":%f,"p99_ms":%f,"max_ms":%f}\n',
    summary.requests, summary.duration / 1e6, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3))
end
