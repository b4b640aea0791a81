"""Whatever a service does: the whole file in the end, or one sentence that names it."""

import io
import json
import random
import threading
import zipfile

import pytest
from tests.fetching.loopback import serving

from borderrisk.errors import DataError, OutputError
from borderrisk.runs.folder import alone
from borderrisk.sources import downloads
from borderrisk.sources.downloads import Remote, Store


def _archive():
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("rows.csv", random.Random(1).randbytes(40_000).hex())
    return packed.getvalue()


ZIP = _archive()
ANSWER = json.dumps({"elements": [{"type": "node", "id": 1}] * 50}).encode()
FILES = {
    "example.org/ged.zip": ZIP,
    "example.org/rows.csv": b"a,b\n" + b"1,2\n" * 5000,
    "overpass-api.de/api/interpreter/posts.json": ANSWER,
}
ARCHIVE = Remote("https://example.org/ged.zip", "Example", "zip", md5_etag=True)
ROWS = Remote("https://example.org/rows.csv", "Example", "text")
POSTS = Remote(
    "https://overpass-api.de/api/interpreter?data=x", "Overpass", "overpass", "posts.json"
)


@pytest.fixture
def server():
    with serving(lambda name, _query, _headers: FILES.get(name)) as started:
        yield started


@pytest.fixture
def get(server, tmp_path):
    """Fetch a remote while its service errs in some ways, one a request."""

    def fetched(*faults, remote=ARCHIVE):
        server.faults[remote.name] = list(faults)
        return Store(tmp_path, server.url).get(remote)

    return fetched


def asked(server):
    return [headers for method, _, headers, *_ in server.asked if method == "GET"]


def refused(tmp_path, remote, get, *faults):
    """The sentence of the error; nothing has the file's name, and no half is kept as if whole."""
    with pytest.raises(DataError) as error:
        get(*faults, remote=remote)
    assert not (tmp_path / remote.name).exists()
    assert remote.source in str(error.value)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    "faults",
    [
        ["status:429"], ["status:429:0"], ["status:503"], ["status:503:1"], ["status:500"] * 2,
        ["status:503:Wed, 21 Oct 2015 07:28:00 GMT"], ["too-long"], ["too-short"],
        ["cut:5", "other-range"], ["cut:5", "other-file"], ["cut:5", "status:429", "reset"],
        ["weak-cut"], ["gzip"], ["gzip-cut"], ["stall"], ["trickle"], ["reset"], ["damaged"],
        ["cut:5", "no range"], ["cut:5", "too-long"], ["reset", "stall", "cut:9"],
    ],
)  # fmt: skip
def test_the_file_is_right_in_the_end(get, faults):
    assert get(*faults).read_bytes() == ZIP


@pytest.mark.parametrize("tenths", range(10))
def test_a_file_cut_at_any_tenth_is_gone_on_with(get, server, tenths):
    assert get(f"cut:{tenths}").read_bytes() == ZIP
    first, *others = asked(server)
    assert "Range" not in first
    have = len(ZIP) * tenths // 10
    assert others[0].get("Range") == (f"bytes={have}-" if have else None)
    assert others[0].get("If-Range") == (others[0].get("If-Range") if have else None)


def test_a_line_that_breaks_every_tenth_still_brings_the_file(get, server):
    assert get(*["cut:1"] * 9).read_bytes() == ZIP
    assert len(server.asked) == 10


@pytest.mark.parametrize("fault", ["other-range", "other-file"])
def test_the_rest_of_something_else_is_not_put_behind(get, fault):
    # No checksum would tell: a table that ends with a whole line.
    assert get("cut:5", fault, remote=ROWS).read_bytes() == FILES[ROWS.name]


def test_a_file_that_was_whole_is_not_brought_twice(get, server):
    assert get("too-long").read_bytes() == ZIP
    assert asked(server)[1]["Range"] == f"bytes={len(ZIP)}-"
    assert len(server.asked) == 2


@pytest.mark.parametrize("form", [ROWS, POSTS])
def test_other_forms_are_brought_too(get, form):
    assert get("too-short", "reset", remote=form).read_bytes() == FILES[form.name]


def test_a_partial_answer_is_asked_again(get):
    assert get("remark", remote=POSTS).read_bytes() == ANSWER


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("status:429!", "429"), ("status:503!", "503"), ("status:401!", "account"),
        ("status:403!", "refuses this address"), ("status:406!", "BORDERRISK_USER_AGENT"),
        ("status:404!", "no longer there"), ("status:418!", "418"),
        ("status:503:7200", "120 minutes"), ("page!", "web page"), ("pointer!", "Git LFS"),
        ("report!", "no such layer"), ("loop!", "circle"), ("too-short!", "checksum"),
        ("damaged!", "damaged or cut"), ("stall!", "4 times"), ("weak-cut!", "breaks off"),
        ("other-tag!", "checksum"), ("trickle!", "stalls"),
    ],
)  # fmt: skip
def test_what_cannot_be_had_is_said_in_one_sentence(get, tmp_path, fault, words):
    assert words in refused(tmp_path, ARCHIVE, get, fault)


