import hashlib
import json

import pytest

from borderrisk.errors import DataError
from borderrisk.pipeline.inputs import verify


@pytest.fixture
def package(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"x\n1\n")
    digest = hashlib.sha256(b"x\n1\n").hexdigest()
    resource = {
        "path": "a.csv",
        "title": "Letters",
        "version": "2",
        "attribution": "Nobody",
        "licenses": [{"name": "CC0-1.0", "title": "Public domain"}, {"name": "MIT"}],
        "hash": f"sha256:{digest}",
    }
    path = tmp_path / "datapackage.json"
    path.write_text(json.dumps({"resources": [resource]}))
    return path


def test_a_described_file_brings_its_credits(package):
    (info,) = verify(package, [package.parent / "a.csv"])
    assert (info.title, info.version, info.attribution) == ("Letters", "2", "Nobody")
    assert info.licence == "Public domain; MIT"
    assert info.bytes == 4
    assert info.sha256 == hashlib.sha256(b"x\n1\n").hexdigest()


def test_a_changed_file_is_refused_with_both_checksums(package):
    changed = package.parent / "a.csv"
    changed.write_bytes(b"x\n2\n")
    with pytest.raises(DataError) as error:
        verify(package, [changed])
    for text in (
        str(changed),
        hashlib.sha256(b"x\n1\n").hexdigest(),
        hashlib.sha256(b"x\n2\n").hexdigest(),
    ):
        assert text in str(error.value)


def test_a_path_written_another_way_is_the_same_file(package):
    (package.parent / "sub").mkdir()
    (info,) = verify(package, [package.parent / "sub" / ".." / "a.csv"])
    assert info.title == "Letters"


@pytest.mark.parametrize("described", [True, False])
def test_a_file_of_the_user_is_taken_as_it_is(package, described):
    own = package.parent / "own.csv"
    own.write_bytes(b"")
    own.write_bytes(b"mine")
    (info,) = verify(package if described else None, [own])
    assert (info.title, info.licence) == ("own.csv", "")
    assert info.sha256 == hashlib.sha256(b"mine").hexdigest()


def test_a_missing_file_is_named_with_its_neighbour(package):
    with pytest.raises(DataError, match=r"aa\.csv does not exist\. Did you mean a\.csv\?"):
        verify(package, [package.parent / "aa.csv"])


@pytest.mark.parametrize("text", ["{", "[]", '{"resources": [{}]}', "{}"])
def test_something_else_is_no_data_package(tmp_path, text):
    path = tmp_path / "datapackage.json"
    path.write_text(text)
    with pytest.raises(DataError, match="not a Frictionless data package"):
        verify(path, [path])
