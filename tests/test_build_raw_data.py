"""The build scripts: names of places, the shipped data, a rebuild if packages are at hand."""

import importlib
import json
import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def script(name):
    """Import a module of the scripts folder."""
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.pop(0)


@pytest.mark.parametrize(
    ("name", "alternates", "country", "expected"),
    [
        ("Mashhad", ["سناباد", "مشهد", "مشہد", "مەشھەد"], "IRN", "مشهد"),
        ("Chabahar", ["بندر چابهار", "تشابهار", "چابہار", "چابهار"], "IRN", "چابهار"),
        ("Īrānshahr", ["ايرانشهر"], "IRN", "ایرانشهر"),
        ("Gwadar", ["جوادر", "گوادر"], "PAK", "گوادر"),
        ("Ar Rāshidīyah", ["الراشدية"], "ARE", ""),
        ("Dubai", ["دبي"], "ARE", ""),
        ("Golshahr", ["کنجدجان"], "IRN", ""),
        ("Sorkhrūd", ["سُرخرود"], "IRN", "سرخرود"),
        ("London", ["Londres", "Лондон"], "IRN", ""),
        ("Nowhere", [], "IRN", ""),
    ],
)
def test_the_persian_name_is_found_or_left_blank(name, alternates, country, expected):
    assert script("persian_names").persian_name(name, alternates, country) == expected


@pytest.mark.parametrize(
    ("alternates", "script", "expected"),
    [
        (["Quetta", "کوئٹہ"], "Arab", "کوئٹہ"),
        (["کوئٹہ", "كويتا"], "Arab", ""),
        (["Пекин", "北京"], "Hans", "北京"),
        (["北京"], "Latn", ""),
        (["Baden-Baden"], "Cyrl", ""),
    ],
)
def test_a_name_in_the_own_script_is_taken_where_there_is_one(alternates, script, expected):
    assert build_module().local_name(alternates, script) == expected


def build_module():
    return script("build_world_base")


def test_a_changed_package_is_refused(tmp_path):
    build = script("build_world_base")
    package = build.PACKAGES["world-atlas"]
    (tmp_path / package.archive).write_bytes(b"something else")
    with pytest.raises(SystemExit, match="expected " + package.sha256):
        build.fetch(package, tmp_path)


def test_the_shipped_data_are_a_cut_of_the_base_byte_for_byte(tmp_path):
    build = script("build_raw_data")
    build.build(tmp_path)
    names = sorted(p.name for p in tmp_path.iterdir())
    assert len(names) == 5
    for name in names:
        assert (tmp_path / name).read_bytes() == (build.RAW / name).read_bytes(), name


def test_a_rebuild_of_the_base_gives_the_shipped_files_byte_for_byte(tmp_path):
    build = script("build_world_base")
    folder = os.environ.get("BORDERRISK_RAW_PACKAGES")
    if not folder:
        pytest.skip("set BORDERRISK_RAW_PACKAGES to the folder given to --packages")
    missing = [
        p.archive for p in build.PACKAGES.values() if not (Path(folder) / p.archive).exists()
    ]
    if missing:
        pytest.skip(f"not in BORDERRISK_RAW_PACKAGES: {', '.join(missing)}")
    build.build(Path(folder), tmp_path)
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (build.BASE / path.name).read_bytes(), path.name


def test_the_example_of_the_base_is_the_shipped_one():
    build = script("build_world_base")
    for name, path in build.EXAMPLE.items():
        text = build.example_text(name, path)
        assert (build.BASE / name).read_text("utf-8") == text, name


@pytest.mark.parametrize(
    ("description", "folder"),
    [("raw_data_package", "data/raw"), ("world_base_package", "src/borderrisk/basedata")],
)
def test_the_description_is_the_template_plus_checksums(description, folder):
    template = json.loads((ROOT / "scripts" / f"{description}.json").read_text("utf-8"))
    shipped = json.loads((ROOT / folder / "datapackage.json").read_text("utf-8"))
    for resource in shipped["resources"]:
        assert resource.pop("hash").startswith("sha256:")
        assert resource.pop("bytes") > 0
    assert shipped == template
