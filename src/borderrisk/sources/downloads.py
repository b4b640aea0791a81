"""Bring files from public services: whole, checked, and taken up again where they broke off.

The only module that speaks to a network. requests does the HTTP (it heeds HTTPS_PROXY, NO_PROXY
and REQUESTS_CA_BUNDLE, and drops credentials on a redirect to another host), GDAL reads rasters by
parts.
"""

from __future__ import annotations

import json
import logging
import os
import random
import re
import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from hashlib import md5
from pathlib import Path, PurePosixPath
from time import monotonic, sleep
from typing import Any, TypeVar
from urllib.parse import urlsplit

import rasterio
import requests
import urllib3
from rasterio.errors import RasterioError

from borderrisk.errors import DataError, OutputError, plain
from borderrisk.runs.hashing import read_json

log = logging.getLogger(__name__)
T = TypeVar("T")

AGENT = "borderrisk/0.1 (fetch; area-level analysis of open data)"
# How long a service is waited for, seconds; tries count while nothing new arrives. Fewer than so
# many bytes in STALL_S are a stall.
TRIES, CONNECT_S, PAUSE_S, STALL_S, LEAST_BYTES, LONGEST_S = 6, 20.0, 2.0, 60.0, 5_000, 180.0
_DAMAGED = (
    zipfile.BadZipFile, zlib.error, NotImplementedError, RasterioError, ValueError, LookupError,
    TypeError, AttributeError, OSError,
)  # fmt: skip
_FAILURES = (requests.RequestException, urllib3.exceptions.HTTPError)
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
    the first wait after a refusal, not after a connection that fails.
    """

    url: str
    source: str
    form: str
    label: str = ""
    md5_etag: bool = False
    wait_s: float = PAUSE_S
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        return f"{self.source}: {self.url.partition('?')[0]}"

    @property
    def name(self) -> str:
        """Its place in a mirror: host and path."""
        address = urlsplit(self.url)
        parts = PurePosixPath(address.path.lstrip("/"), self.label).parts
        if address.scheme in ("https", "http") and parts and ".." not in parts:
            return "/".join((str(address.hostname), *parts))
        raise DataError(f"{self} is no address that is read.")


@dataclass(frozen=True)
class Received:
    """What a note beside a file, or a part of one, says: whence, which version, the day it came."""

    url: str
    etag: str = ""
    modified: str = ""
    day: str = field(default_factory=lambda: datetime.now(UTC).date().isoformat())

    @classmethod
    def of(cls, path: Path) -> Received | None:
        """Return what the note beside a file says, if there are both."""
        try:
            return cls(**read_json(_note(path))) if path.is_file() else None
        except (OSError, ValueError, TypeError):
            return None

    def keep(self, path: Path) -> None:
        """Write the note beside a file."""
        _note(path).write_text(json.dumps(asdict(self)), "utf-8")

    @property
    def validator(self) -> str:
        """What tells that the file is still the same; a weak ETag does not."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.modified


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
        self, folder: Path, mirror: str | None = None,
        progress: Callable[[str, int], None] | None = None,
    ) -> None:  # fmt: skip
        self.folder = folder
        self._server = mirror.rstrip("/") if mirror and "://" in mirror else None
        self.local = Path(mirror) if mirror and not self._server else None
        if self.local and not self.local.is_dir():
            raise DataError(f"--mirror {mirror}: there is no such folder.")
        self.progress = progress or (lambda _name, _bytes: None)
        self.agent = os.environ.get("BORDERRISK_USER_AGENT", AGENT)
        self._session = requests.Session()
        self._session.max_redirects = 8
        self._session.headers.update({"User-Agent": self.agent, "Accept-Encoding": "identity"})

    def get(self, remote: Remote) -> Path:
        """Return the whole file, from the mirror or the service; an unchanged one is not resent.

        DataError if it cannot be had, or is not what it should be; nothing then has its name.
        """
        path = (self.local or self.folder) / remote.name
        if self.local is None:
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_name(f"{path.name}.part")
            self._persist(remote, lambda: self._transfer(remote, path, part), part)
        elif not path.is_file():
            mend = "is not in the mirror; make it with fetch --export of the same config"
            raise DataError(f"{remote.source}: {path} {mend}.")
        else:
            try:
                _check(remote, path)
            except _Again as why:
                raise DataError(f"{remote.source}: {path}: {why}; export it again.") from why
        self.progress(remote.name, _size(path))
        return path

    def received(self, remote: Remote) -> Received:
        """Return what is known of a file that came, whole or by parts."""
        return Received.of((self.local or self.folder) / remote.name) or Received(remote.url)

    def token(self, remote: Remote, form: Mapping[str, str]) -> str:
        """Return the access token that a service gives for a filled form; it is kept nowhere."""

        def ask() -> str:
            with self._ask("POST", remote, data=dict(form)) as answer:
                _refuse(remote, answer)
                if token := answer.json().get("access_token"):
                    return str(token)
                raise DataError(f"{remote.source}: its sign-in gave no token; check the account.")

        return self._persist(remote, ask)

    def read_raster(self, remote: Remote, read: Callable[[Any], T]) -> T:
        """Return what ``read`` takes from an open raster, by parts where the service allows it.

        Where reading by parts fails, the whole file is brought and checked, and read from here.
        """
        if self.local is None:
            # GDAL asks again, reads no folders and keeps nothing.
            gdal = rasterio.Env(
                GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR", CPL_VSIL_CURL_NON_CACHED="/vsicurl/",
                CPL_VSIL_CURL_ALLOWED_EXTENSIONS=".tif", GDAL_HTTP_USERAGENT=self.agent,
                GDAL_HTTP_MAX_RETRY=3, GDAL_HTTP_RETRY_DELAY=PAUSE_S,
                GDAL_HTTP_CONNECTTIMEOUT=CONNECT_S,
                GDAL_HTTP_LOW_SPEED_TIME=max(1, round(STALL_S)),
                GDAL_HTTP_LOW_SPEED_LIMIT=max(1, round(LEAST_BYTES / STALL_S)),
            )  # fmt: skip
            try:
                address = f"/vsicurl/{self.url(remote)}"
                with gdal, rasterio.open(address, driver=GEOTIFF) as raster:
                    return read(raster)
            except RasterioError as error:
                log.info("%s: %s; the whole file is brought", remote.source, plain(error))
        path = self.get(remote)
        try:
            with rasterio.open(path, driver=GEOTIFF) as raster:
                return read(raster)
        except RasterioError as error:
            raise DataError(f"{remote.source}: {path} is damaged ({plain(error)}).") from error

    def url(self, remote: Remote) -> str:
        """Return the address that is asked: the service's, or that on the mirror's server."""
        if self._server is None:
            return remote.url
        query = urlsplit(remote.url).query
        return f"{self._server}/{remote.name}" + (f"?{query}" if query else "")

    def _persist(self, remote: Remote, work: Callable[[], T], part: Path | None = None) -> T:
        """Work until it succeeds, waiting longer each time; give up when nothing new arrives."""
        failures, size = 0, _size(part)
        while True:
            after_s, pause_s = None, remote.wait_s
            try:
                return work()
            except requests.TooManyRedirects as error:
                raise DataError(f"{remote} leads in a circle; try again later.") from error
            except requests.exceptions.SSLError as error:
                why = f"its certificate is not trusted ({plain(error)})"
                mend = "name your network's own in REQUESTS_CA_BUNDLE, or use --mirror"
                raise DataError(f"{remote}: {why}; {mend}.") from error
            except _Again as error:
                why, after_s = str(error), error.after_s
                if error.anew and part is not None:
                    part.unlink(missing_ok=True)
            except _FAILURES as error:
                why, pause_s = f"the connection failed ({plain(error)})", PAUSE_S
            grown, size = _size(part) - size, _size(part)
            failures = 1 if grown > size // 100 else failures + 1
            if failures >= TRIES:
                mend = "Try again later (it goes on where it stopped), or use --mirror"
                raise DataError(f"{remote}: {why}, {failures} times. {mend}.")
            if after_s is None:
                backoff = min(pause_s * 2 ** (failures - 1), LONGEST_S)
                after_s = backoff * random.uniform(1, 1.5)
            elif after_s > LONGEST_S:
                when = f"asks for {after_s / 60:.0f} minutes of rest; repeat the command then"
                raise DataError(f"{remote}: {why}, and {when}.")
            log.info("%s: %s; once more in %.0f s", remote.source, why, after_s)
            sleep(after_s)

    def _ask(self, method: str, remote: Remote, **more: Any) -> requests.Response:
        headers = {**remote.headers, **more.pop("headers", {})}
        return self._session.request(
            method, self.url(remote), headers=headers, stream=True, timeout=(CONNECT_S, STALL_S),
            **more,
        )  # fmt: skip

    def _transfer(self, remote: Remote, target: Path, part: Path) -> None:
        """Bring a file, or the rest of it, once; it has its name when it is checked."""
        kept, begun = Received.of(target), Received.of(part)
        headers: dict[str, str | None] = {}
        if begun and begun.url == remote.url and begun.validator and _size(part):
            headers = {"Range": f"bytes={_size(part)}-", "If-Range": begun.validator}
        else:
            begun = None
            if kept and kept.url == remote.url:
                headers["If-None-Match"] = kept.etag or None
                headers["If-Modified-Since"] = kept.modified or None
        with self._ask("GET", remote, headers=headers) as answer:
            if answer.status_code == 304 and kept:
                return
            if answer.status_code != 416:
                _refuse(remote, answer)
                begun = self._receive(remote, answer, part, begun)
            elif not (begun and answer.headers.get("Content-Range") == f"bytes */{_size(part)}"):
                raise _Again("it cannot go on where it stopped", 0, anew=True)
        _check(remote, part, begun.etag)
        part.replace(target)
        _note(part).unlink(missing_ok=True)
        begun.keep(target)

    def _receive(
        self, remote: Remote, answer: requests.Response, part: Path, begun: Received | None
    ) -> Received:
        """Write the body, after what is there already or in its place."""
        said, have = answer.headers, _size(part)
        note = Received(remote.url, said.get("ETag", ""), said.get("Last-Modified", ""))
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
        with part.open("ab" if have else "wb", buffering=0) as out:
            for chunk in self._chunks(answer, decode=encoded):
                out.write(chunk)
                self.progress(remote.name, out.tell())
            os.fsync(out.fileno())
        return note

    def _chunks(self, answer: requests.Response, *, decode: bool) -> Iterator[bytes]:
        """Yield what arrives as it arrives; a connection that trickles is given up."""
        since, some = monotonic(), 0
        try:
            while chunk := answer.raw.read1(_CHUNK, decode_content=decode):
                some += len(chunk)
                yield chunk
                if monotonic() - since > STALL_S:
                    if some < LEAST_BYTES:
                        raise _Again("it stalls")
                    since, some = monotonic(), 0
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
        try:
            after_s = urllib3.Retry().get_retry_after(answer.raw)
        except urllib3.exceptions.InvalidHeader:
            after_s = None
        raise _Again(f"it answered {status} {answer.reason}", after_s)
    mend = _MENDS.get(status, "look whether the service has changed, or use --mirror")
    raise DataError(f"{remote} answered {status} {answer.reason}: {mend}.")


def _check(remote: Remote, path: Path, etag: str = "") -> None:
    """Refuse what is not the file: another thing at once, damage after more tries."""
    with path.open("rb") as file:
        start = file.read(2048).removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if (what := _other_thing(start)) and remote.form != "html":
        if path.suffix == ".part":
            path.unlink()
        raise DataError(
            f"{remote} sent {what} instead of the file. Open the address in a browser to see why, "
            "or use --mirror."
        )
    tag = re.fullmatch(r'"([0-9a-f]{32})"', etag) if remote.md5_etag else None
    if tag and md5(path.read_bytes(), usedforsecurity=False).hexdigest() != tag[1]:
        raise _Again("what came differs from the service's checksum", anew=True)
    try:
        FORMS[remote.form](path)
    except _DAMAGED as error:
        raise _Again(f"what came is damaged or cut ({plain(error)})", anew=True) from error


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
