"""A loopback server for Ollama's /api/chat that answers slowly and records when a client closes its connection."""
import json
import select
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class SlowOllama:
    """Answers every chat with `word1 word2 …` at [rate] words per second. For a `with` block."""

    def __init__(self, words: int = 200, rate: float = 20) -> None:
        self.requests: list[dict] = []      # the bodies, in order
        self.sent: list[int] = []           # the number of words sent, for each request
        self.closed_at: list[float] = []    # time.monotonic() of each connection that was closed before the end
        self.finished = 0                   # responses sent to the end
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))) or "{}")
                if self.path != "/api/chat":
                    self.send_error(404)
                    return
                number = len(recorder.requests)
                recorder.requests.append(body)
                recorder.sent.append(0)
                self.send_response(200)
                self.send_header("content-type", "application/x-ndjson")
                self.send_header("transfer-encoding", "chunked")
                self.end_headers()
                try:
                    for word in range(1, words + 1):
                        self.line({"message": {"role": "assistant", "content": f"word{word} "}, "done": False})
                        recorder.sent[number] = word
                        if self.hung_up(1 / rate):
                            raise ConnectionResetError
                    counts = {"prompt_eval_count": 5, "eval_count": words, "total_duration": int(words / rate * 1e9)}
                    self.line({"message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "stop", **counts})
                    self.wfile.write(b"0\r\n\r\n")
                    recorder.finished += 1
                except OSError:
                    recorder.closed_at.append(time.monotonic())
                    self.close_connection = True

            def line(self, value: dict) -> None:
                data = json.dumps({"model": "llama3", "created_at": "2026-01-01T00:00:00Z", **value}).encode() + b"\n"
                self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

            def hung_up(self, seconds: float) -> bool:
                """Waits for [seconds], or until the client closes the connection. Returns whether it did."""
                readable, _, _ = select.select([self.connection], [], [], seconds)
                return bool(readable) and not self.connection.recv(1)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> "SlowOllama":
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        self.server.shutdown()
        self.server.server_close()
