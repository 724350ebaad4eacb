"""A model hub of a few lines, as far as a pull asks one, and a catalogue that lists what it has."""

import hashlib
import http.server
import threading

REPO = "someone/tiny"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
WEIGHTS = "unet/model.safetensors"
FILES = {
    "model_index.json": b'{"a": 1}\n',
    WEIGHTS: (60).to_bytes(8, "little") + b'{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}       ' + b"abcd",
}


class Hub:
    def __init__(self, leads_to=None):
        hub = self
        self.asked = []

        class Request(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                hub.asked.append(self.path)
                path = self.path.split("/resolve/main/")[-1]
                bytes_ = FILES.get(path.removeprefix("/away/"))
                if bytes_ is None:
                    self.answer(404, {}, b"")
                elif path == WEIGHTS:
                    digest = hashlib.sha256(bytes_).hexdigest()
                    self.answer(302, {
                        "x-linked-size": len(bytes_), "x-linked-etag": f'"{digest}"',
                        "location": f"http://{leads_to or hub.host}:{hub.port}/away/{path}"}, b"")
                else:
                    self.answer(200, {}, bytes_)

            do_HEAD = do_GET

            def answer(self, status, headers, body):
                self.send_response(status)
                for name, value in ({"x-repo-commit": COMMIT, "content-length": len(body)} | headers).items():
                    self.send_header(name, str(value))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.host = "127.0.0.1"
        self.server = http.server.ThreadingHTTPServer((self.host, 0), Request)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.url = f"http://{self.host}:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def catalogue(self, file):
        """Writes a catalogue that lists the one model, and gives the model's name."""
        files = ", ".join(f'{{ path = "{path}" }}' for path in FILES)
        file.write_text(f"""
            [[model]]
            name = "tiny"
            title = "Tiny"
            about = "Draws nothing that anybody would know."
            licence = "Apache-2.0"
            licence_url = "https://www.apache.org/licenses/LICENSE-2.0"
            repo = "{REPO}"
            revision = "main"
            engine = "stable-diffusion"
            sampler = "euler"
            download_mib = 1
            memory_mib = 20
            size = "16x16"
            multiple_of = 4
            min_edge = 4
            max_edge = 64
            max_pixels = 4096
            steps = {{ min = 1, max = 9, default = 2 }}
            guidance = {{ min = 1.0, max = 9.0, default = 3.0 }}
            files = [{files}]
        """)
        return "tiny"

    def close(self):
        self.server.shutdown()
        self.server.server_close()
