"""apprise as a service: what its API does for one message, and nothing more.

apprise's own API is not published on PyPI, the library is. As that API does, this answers 200
once every target took the message and 424 when one did not; it keeps nothing.
"""

import json
import os

import apprise

targets = apprise.Apprise()
targets.add(os.environ["BENCH_PEERS_TARGET"])


def app(environ, start_response):
    if environ["REQUEST_METHOD"] != "POST":
        start_response("200 OK", [("Content-Length", "0")])
        return [b""]
    message = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
    sent = targets.notify(title=message["title"], body=message["body"])
    start_response("200 OK" if sent else "424 Failed Dependency", [("Content-Length", "0")])
    return [b""]
