"""Bring files from public services: whole, checked, and taken up again where they broke off.

The only module that speaks to a network; requests does the HTTP (it heeds HTTPS_PROXY, NO_PROXY
and REQUESTS_CA_BUNDLE, and drops credentials on a redirect to another host).
"""

from __future__ import annotations

import json
import logging
import os
import random
import re
import shutil
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from hashlib import md5
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar
from urllib.parse import urlsplit

import rasterio
import requests
import urllib3
from rasterio.errors import RasterioError

from borderrisk.errors import DataError, OutputError
from borderrisk.runs import read_json

log = logging.getLogger(__name__)
T = TypeVar("T")

AGENT = "borderrisk/0.1 (fetch; area-level analysis of open data)"
GEOTIFF = "GTiff"
"""The only form of rasters: others may lead to further files and servers."""

_CHUNK, _MB, _SPARE_MB = 1 << 16, 1_000_000, 50
_MENDS = {
    401: "it wants an account; check yours in the environment",
    403: "it refuses this address or account; try another network, or --mirror",
    404: "it is no longer there; look for a newer version of borderrisk, or use --mirror",
    406: "it refuses this program's name; set another in BORDERRISK_USER_AGENT",
}


@dataclass(frozen=True)
class Remote:
    """A file of a service: where it is, whose, and how it is known to be whole.

    ``form`` is a key of ``FORMS``; ``label`` names the answer where the address alone does not.
    ``md5_etag``: the service's ETag is the MD5 of the file, unless it holds a dash. ``wait_s`` is
    the first wait after a refusal.
    """

    url: str
    source: str
    form: str
    label: str = ""
    md5_etag: bool = False
    wait_s: float = 2
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        """Its place in a mirror: host and path."""
        address = urlsplit(self.url)
        parts = PurePosixPath(address.path.lstrip("/"), self.label).parts
        if address.scheme in ("https", "http") and parts and ".." not in parts:
            return "/".join((str(address.hostname), *parts))
        raise DataError(f"{self.source}: {self.url} is no address that is read.")


@dataclass(frozen=True)
class Patience:
    """How long a service is waited for, seconds; ``tries`` count while nothing new arrives.

    Fewer than ``least_bytes`` in ``stall_s`` are a stall; ``scale`` shortens the waits (tests).
    """

    tries: int = 6
    connect_s: float = 20
    stall_s: float = 60
    least_bytes: int = 5_000
    longest_wait_s: float = 180
    scale: float = 1