def test_an_answer_that_stays_partial_is_refused(get, tmp_path):
    assert "Query timed out" in refused(tmp_path, POSTS, get, "remark!")


@pytest.mark.parametrize("fault", ["page!", "pointer!", "loop!", "status:403!", "status:404!"])
def test_what_another_try_cannot_mend_is_asked_for_once(get, server, tmp_path, fault):
    refused(tmp_path, ARCHIVE, get, fault)
    assert len(server.asked) == (9 if fault == "loop!" else 1)


def test_waits_grow_and_heed_the_service(get, monkeypatch):
    waits = []
    monkeypatch.setattr(downloads, "sleep", waits.append)
    monkeypatch.setattr(downloads.random, "uniform", lambda *_: 1)
    get("status:503", "status:503", "status:429:7")
    assert waits == [2, 4, 7]


def test_the_checksum_of_the_service_counts(get, server):
    # An archive in order, but another one than the service says.
    assert get("other-tag").read_bytes() == ZIP
    assert len(server.asked) == 2


def test_an_unchanged_file_is_not_sent_again(get, server):
    get()
    assert get().read_bytes() == ZIP
    assert asked(server)[1]["If-None-Match"].strip('"')
    assert len(server.asked) == 2


def test_a_new_version_replaces_the_old_one(get, server):
    get(remote=ROWS)
    server.content = lambda *_: b"a,b\n3,4\n"
    assert get(remote=ROWS).read_bytes() == b"a,b\n3,4\n"


def test_a_version_that_changes_midway_starts_over(get, server, tmp_path):
    answers = iter([ZIP[:-1] + b"x"])
    server.content = lambda *_: next(answers, ZIP)
    assert get("cut:5").read_bytes() == ZIP
    assert asked(server)[1]["Range"]


def test_an_interrupted_download_goes_on(get, server, tmp_path, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(downloads, "sleep", stop)
        with pytest.raises(KeyboardInterrupt):
            get("cut:6")
    assert not (tmp_path / ARCHIVE.name).exists()
    assert get().read_bytes() == ZIP
    assert asked(server)[-1]["Range"] == f"bytes={len(ZIP) * 6 // 10}-"
    assert {path.name for path in (tmp_path / "example.org").iterdir()} == {
        "ged.zip", ".ged.zip.note"
    }  # fmt: skip


def test_two_fetches_of_a_folder_do_not_mix(tmp_path):
    def second():
        with pytest.raises(OutputError, match="another fetch"), alone(tmp_path, "fetch"):
            pass

    with alone(tmp_path, "fetch"):
        other = threading.Thread(target=second)
        other.start()
        other.join()
    with alone(tmp_path, "fetch"):
        pass


def test_a_full_disk_is_said_first(get, tmp_path, monkeypatch):
    monkeypatch.setattr(downloads.shutil, "disk_usage", lambda _: type("U", (), {"free": 10**7}))
    with pytest.raises(OutputError, match="make some"):
        get()
    assert not list(tmp_path.rglob("*.part"))


def test_a_dead_service_is_named(tmp_path):
    store = Store(tmp_path, "http://127.0.0.1:9")
    with pytest.raises(DataError, match=r"Example: https://example.org.*refused.*4 times"):
        store.get(ARCHIVE)


def test_credentials_do_not_go_to_another_host(server, tmp_path):
    secret = Remote(
        "https://example.org/moved", "Example", "zip", headers={"Authorization": "Bearer s"}
    )
    elsewhere = server.url.replace("127.0.0.1", "localhost") + "/example.org/ged.zip"
    server.content = lambda name, *_: elsewhere if name.endswith("moved") else ZIP
    Store(tmp_path, server.url).get(secret)
    first, second = asked(server)
    assert first["Authorization"] == "Bearer s"
    assert "Authorization" not in second


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "https://a.org/x/../../../etc/passwd", "ftp://a.org/x", "x.zip"]
)
def test_only_addresses_of_the_web_are_read(tmp_path, url):
    with pytest.raises(DataError, match="no address that is read"):
        Store(tmp_path).get(Remote(url, "Example", "zip"))


def test_a_mirror_is_read_and_its_gaps_are_named(get, server, tmp_path):
    get()
    offline = Store(tmp_path / "new", str(tmp_path))
    assert offline.get(ARCHIVE) == tmp_path / ARCHIVE.name
    with pytest.raises(DataError, match=r"rows.csv is not in the mirror.*--export"):
        offline.get(ROWS)
    (tmp_path / ARCHIVE.name).write_bytes(ZIP[:500])
    with pytest.raises(DataError, match="export it again"):
        offline.get(ARCHIVE)
    assert len(server.asked) == 1
