"""A server on 127.0.0.1 in place of the services, which errs on demand."""

import gzip
import hashlib
import re
import socket
import struct
import threading
import time
from collections import defaultdict
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

HTML = b"<!DOCTYPE html>\n<html><body>Please sign in</body></html>\n"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 9458408\n"
NO_RANGE = ("data.worldpop.org", "overpass-api.de")


class Loopback(ThreadingHTTPServer):
    """Answers for /host/path from ``content(name, query)``; ``faults`` are spent one a request.

    A fault is put under a part of the name; one that ends with "!" stays.
    """

    daemon_threads = True

    def __init__(self, content):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.content, self.asked = content, []
        self.faults = defaultdict(list)
        self.stop = threading.Event()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def fault(self, name):
        for part, faults in self.faults.items():
            if part in name and faults:
                return faults[0].rstrip("!") if faults[0].endswith("!") else faults.pop(0)
        return ""

    def handle_error(self, request, client_address):
        """Say nothing of connections that were broken on purpose."""


@contextmanager
def serving(content):
    server = Loopback(content)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield server
    finally:
        server.stop.set()
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self._answer()

    def do_HEAD(self):
        self._answer()

    def do_POST(self):
        form = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        self._answer(parse_qs(form))

    def _answer(self, form=None):
        address = urlsplit(self.path)
        name, query = unquote(address.path).lstrip("/"), parse_qs(address.query)
        self.server.asked.append((self.command, name, dict(self.headers), query, form))
        body = self.server.content(name, query if form is None else form, self.headers)
        self.close_connection = True
        if isinstance(body, int):
            return self._send(body, b"")
        if isinstance(body, str):
            return self._send(302, b"", Location=body)
        if "overpass" in name and "borderrisk" not in self.headers.get("User-Agent", ""):
            return self._send(406, b"")
        if body is None:
            return self._send(404, b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code></Error>")
        fault, _, number = self.server.fault(name).partition(":")
        tag = f'"{hashlib.md5(body).hexdigest()}"'
        own = getattr(self, f"_{fault.replace('-', '_')}", None) if fault else None
        if own is not None:
            return own(body, tag, number)
        return self._plain(name, body, tag, no_range=fault == "no range")

    def _plain(self, name, body, tag, *, no_range=False):
        """Serve as S3 does: ranges, ETag, 304 and 416."""
        headers = {"ETag": tag}
        if no_range or name.startswith(NO_RANGE):
            return self._send(200, body)
        if self.headers.get("If-None-Match") == tag:
            return self._send(304, b"", **headers)
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not wanted or self.headers.get("If-Range", tag) != tag:
            return self._send(200, body, **headers)
        start, stop = int(wanted[1]), min(int(wanted[2] or len(body)) + 1, len(body))
        if start >= len(body):
            return self._send(416, b"", **headers, Content_Range=f"bytes */{len(body)}")
        place = f"bytes {start}-{stop - 1}/{len(body)}"
        return self._send(206, body[start:stop], **headers, Content_Range=place)

    def _send(self, status, body, length=None, **headers):
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    # Faults: each as some service, proxy or line does it.

    def _status(self, body, tag, number):
        code, _, after = number.partition(":")
        self._send(int(code), b"busy", **({"Retry_After": after} if after else {}))

    def _cut(self, body, tag, tenths):
        """Break off after some tenths of what was asked for."""
        start = int((re.findall(r"bytes=(\d+)-", self.headers.get("Range", "")) or ["0"])[0])
        part = body[start:]
        headers = {"ETag": tag}
        if start:
            headers["Content_Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
        part, whole = part[: len(body) * int(tenths) // 10], len(part)
        self._send(206 if start else 200, part, whole, **headers)

    def _too_long(self, body, tag, _):
        """State more bytes than there are."""
        self._send(200, body, len(body) + 1000, ETag=tag)

    def _too_short(self, body, tag, _):
        self._send(200, body, len(body) // 2, ETag=tag)

    def _other_range(self, body, tag, _):
        place = f"bytes 0-{len(body) - 1}/{len(body)}"
        self._send(206, body, ETag=tag, Content_Range=place)

    def _other_file(self, body, tag, _):
        """Go on with the rest of another version."""
        start = int(re.findall(r"bytes=(\d+)-", self.headers["Range"])[0])
        place = f"bytes {start}-{len(body) - 1}/{len(body)}"
        self._send(206, b"x" * (len(body) - start - 1) + b"\n", ETag='"other"', Content_Range=place)

    def _weak_cut(self, body, tag, _):
        self._send(200, body[:100], len(body), ETag=f"W/{tag}")

    def _other_tag(self, body, tag, _):
        self._send(200, body, ETag='"' + "0" * 32 + '"')

    def _damaged(self, body, tag, _):
        middle = len(body) // 2
        self._send(200, body[:middle] + b"\0\1\2\3" + body[middle + 4 :], ETag='"d-1"')

    def _page(self, body, tag, _):
        self._send(200, HTML, Content_Type="text/html")

    def _pointer(self, body, tag, _):
        self._send(200, POINTER)

    def _report(self, body, tag, _):
        said = b"<?xml version='1.0'?><ows:ExceptionReport>no such layer</ows:ExceptionReport>"
        self._send(200, said)

    def _loop(self, body, tag, _):
        self._send(302, b"", Location=self.path)

    def _gzip(self, body, tag, _):
        self._send(200, gzip.compress(body), Content_Encoding="gzip", ETag=tag)

    def _gzip_cut(self, body, tag, _):
        packed = gzip.compress(body)
        self._send(200, packed[:-20], len(packed), Content_Encoding="gzip", ETag=tag)

    def _stall(self, body, tag, _):
        self._send(200, body[: len(body) // 2], len(body), ETag=tag)
        self.wfile.flush()
        self.server.stop.wait(5)

    def _trickle(self, body, tag, _):
        self._send(200, b"", len(body), ETag=tag)
        for k in range(60):
            self.wfile.write(body[k : k + 1])
            self.wfile.flush()
            if self.server.stop.wait(0.05):
                return

    def _reset(self, body, tag, _):
        self._send(200, body[: len(body) // 3], len(body), ETag=tag)
        self.wfile.flush()
        time.sleep(0.05)
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.connection.close()

    def _remark(self, body, tag, _):
        said = b'{"remark": "runtime error: Query timed out", "elements": []}'
        self._send(200, said)
