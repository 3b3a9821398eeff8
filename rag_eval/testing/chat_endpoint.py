"""An OpenAI-compatible chat endpoint on this machine's loopback, whose replies a function decides.

with serving(lambda request, n_before: completion("Paris")) as endpoint:
    ...  # a client of endpoint.url
assert endpoint.asked[0]["messages"][-1]["role"] == "user"
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, bytes]  # HTTP status and body
Answering = Callable[[dict[str, Any], int], Answer]  # of a request's JSON, and how many times the same request came before
SOON = ("retry-after-ms", "1")  # header of every reply, so that a client that tries again does so at once


@dataclass
class ChatEndpoint:
    """An endpoint that serves, and the requests that it got so far, in the order in which they came."""

    answer: Answering
    url: str = ""  # http://127.0.0.1:PORT/v1
    asked: list[dict[str, Any]] = field(default_factory=list)  # JSON of each request
    keys: list[str] = field(default_factory=list)  # "authorization" header of each request


def completion(text: str | None, n_prompt: int = 7, n_output: int = 3, finish_reason: str = "stop") -> Answer:
    """A well-formed chat completion.

    Args:
        text: content of the message; None = no content.
        n_prompt: number of prompt tokens in the reported usage.
        n_output: number of output tokens in the reported usage.
        finish_reason: such as "stop", or "length" for a text that was cut.

    Returns:
        HTTP status 200, and the body as JSON.
    """
    usage = {"prompt_tokens": n_prompt, "completion_tokens": n_output, "total_tokens": n_prompt + n_output}
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish_reason}
    head = {"id": "c1", "object": "chat.completion", "created": 0, "model": "m"}
    return 200, json.dumps({**head, "choices": [choice], "usage": usage}).encode()


def stream(pieces: list[str], has_usage: bool = True) -> Answer:
    """A reply to a request with `stream`: pieces of a text, and if `has_usage` the token counts at the end."""
    head = {"id": "c1", "object": "chat.completion.chunk", "created": 0, "model": "m"}
    parts: list[dict[str, Any]] = [{**head, "choices": [{"index": 0, "delta": {"content": one}, "finish_reason": None}]} for one in pieces]
    parts.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    if has_usage:
        parts.append({**head, "choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": len(pieces), "total_tokens": 0}})
    return 200, b"".join(b"data: " + json.dumps(one).encode() + b"\n\n" for one in parts) + b"data: [DONE]\n\n"


@contextmanager
def serving(answer: Answering) -> Iterator[ChatEndpoint]:
    """An endpoint that serves on a free port until the block is left; each request has a thread of its own."""
    endpoint = ChatEndpoint(answer)
    lock = threading.Lock()
    n_asked: Counter[bytes] = Counter()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["content-length"]))
            body = json.loads(content)
            with lock:
                n_before, n_asked[content] = n_asked[content], n_asked[content] + 1
                endpoint.asked.append(body)
                endpoint.keys.append(self.headers["authorization"])
            status, reply = endpoint.answer(body, n_before)
            self.send_response(status)
            self.send_header("content-type", "text/event-stream" if body.get("stream") else "application/json")
            self.send_header("content-length", str(len(reply)))
            self.send_header(*SOON)
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, format: str, *args: Any) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    endpoint.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield endpoint
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
