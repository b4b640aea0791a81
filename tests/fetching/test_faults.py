"""Each fault of a service, met by the command: right data in the end, or a sentence that helps."""

import shutil
import ssl
import subprocess

import pytest
from click.testing import CliRunner
from tests.fetching.loopback import serving

from borderrisk.cli.app import app

PARTS = {
    "incidents": "ged261", "settlements": "geonames", "borders": "media.github",
    "posts": "overpass", "elevation": "N35_00_E060_00_DEM.tif", "population": "worldpop",
    "landcover": "worldcover",
}  # fmt: skip
"""A part of the name of a file of each source."""

SOURCES = {
    "incidents": "UCDP", "settlements": "GeoNames", "borders": "geoBoundaries",
    "posts": "OpenStreetMap", "elevation": "Copernicus GLO-90", "population": "WorldPop",
    "landcover": "ESA WorldCover",
}  # fmt: skip


def files_in(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*")
            if p.is_file() and ".fetch" not in p.parts}  # fmt: skip


def call(folder, address, what):
    arguments = ["fetch", str(folder), "--what", what, "--mirror", address]
    return CliRunner().invoke(app, arguments)


@pytest.fixture
def mended(folder, server, right):
    """Fetch one source that errs in some ways, one a request, and compare with what is right."""

    def fetched(what, *faults):
        server.faults[PARTS[what]] = list(faults)
        result = call(folder, server.url, what)
        assert result.exit_code == 0, result.output
        assert not server.faults[PARTS[what]], "each fault was met"
        came = files_in(folder / "data" / "fetched")
        assert came
        assert came == {name: right[name] for name in came}

    return fetched


@pytest.fixture(scope="module")
def right(base, server, tmp_path_factory):
    """Files of all sources, where nothing errs."""
    folder = shutil.copytree(base, tmp_path_factory.mktemp("right") / "harirud")
    result = call(folder, server.url, ",".join(PARTS))
    assert result.exit_code == 0, result.output
    return files_in(folder / "data" / "fetched")


@pytest.mark.parametrize("fault", ["status:429", "status:429:1", "status:503", "status:503:1"])
def test_a_busy_service_is_asked_again(mended, fault):
    mended("settlements", fault, fault)


@pytest.mark.parametrize("tenths", range(10))
def test_a_file_cut_at_any_tenth_is_completed(mended, tenths):
    mended("incidents", f"cut:{tenths}")


@pytest.mark.parametrize("what", ["posts", "borders"])
@pytest.mark.parametrize(
    "faults", [["too-long"], ["too-short"], ["gzip"], ["gzip-cut"], ["reset"], ["stall"], ["cut:7"]]
)
def test_a_line_or_a_proxy_that_errs(mended, what, faults):
    mended(what, *faults)


@pytest.mark.parametrize("fault", ["other-range", "other-file"])
@pytest.mark.parametrize("what", ["incidents", "borders"])
def test_the_rest_of_another_file_is_not_taken(mended, what, fault):
    """A range that was not asked for; a version, by its ETag, that changed midway."""
    mended(what, "cut:4", fault)


@pytest.mark.parametrize("fault", ["status:503", "reset", "stall", "gzip", "damaged", "cut:5"])
@pytest.mark.parametrize("what", ["elevation", "landcover"])
def test_rasters_are_whole_whatever_happens_to_their_parts(mended, what, fault):
    mended(what, fault)


def test_a_partial_answer_of_overpass_is_asked_again(mended):
    mended("posts", "remark", "remark")


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("loop!", "leads in a circle; try again later"),
        ("pointer!", "sent a Git LFS pointer instead of the file"),
        ("page!", "sent a web page"),
        ("report!", "no such layer"),
        ("status:403!", "try another network, or --mirror"),
        ("status:404!", "it is no longer there"),
        ("status:503:7200!", "asks for 120 minutes of rest"),
        ("stall!", "4 times. Try again later (it goes on where it stopped)"),
        ("cut:0!", "breaks off in the middle, 4 times"),
    ],
)
@pytest.mark.parametrize("what", ["borders", "elevation"])
def test_what_cannot_be_mended_is_one_sentence(folder, server, what, fault, says):
    before = files_in(folder)
    server.faults[PARTS[what]] = [fault]
    refused(call(folder, server.url, what), SOURCES[what], says)
    assert files_in(folder) == before, "no half file, and the config is as it was"


def test_a_partial_answer_that_stays_is_refused(folder, server):
    server.faults["overpass"] = ["remark!"]
    refused(call(folder, server.url, "posts"), "OpenStreetMap", "in part only (runtime error")


@pytest.mark.parametrize("what", ["posts", "elevation"])
@pytest.mark.parametrize("speaks_tls", [True, False])
def test_a_certificate_that_is_not_trusted(folder, tmp_path, what, speaks_tls):
    with serving(lambda *_: None) as server:
        if speaks_tls:
            server.socket = _own_certificate(tmp_path).wrap_socket(server.socket, server_side=True)
        result = call(folder, server.url.replace("http:", "https:"), what)
    refused(result, SOURCES[what], "its certificate is not trusted", "REQUESTS_CA_BUNDLE")


def _own_certificate(folder):
    key, cert = folder / "key.pem", folder / "cert.pem"
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert,
         "-days", "1", "-subj", "/CN=localhost"], capture_output=True, check=False,
    )  # fmt: skip
    assert made.returncode == 0
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context


def refused(result, *words):
    """One sentence on stderr after the plan, with these words, and the exit code of data."""
    assert result.exit_code == 3, result.output
    last = result.stderr.strip().splitlines()[-1]
    for word in words:
        assert word in last
    assert "Traceback" not in result.output
    assert len(last) < 400
