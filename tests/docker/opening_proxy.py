"""A proxy that opens TLS, as those of companies do: it shows a certificate of its own for whatever host is asked for, and hands
on what it reads to one server on loopback, which nobody reaches but through it."""

from __future__ import annotations

import ssl
import subprocess
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

HOST = "hub.test"  # which no name server knows


class OpeningProxy:
    """Listens at `address` until `close`; `certificate` is the file (PEM) that a client must trust."""

    def __init__(self, address: str, server: str, folder: Path) -> None:
        self.certificate = folder / "ca.pem"
        key = folder / "key.pem"
        subject = ["-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}"]
        kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        out = ["-keyout", str(key), "-out", str(self.certificate)]
        subprocess.run(["openssl", "req", *kind, *subject, *out], check=True, capture_output=True)
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(self.certificate, key)
        self.server = server
        self.opened: list[str] = []  # host and port of each connection that was asked for
        self._listener = ThreadingHTTPServer((address, 0), _handler(self))
        self.url = f"http://{address}:{self._listener.server_address[1]}"
        self._thread = threading.Thread(target=self._listener.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def close(self) -> None:
        self._listener.shutdown()
        self._thread.join()
        self._listener.server_close()


def _handler(proxy: OpeningProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            pass  # the log of the proxy is `opened`

        def do_CONNECT(self) -> None:
            proxy.opened.append(self.path)
            self.send_response(200)
            self.end_headers()
            try:
                self.connection = proxy.tls.wrap_socket(self.connection, server_side=True)
            except OSError:  # the client does not trust the certificate
                self.close_connection = True
                return
            self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb")
            self.close_connection = False

        def do_GET(self) -> None:
            wanted = {name: value for name in ("Range", "Authorization") if (value := self.headers.get(name))}
            try:
                answer: Any = urllib.request.urlopen(urllib.request.Request(proxy.server + self.path, headers=wanted))
            except urllib.error.HTTPError as error:
                answer = error
            with answer:
                body = answer.read()
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    if name not in ("Server", "Date"):
                        self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

    return Handler
