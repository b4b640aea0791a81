"""Fetches that are killed, kept out or without a network, or meet a folder that is not right."""

import json
import os
import resource
import signal
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner
from tests.fetching.test_faults import files_in

from borderrisk.cli.app import app

FETCH = "import sys; from borderrisk.cli import main; sys.argv[0] = 'borderrisk'; main()"


def started(folder, *more, before=(), **how):
    """A process of its own that fetches."""
    command = [*before, sys.executable, "-c", FETCH, "fetch", str(folder), *map(str, more)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "COLUMNS": "1000"}, **how,
    )  # fmt: skip


def ended(process):
    """Exit code and the last line on stderr."""
    _, said = process.communicate(timeout=120)
    assert "Traceback" not in said
    return process.returncode, (said.strip().splitlines() or [""])[-1]


def call(folder, *more):
    """Exit code and the last line on stderr of a fetch in this process."""
    result = CliRunner().invoke(app, ["fetch", str(folder), *map(str, more)])
    assert "Traceback" not in result.output
    return result.exit_code, (result.stderr.strip().splitlines() or [""])[-1]


@pytest.fixture
def half(folder, server):
    """A process that waits for the second half of the archive of incidents."""
    server.faults["ged261"] = ["stall"]
    process = started(folder, "--what", "incidents", "--mirror", server.url)
    part = folder / "data" / ".fetch" / "ucdp.uu.se" / "downloads" / "ged261-csv.zip.part"
    for _ in range(600):
        if part.is_file() and part.stat().st_size:
            break
        time.sleep(0.05)
    yield process, part
    process.kill()
    process.wait()


@pytest.mark.parametrize(
    ("how", "code", "says"), [(signal.SIGINT, 130, "what came is kept"), (signal.SIGKILL, -9, "")]
)
def test_only_the_rest_is_asked_for_after_a_kill(folder, server, half, how, code, says):
    process, part = half
    have = part.stat().st_size
    process.send_signal(how)
    found, said = ended(process)
    assert (found, says in said) == (code, True)
    before = len(server.asked)
    assert not (folder / "data" / "fetched").exists()
    assert call(folder, "--what", "incidents", "--mirror", server.url)[0] == 0
    asked = [(name, its.get("Range")) for _, name, its, *_ in server.asked[before:]]
    assert [its for name, its in asked if "ged261" in name] == [f"bytes={have}-"]
    table = (folder / "data" / "fetched" / "ucdp_ged.csv").read_text("utf-8")
    assert len([line for line in table.splitlines() if line.startswith(("1,", "9,"))]) == 2
    assert not part.exists()


def test_a_second_fetch_is_kept_out(folder, server, half):
    code, said = call(folder, "--what", "posts", "--mirror", server.url)
    assert (code, "another fetch is at work here" in said) == (1, True)


@pytest.mark.slow
def test_a_mirror_serves_a_machine_without_network(folder, server, tmp_path):
    cut_off = ["unshare", "-rn"]
    if subprocess.run([*cut_off, "true"], capture_output=True, check=False).returncode:
        pytest.skip("unshare cannot take the network away here")
    mirror, what = tmp_path / "mirror", "incidents,elevation,roads,settlements"
    assert call(folder, "--what", what, "--mirror", server.url, "--export", mirror)[0] == 0
    assert not (folder / "data" / "fetched").exists()
    offline = ("--what", what, "--mirror", mirror)
    assert ended(started(folder, *offline, before=cut_off))[0] == 0
    came = files_in(folder / "data" / "fetched")
    assert {path.stem for path in came} == {"ucdp_ged", "elevation", "roads", "settlements"}
    (mirror / "ucdp.uu.se" / "downloads" / "ged261-csv.zip").unlink()
    code, said = call(folder, *offline)
    assert (code, "ged261-csv.zip is not in the mirror" in said) == (3, True)


def test_links_in_a_mirror_are_read_and_dead_ones_named(folder, server, tmp_path):
    mirror = tmp_path / "mirror"
    what = ("--what", "posts")
    assert call(folder, *what, "--mirror", server.url, "--export", mirror)[0] == 0
    answer = next(path for path in mirror.rglob("posts_*.json"))
    answer.rename(tmp_path / "elsewhere.json")
    answer.symlink_to(tmp_path / "elsewhere.json")
    assert call(folder, *what, "--mirror", mirror)[0] == 0
    (tmp_path / "elsewhere.json").unlink()
    code, said = call(folder, *what, "--mirror", mirror)
    assert (code, "is not in the mirror" in said) == (3, True)


@pytest.mark.parametrize("place", ["data/.fetch", "data/fetched", "data/.fetch/overpass-api.de"])
def test_nothing_is_written_through_a_link(folder, server, tmp_path, place):
    victim = tmp_path / "victim"
    victim.mkdir()
    (folder / place).parent.mkdir(exist_ok=True)
    (folder / place).symlink_to(victim)
    code, said = call(folder, "--what", "posts", "--mirror", server.url)
    assert (code, "is a link, which is not written through" in said) == (1, True)
    assert not any(victim.iterdir())
    assert server.asked == []


def test_a_disk_without_room_is_said_and_the_fetch_goes_on_later(folder, server):
    before = files_in(folder)

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    small = started(folder, "--what", "posts,elevation", "--mirror", server.url, preexec_fn=limit)
    code, said = ended(small)
    assert (code, "cannot be written (File too large)" in said) == (1, True), said
    assert files_in(folder) == before
    assert call(folder, "--what", "posts,elevation", "--mirror", server.url)[0] == 0


def test_a_folder_that_cannot_be_written(folder, server):
    (folder / "data" / ".fetch").write_text("not a folder")
    code, said = call(folder, "--what", "posts", "--mirror", server.url)
    assert code == 1
    assert str(folder / "data" / ".fetch") in said


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"resources": 5}', '{"resources": [{"name": "x"}]}', '{"name": "x"}',
             '{"resources": [{"path": 5, "licenses": 3}]}'],
)  # fmt: skip
def test_a_datapackage_mended_by_hand_and_wrongly(folder, server, text):
    package = folder / "data" / "datapackage.json"
    package.write_text(text, "utf-8")
    code, said = call(folder, "--what", "posts", "--mirror", server.url)
    assert (code, said.startswith("data package: ")) == (3, True)
    assert package.read_text("utf-8") == text
    assert server.asked == []


def test_a_datapackage_keeps_what_its_user_wrote(folder, server):
    package = folder / "data" / "datapackage.json"
    document = json.loads(package.read_text("utf-8"))
    document["contributors"] = [{"title": "Me"}]
    document["resources"].append({"path": "../notes.csv", "title": "Notes", "mine": [1]})
    package.write_text(json.dumps(document), "utf-8")
    assert call(folder, "--what", "posts", "--mirror", server.url)[0] == 0
    after = json.loads(package.read_text("utf-8"))
    assert after["contributors"] == [{"title": "Me"}]
    assert {"path": "../notes.csv", "title": "Notes", "mine": [1]} in after["resources"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name: x\n", "data: required key is missing"),
        ("", "config"),
        ("- a\n", "config"),
        ("data: 5\n", "data"),
    ],
)
def test_a_config_that_is_none(folder, server, text, says):
    path = folder / "config.yaml"
    path.write_text(text, "utf-8")
    code, said = call(folder, "--what", "posts", "--mirror", server.url)
    assert (code, says in said) == (2, True), said
    assert path.read_text("utf-8") == text
    assert server.asked == []
