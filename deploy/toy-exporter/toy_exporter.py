"""A toy model server that misbehaves on a schedule, for trying Modelpager out.

It serves Prometheus metrics of three made-up models and walks through phases:

    TOY_SCHEDULE   phases and their seconds, repeated for ever;
                   default "calm=60,errors=90,calm=60,drift=90,calm=60,costly=90"
    TOY_LISTEN     address and port; default "127.0.0.1:9464"

Phases: calm (nothing wrong), errors (fraud-detector fails and slows down), drift
(product-ranker loses accuracy and its features drift), costly (support-assistant burns
money). GET /metrics for the metrics, GET /-/healthy for the health check.

Standard library only.
"""

import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

DEFAULT_SCHEDULE = "calm=60,errors=90,calm=60,drift=90,calm=60,costly=90"
PHASES = ("calm", "errors", "drift", "costly")
BUCKETS = ("0.05", "0.1", "0.25", "0.5", "1", "2.5", "+Inf")


def parse_schedule(text):
    """"calm=60,errors=90" -> [("calm", 60.0), ("errors", 90.0)]; refuses what it does not know."""
    schedule = []
    for part in text.split(","):
        name, _, seconds = part.strip().partition("=")
        if name not in PHASES:
            raise ValueError(f"TOY_SCHEDULE: {name!r} is not one of {', '.join(PHASES)}")
        schedule.append((name, float(seconds)))
        if schedule[-1][1] <= 0:
            raise ValueError(f"TOY_SCHEDULE: {part!r} lasts no time")
    return schedule


def phase_at(schedule, elapsed):
    """The phase `elapsed` seconds after the start."""
    left = elapsed % sum(seconds for _, seconds in schedule)
    for name, seconds in schedule:
        if left < seconds:
            return name
        left -= seconds
    return schedule[-1][0]


class Toy:
    """The counters; they move on by the rates of the present phase at each look."""

    def __init__(self, schedule, now):
        self.schedule = schedule
        self.started = self.looked = now
        self.lock = threading.Lock()
        self.predictions = {}
        self.latency = {}
        self.cost = 0.0

    def look(self, now):
        """The metrics at `now`, as Prometheus reads them."""
        with self.lock:
            phase = phase_at(self.schedule, now - self.started)
            elapsed, self.looked = now - self.looked, now
            self._advance(phase, elapsed)
            return self._text(phase)

    def _advance(self, phase, elapsed):
        failing = 0.2 if phase == "errors" else 0.0
        self._predict("fraud-detector", "7", 50 * elapsed, failing, "1" if phase == "errors" else "0.1")
        self._predict("product-ranker", "31", 20 * elapsed, 0.0, "0.05")
        self._predict("support-assistant", "4", 2 * elapsed, 0.0, "2.5")
        self.cost += elapsed * (0.5 if phase == "costly" else 0.005)

    def _predict(self, model, version, count, failing, bucket):
        for status, share in (("ok", 1 - failing), ("error", failing)):
            key = (model, version, status)
            self.predictions[key] = self.predictions.get(key, 0.0) + count * share
        total, buckets = self.latency.setdefault((model, version), [0.0, dict.fromkeys(BUCKETS, 0.0)])
        seconds = float(bucket) * 0.8
        for bound in BUCKETS:
            buckets[bound] += count if float(bound) >= seconds else 0.0
        self.latency[(model, version)][0] = total + count * seconds

    def _text(self, phase):
        drifting = phase == "drift"
        lines = ["# HELP ml_predictions_total Predictions made.", "# TYPE ml_predictions_total counter"]
        for (model, version, status), count in sorted(self.predictions.items()):
            labels = f'model="{model}",version="{version}",status="{status}"'
            lines.append(f"ml_predictions_total{{{labels}}} {count:.3f}")
        lines += [
            "# HELP ml_prediction_latency_seconds How long predictions took.",
            "# TYPE ml_prediction_latency_seconds histogram",
        ]
        for (model, version), (total, buckets) in sorted(self.latency.items()):
            labels = f'model="{model}",version="{version}"'
            for bound in BUCKETS:
                lines.append(f'ml_prediction_latency_seconds_bucket{{{labels},le="{bound}"}} {buckets[bound]:.3f}')
            lines.append(f"ml_prediction_latency_seconds_sum{{{labels}}} {total:.3f}")
            lines.append(f"ml_prediction_latency_seconds_count{{{labels}}} {buckets['+Inf']:.3f}")
        accuracy = 0.71 if drifting else 0.93
        lines += [
            "# HELP ml_model_metric Quality of a model on its latest labelled data.",
            "# TYPE ml_model_metric gauge",
            'ml_model_metric{model="fraud-detector",version="7",metric="accuracy"} 0.97',
            f'ml_model_metric{{model="product-ranker",version="31",metric="accuracy"}} {accuracy}',
            "# HELP ml_feature_psi Population stability index of a feature.",
            "# TYPE ml_feature_psi gauge",
            f'ml_feature_psi{{model="product-ranker",feature="price"}} {0.34 if drifting else 0.04}',
            f'ml_feature_psi{{model="product-ranker",feature="season"}} {0.27 if drifting else 0.06}',
            "# HELP llm_cost_usd_total Money spent on tokens.",
            "# TYPE llm_cost_usd_total counter",
            f'llm_cost_usd_total{{model="support-assistant",version="4"}} {self.cost:.4f}',
            "# HELP toy_phase The phase of the schedule; 1 for the present one.",
            "# TYPE toy_phase gauge",
        ]
        lines += [f'toy_phase{{phase="{name}"}} {int(name == phase)}' for name in PHASES]
        return "\n".join(lines) + "\n"


def handler(toy):
    """A request handler over `toy`."""

    class Handler(BaseHTTPRequestHandler):
        """Two pages and a 404."""

        def do_GET(self):
            """Answers with the metrics or the state of health."""
            if self.path == "/metrics":
                self._answer(200, toy.look(time.monotonic()), "text/plain; version=0.0.4")
            elif self.path == "/-/healthy":
                self._answer(200, "healthy\n", "text/plain")
            else:
                self._answer(404, "see /metrics\n", "text/plain")

        def _answer(self, status, text, content_type):
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format, *args):
            """Says nothing: a scrape every few seconds is no news."""

    return Handler


def main():
    """Serves until it is told to stop."""
    host, _, port = os.environ.get("TOY_LISTEN", "127.0.0.1:9464").rpartition(":")
    try:
        schedule = parse_schedule(os.environ.get("TOY_SCHEDULE", DEFAULT_SCHEDULE))
    except ValueError as problem:
        sys.exit(str(problem))
    server = ThreadingHTTPServer((host, int(port)), handler(Toy(schedule, time.monotonic())))
    print(f"toy exporter on http://{host}:{server.server_port}/metrics", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
