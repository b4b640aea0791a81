"""One module speaks to a network, and one command asks it to."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import borderrisk

ROOT = Path(borderrisk.__file__).parent
CLIENTS = {
    "requests", "urllib3", "http", "socket", "ssl", "ftplib", "smtplib", "aiohttp", "httpx",
    "fsspec", "urllib.request",
}  # fmt: skip


def imported(path):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def importers(names):
    def reaches(path):
        return any(name in names or name.split(".")[0] in names for name in imported(path))

    return {path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.py") if reaches(path)}


def test_one_module_has_a_client():
    assert importers(CLIENTS) == {"sources/downloads.py"}


def test_one_module_gives_gdal_an_address():
    found = {path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.py")
             if "vsicurl" in path.read_text("utf-8")}  # fmt: skip
    assert found == {"sources/downloads.py"}


def test_only_fetch_reaches_it():
    reach, new = {"borderrisk.sources.downloads"}, {"borderrisk.sources.downloads"}
    while new:
        files = importers(new)
        new = {f"borderrisk.{f.removesuffix('.py').replace('/', '.')}" for f in files} - reach
        reach |= new
    assert {name.removeprefix("borderrisk.") for name in reach} == {
        "sources.downloads", "sources.cutting", "sources.upstreams",
        "pipeline.fetching", "cli.start_commands", "cli.app", "cli.__init__",
    }  # fmt: skip


@pytest.mark.parametrize("call", ["['--help']", "['fetch', '--help']", "['init', '--help']"])
def test_help_imports_no_client(call):
    code = (
        "import sys\nfrom click.testing import CliRunner\nfrom borderrisk.cli.app import app\n"
        f"assert CliRunner().invoke(app, {call}).exit_code == 0\n"
        "sys.exit(len({'requests', 'urllib3', 'rasterio'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
