"""Firefox under its own remote protocol, Marionette: lines of JSON over a socket, no driver."""

import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

WAIT = 60.0
# A fresh profile calls nobody, and a page has its colours whatever the desktop is set to.
PREFERENCES = {
    "marionette.port": 0,
    "app.update.auto": False,
    "app.normandy.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.update.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "toolkit.telemetry.enabled": False,
    "layout.css.prefers-color-scheme.content-override": 1,
}


def executable():
    """Path of an installed Firefox, None without one."""
    return shutil.which("firefox-esr") or shutil.which("firefox")


class Firefox:
    """One headless window."""

    def __init__(self, profile: Path, size=(1280, 800)):
        lines = [f"user_pref({json.dumps(k)}, {json.dumps(v)});" for k, v in PREFERENCES.items()]
        (profile / "user.js").write_text("\n".join(lines), encoding="utf-8")
        wide, high = (str(n) for n in size)
        command = [
            executable(), "--headless", "--no-remote", "--marionette",
            "--remote-allow-system-access", "--profile", str(profile),
            "--width", wide, "--height", high, "about:blank",
        ]  # fmt: skip
        self.process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        self.number = 0
        try:
            self._connect(profile / "MarionetteActivePort")
        except Exception:
            self.close()
            raise

    def _connect(self, port_file: Path):
        until = time.monotonic() + WAIT
        while not port_file.exists() or not port_file.read_text():
            if time.monotonic() > until or self.process.poll() is not None:
                raise OSError("Firefox did not open its remote port")
            time.sleep(0.1)
        self.socket = socket.create_connection(("127.0.0.1", int(port_file.read_text())), WAIT)
        self._receive()
        self.call("WebDriver:NewSession", {"capabilities": {"alwaysMatch": {}}})

    def call(self, name, parameters=None):
        """Send one command; its result, or an error with Firefox's words."""
        self.number += 1
        text = json.dumps([0, self.number, name, parameters or {}]).encode()
        self.socket.sendall(str(len(text)).encode() + b":" + text)
        _, _, error, result = self._receive()
        if error:
            raise RuntimeError(f"{error['error']}: {error['message']}")
        return result.get("value", result) if isinstance(result, dict) else result

    def _receive(self):
        head = b""
        while not head.endswith(b":"):
            head += self._some(1)
        body, length = b"", int(head[:-1])
        while len(body) < length:
            body += self._some(length - len(body))
        return json.loads(body)

    def _some(self, most):
        got = self.socket.recv(most)
        if not got:
            raise OSError("Firefox closed the connection")
        return got

    def open(self, url):
        self.call("WebDriver:Navigate", {"url": "about:blank"})
        self.run("Services.console.reset();", chrome=True)
        self.call("WebDriver:Navigate", {"url": url})

    def run(self, script, *arguments, chrome=False):
        """Value of a script's ``return`` in the page, or in the browser itself."""
        self.call("Marionette:SetContext", {"value": "chrome" if chrome else "content"})
        value = self.call("WebDriver:ExecuteScript", {"script": script, "args": list(arguments)})
        self.call("Marionette:SetContext", {"value": "content"})
        return value

    def until(self, script, *arguments):
        """Wait until a script returns something true."""
        end = time.monotonic() + WAIT
        while not self.run(script, *arguments):
            if time.monotonic() > end:
                raise AssertionError(f"never came true: {script}")
            time.sleep(0.05)

    def click(self, x, y):
        """Press the mouse at a point of the page, pixels."""
        moves = [
            {"type": "pointerMove", "x": round(x), "y": round(y), "duration": 0},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        ]
        mouse = {"type": "pointer", "id": "mouse", "actions": moves}
        self.call("WebDriver:PerformActions", {"actions": [mouse]})

    def screenshot(self):
        """PNG bytes of the window."""
        return base64.b64decode(self.call("WebDriver:TakeScreenshot", {"full": False}))

    def errors(self):
        """What the browser's console holds about pages in files: errors and refused requests."""
        return self.run(
            """return Services.console.getMessageArray()
                 .filter((m) => m instanceof Ci.nsIScriptError && m.sourceName.startsWith('file:'))
                 .filter((m) => !(m.flags & Ci.nsIScriptError.warningFlag))
                 .map((m) => m.errorMessage);""",
            chrome=True,
        )

    def close(self):
        """End the browser and the processes it started."""
        if getattr(self, "socket", None):
            self.socket.close()
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)
