"""A command that is told to stop says so, whoever tells it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import borderrisk

SOURCE = str(Path(borderrisk.__file__).parents[1])
WAITING = """
import sys, time
import click
from borderrisk.cli.app import app
from borderrisk.runs.folder import RunFolder

@app.command()
def wait():
    with RunFolder(sys.argv[2]) as folder:
        (folder.path / "half.txt").write_text("half")
        print("inside", flush=True)
        time.sleep(60)

app(["wait"])
"""


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_every_signal_to_stop_says_as_much(tmp_path, number, code):
    child = subprocess.Popen(
        [sys.executable, "-c", WAITING, "-", str(tmp_path / "runs" / "a")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": SOURCE},
    )  # fmt: skip
    assert child.stdout.readline() == "inside\n"
    child.send_signal(number)
    _, said = child.communicate(timeout=30)
    assert child.returncode == code
    assert said.strip().endswith("interrupted; nothing unfinished was kept")
    assert list(tmp_path.iterdir()) == []