@dataclass(frozen=True)
class Received:
    """A file that is here, or a part of it: what a note beside it says, and the day it came."""

    path: Path
    url: str
    etag: str = ""
    modified: str = ""
    retrieved: str = ""

    @classmethod
    def of(cls, path: Path) -> Received | None:
        """Return what the note beside a file says, if there are both."""
        try:
            facts = read_json(_note(path))
            return cls(path, **facts) if path.is_file() else None
        except (OSError, ValueError, TypeError):
            return None

    def keep(self, path: Path) -> Received:
        """Write the note beside a file, and return it."""
        facts = {key: value for key, value in vars(self).items() if key != "path"}
        new = _note(path).with_suffix(".new")
        new.write_text(json.dumps(facts), "utf-8")
        new.replace(_note(path))
        return replace(self, path=path)

    @property
    def validator(self) -> str:
        """What tells that the file is still the same; a weak ETag does not."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.modified

    @property
    def unless_changed(self) -> dict[str, str]:
        """Headers that ask for the file only if it has changed."""
        asked = {"If-None-Match": self.etag, "If-Modified-Since": self.modified}
        return {name: value for name, value in asked.items() if value}


class _Again(Exception):  # noqa: N818 - no error yet
    """What came cannot be used, and another try may mend it; after some seconds, if told."""

    def __init__(self, why: str, after_s: float | None = None, *, anew: bool = False) -> None:
        super().__init__(why)
        self.after_s, self.anew = after_s, anew


class Store:
    """Files of services, kept below a folder by host and path; ``mirror`` stands for the services.

    A mirror is a folder (nothing is copied), or the address of a server that serves one.
    ``progress`` is told the name of a file and how many bytes of it are here. Whoever uses a store
    holds the folder alone.
    """

    def __init__(
        self, folder: Path, mirror: str | None = None, *, patience: Patience | None = None,
        progress: Callable[[str, int], None] | None = None,
    ) -> None:  # fmt: skip
        self.folder, self.patience = folder, patience or Patience()
        self._server = mirror.rstrip("/") if mirror and "://" in mirror else None
        self.local = Path(mirror) if mirror and not self._server else None
        if self.local and not self.local.is_dir():
            raise DataError(f"--mirror {mirror}: there is no such folder.")
        self.progress = progress or (lambda _name, _bytes: None)
        self.agent = os.environ.get("BORDERRISK_USER_AGENT", AGENT)
        self._session = requests.Session()
        self._session.max_redirects = 8
        self._session.headers.update({"User-Agent": self.agent, "Accept-Encoding": "identity"})

    def get(self, remote: Remote) -> Received:
        """Return the whole file, from the mirror or the service; an unchanged one is not resent.

        DataError if it cannot be had, or is not what it should be; nothing then has its name.
        """
        if self.local is not None:
            return self._mirrored(remote, self.local / remote.name)
        target = self.folder / remote.name
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f"{target.name}.part")
        return self._persist(remote, lambda: self._transfer(remote, target, part), part)

    def token(self, remote: Remote, form: Mapping[str, str]) -> str:
        """Return the access token that a service gives for a filled form; it is kept nowhere."""

        def ask() -> str:
            with self._ask("POST", remote, data=dict(form)) as answer:
                _refuse(remote, answer)
                if token := answer.json().get("access_token"):
                    return str(token)
                raise DataError(f"{remote.source}: its sign-in gave no token; check the account.")

        return self._persist(remote, ask)

    def url(self, remote: Remote) -> str:
        """Return the address that is asked: the service's, or that on the mirror's server."""
        if self._server is None:
            return remote.url
        query = urlsplit(remote.url).query
        return f"{self._server}/{remote.name}" + (f"?{query}" if query else "")

    def _mirrored(self, remote: Remote, path: Path) -> Received:
        if not path.is_file():
            mend = "is not in the mirror; make it with fetch --export of the same config"
            raise DataError(f"{remote.source}: {path} {mend}.")
        try:
            _check(remote, path)
        except _Again as why:
            raise DataError(f"{remote.source}: {path}: {why}; export it again.") from why
        self.progress(remote.name, path.stat().st_size)
        return Received.of(path) or Received(path, remote.url)

    def _persist(self, remote: Remote, work: Callable[[], T], part: Path | None = None) -> T:
        """Work until it succeeds, waiting longer each time; give up when nothing new arrives."""
        failures, size = 0, _size(part)
        while True:
            after_s: float | None = None
            try:
                return work()
            except requests.TooManyRedirects as error:
                said = "leads in a circle; try again later, or use --mirror."
                raise DataError(f"{remote.source}: {remote.url} {said}") from error
            except requests.exceptions.SSLError as error:
                mend = "name your network's own in REQUESTS_CA_BUNDLE, or use --mirror"
                said = f"the certificate of {remote.url} is not trusted ({plain(error)})"
                raise DataError(f"{remote.source}: {said}; {mend}.") from error
            except _Again as error:
                why, after_s = str(error), error.after_s
                if error.anew and part is not None:
                    part.unlink(missing_ok=True)
            except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
                why = f"the connection failed ({plain(error)})"
            grown, size = _size(part) - size, _size(part)
            failures = 1 if grown > size // 100 else failures + 1
            if failures >= self.patience.tries:
                raise DataError(
                    f"{remote.source}: {remote.url}: {why}, {failures} times. Try again later (it "
                    "goes on where it stopped), or use --mirror."
                )
            self._wait(remote, why, failures, after_s)

    def _wait(self, remote: Remote, why: str, failures: int, after_s: float | None) -> None:
        longest = self.patience.longest_wait_s
        if after_s is not None and after_s > longest:
            when = f"asks for {after_s / 60:.0f} minutes of rest; repeat the command then"
            raise DataError(f"{remote.source}: {remote.url}: {why}, and {when}.")
        backoff = min(remote.wait_s * 2 ** (failures - 1), longest) * random.uniform(1, 1.5)
        seconds = backoff if after_s is None else after_s
        log.info("%s: %s; once more in %.0f s", remote.source, why, seconds)
        time.sleep(seconds * self.patience.scale)

    def _ask(self, method: str, remote: Remote, **more: Any) -> requests.Response:
        headers = {**remote.headers, **more.pop("headers", {})}
        wait = (self.patience.connect_s, self.patience.stall_s)
        return self._session.request(
            method, self.url(remote), headers=headers, stream=True, timeout=wait, **more
        )

    def _transfer(self, remote: Remote, target: Path, part: Path) -> Received:
        kept, begun = Received.of(target), Received.of(part)
        if begun and not (begun.url == remote.url and begun.validator and _size(part)):
            begun = None
        headers = kept.unless_changed if kept and kept.url == remote.url else {}
        if begun:
            headers = {"Range": f"bytes={_size(part)}-", "If-Range": begun.validator}
        with self._ask("GET", remote, headers=headers) as answer:
            if answer.status_code == 304 and kept:
                self.progress(remote.name, _size(target))
                return kept
            if answer.status_code != 416:
                _refuse(remote, answer)
                begun = self._receive(remote, answer, part, begun)
            elif not (begun and answer.headers.get("Content-Range") == f"bytes */{_size(part)}"):
                raise _Again("it cannot go on where it stopped", 0, anew=True)
        _check(remote, part, begun.etag)
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(target)
        _note(part).unlink(missing_ok=True)
        return begun.keep(target)

    def _receive(
        self, remote: Remote, answer: requests.Response, part: Path, begun: Received | None
    ) -> Received:
        """Write the body, after what is there already or in its place."""
        said, have = answer.headers, _size(part)
        tags = said.get("ETag", ""), said.get("Last-Modified", "")
        note = Received(part, remote.url, *tags, retrieved=datetime.now(UTC).date().isoformat())
        encoded = said.get("Content-Encoding", "identity").lower() not in ("identity", "")
        if answer.status_code == 206:
            follows = said.get("Content-Range", "").startswith(f"bytes {have}-")
            if encoded or not (begun and begun.etag == note.etag and follows):
                raise _Again("it sent another part than was asked for", 0, anew=True)
        else:
            have = 0
        length = said.get("Content-Length", "")
        check_room(part.parent, int(length if length.isdigit() else 0) / _MB, remote.source)
        note.keep(part)
        with part.open("ab" if have else "wb") as out:
            for chunk in self._chunks(answer, decode=encoded):
                out.write(chunk)
                self.progress(remote.name, out.tell())
        return note

    def _chunks(self, answer: requests.Response, *, decode: bool) -> Iterator[bytes]:
        """Yield what arrives as it arrives; a connection that trickles is given up."""
        since, some = time.monotonic(), 0
        try:
            while chunk := answer.raw.read1(_CHUNK, decode_content=decode):
                some += len(chunk)
                yield chunk
                if time.monotonic() - since > self.patience.stall_s:
                    if some < self.patience.least_bytes:
                        raise _Again("it stalls")
                    since, some = time.monotonic(), 0
        except urllib3.exceptions.ProtocolError as error:
            raise _Again("it breaks off in the middle") from error


def check_room(folder: Path, mb: float, source: str) -> None:
    """Raise ``OutputError`` if the disk of a folder lacks room for so many MB and a reserve."""
    free = shutil.disk_usage(folder).free / _MB - _SPARE_MB
    if mb > free:
        needs = f"{source} needs {mb:,.0f} MB, and there is room for {max(free, 0):,.0f} MB"
        raise OutputError(f"{folder}: {needs}; make some and repeat the command.")


def _refuse(remote: Remote, answer: requests.Response) -> None:
    """Raise what a status means: try again, or what to do."""
    status = answer.status_code
    if status in (200, 206):
        return
    if status in (408, 425, 429) or status >= 500:
        raise _Again(f"it answered {status} {answer.reason}", _retry_after(answer))
    mend = _MENDS.get(status, "look whether the service has changed, or use --mirror")
    raise DataError(f"{remote.source}: {remote.url} answered {status} {answer.reason}: {mend}.")


def _retry_after(answer: requests.Response) -> float | None:
    text = answer.headers.get("Retry-After", "").strip()
    if text.isdigit():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time()) if text else None
    except ValueError:
        return None


def _check(remote: Remote, path: Path, etag: str = "") -> None:
    """Refuse what is not the file: another thing at once, damage after more tries."""
    with path.open("rb") as file:
        start = file.read(2048).removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if (what := _other_thing(start)) and remote.form != "html":
        if path.suffix == ".part":
            path.unlink()
        raise DataError(
            f"{remote.source}: {remote.url} sent {what} instead of the file. Open the address in "
            "a browser to see why, or use --mirror."
        )
    tag = re.fullmatch(r'"([0-9a-f]{32})"', etag) if remote.md5_etag else None
    if tag and md5(path.read_bytes(), usedforsecurity=False).hexdigest() != tag[1]:
        raise _Again("what came differs from the service's checksum", anew=True)
    try:
        FORMS[remote.form](path)
    except _DAMAGED as error:
        raise _Again(f"what came is damaged or cut ({plain(error)})", anew=True) from error


_DAMAGED = (
    zipfile.BadZipFile, zlib.error, NotImplementedError, RasterioError, ValueError, LookupError,
    TypeError, AttributeError, OSError,
)  # fmt: skip


def _other_thing(start: bytes) -> str:
    if start.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer"
    if start.startswith((b"<!doctype html", b"<html")):
        return "a web page (to sign in, or a block page?)"
    if start.startswith(b"<"):
        text = re.sub(rb"<[^>]*>", b" ", start).decode("utf-8", "replace")
        return f"an error report ({' '.join(text.split())[:120]})"
    return ""


def _sound_zip(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        if bad := archive.testzip():
            raise ValueError(f"{bad} in the archive")


def _sound_answer(path: Path) -> None:
    """Refuse an answer of Overpass that a remark says to be only a part."""
    found = read_json(path)
    if remark := found.get("remark"):
        raise _Again(f"it answered in part only ({remark})", anew=True)
    _ = found["elements"]


def _sound_raster(path: Path) -> None:
    with rasterio.open(path, driver=GEOTIFF) as raster:
        for _, window in raster.block_windows(1):
            raster.read(1, window=window)


def _ends(path: Path, end: bytes) -> None:
    if end not in path.read_bytes()[-200:].lower().splitlines(keepends=True)[-1]:
        raise ValueError("its end is missing")


FORMS: dict[str, Callable[[Path], Any]] = {
    "zip": _sound_zip,
    "text": lambda path: _ends(path, b"\n"),
    "html": lambda path: _ends(path, b"</html>"),
    "json": read_json,
    "overpass": _sound_answer,
    "raster": _sound_raster,
}
"""How a file is known to be whole; an error says why it is not."""


def _note(path: Path) -> Path:
    return path.with_name(f".{path.name}.note")


def _size(path: Path | None) -> int:
    return path.stat().st_size if path is not None and path.is_file() else 0


def plain(error: BaseException) -> str:
    """Return the innermost reason of an error, short."""
    held = [*error.args, getattr(error, "reason", None)]
    inner = next((it for it in held if isinstance(it, BaseException)), None)
    if inner is not None:
        return plain(inner)
    return " ".join(str(getattr(error, "strerror", None) or error).split())[:160]
