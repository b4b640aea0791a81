import gzip
import os
import zipfile

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from borderrisk.errors import DataError, did_you_mean
from borderrisk.sources import files
from borderrisk.sources.files import existing
from borderrisk.sources.tables import read_header, read_text_table


@pytest.fixture
def write(tmp_path):
    def _write(content):
        path = tmp_path / "table.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return _write


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_ordinary_variants_read_alike(write, separator, bom, newline):
    text = newline.join([separator.join("ab"), separator.join("12"), separator.join("34"), ""])
    table = read_text_table(write(bom + text.encode()), "table")
    assert table.to_dict("list") == {"a": ["1", "3"], "b": ["2", "4"]}
    assert table.index.tolist() == [2, 3]


def test_cells_stay_text(write):
    table = read_text_table(write("a,b\nNA,007\nnull,\n1e3, x \n"), "table")
    assert table["a"].tolist() == ["NA", "null", "1e3"]
    assert table["b"].tolist() == ["007", "", "x"]


def test_quoted_newlines_and_separators_stay_in_their_cell(write):
    table = read_text_table(write('a,b\n"one,\ntwo",2\n3,4\n'), "table")
    assert table["a"].tolist() == ["one,\ntwo", "3"]


@pytest.mark.parametrize(
    ("name", "encoding"), [("مشهد", "cp1256"), ("Orléans", "cp1252"), ("São João", "cp1252")]
)
def test_another_encoding_is_guessed_and_said(write, name, encoding, caplog):
    path = write(b"a,b\nok,1\n" + f"{name},2\n".encode(encoding))
    assert read_text_table(path, "table")["a"].tolist() == ["ok", name]
    assert f"it is read as {encoding}" in caplog.text


def test_utf16_is_read(write):
    table = read_text_table(write("a,b\nمشهد,2\n".encode("utf-16")), "table")
    assert table["a"].tolist() == ["مشهد"]


def test_spreadsheets_and_archives_hold_the_same_table(tmp_path, write):
    frame = pd.DataFrame({"id": ["007", "8"], "n": [1, 2], "x": [31.25, -0.5]})
    frame["day"] = pd.to_datetime(["2013-05-01", "2014-02-03"])
    expected = {"id": ["007", "8"], "n": ["1", "2"], "x": ["31.25", "-0.5"]}
    text = frame.to_csv(index=False)
    pyogrio.write_dataframe(frame, tmp_path / "t.xlsx", driver="XLSX")
    frame.to_parquet(tmp_path / "t.parquet")
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.writestr("folder/t.csv", text)
        archive.writestr("readme.txt", "no table")
    for name in ("t.xlsx", "t.parquet", "t.csv.gz", "t.zip"):
        table = read_text_table(tmp_path / name, "table")
        assert table[list(expected)].to_dict("list") == expected, name
        assert table.index.tolist() == [2, 3]
        assert [day[:10].replace("/", "-") for day in table["day"]] == ["2013-05-01", "2014-02-03"]


def test_rows_of_blank_cells_are_no_rows(write):
    table = read_text_table(write("a,b\n,\n1,2\n , \n,,\n"), "table")
    assert table.to_dict("list") == {"a": ["1"], "b": ["2"]}
    assert table.index.tolist() == [3]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"%PDF-1.4\0\1", "an unknown binary format"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"<OGRVRTDataSource/>", "is OGRVRTDataSource, a format that is not"),
        (gzip.compress(b"a,b\n1,2\n", mtime=0)[:-9], "cannot be unpacked"),
        (b"PK\3\4 no archive", "cannot be unpacked"),
    ],
)
def test_other_formats_are_named(write, content, message):
    with pytest.raises(DataError, match=message):
        read_text_table(write(content), "table")


def test_an_archive_of_two_tables_asks_for_one(tmp_path):
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.writestr("a.csv", "a\n1\n")
        archive.writestr("b.csv", "a\n2\n")
    with pytest.raises(DataError, match=r"holds a\.csv, b\.csv"):
        read_text_table(tmp_path / "t.zip", "table")


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_UNPACKED_BYTES", 1000)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"a\n" + b"1\n" * 1000, mtime=0))
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in "ab":
            archive.writestr(f"{name}.csv", "a\n" + "1\n" * 300)
    for name in ("a.csv.gz", "a.zip"):
        with pytest.raises(DataError, match="unpacks to more than"):
            read_text_table(tmp_path / name, "table")


@pytest.mark.skipif(os.name == "nt", reason="no pipes in folders")
def test_a_pipe_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(DataError, match="device or pipe"):
        read_text_table(tmp_path / "pipe.csv", "table")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "empty"),
        ("\n\n", "first line of .* is blank"),
        ("a,b\n", "no rows"),
        ("a,a\n1,2\n", "two columns named a"),
        ("a,b\n1,2,3\n", "row 2 has 3 cells, the header 2"),
        ("a,b\n1,2\n1,2,3\n", "row 3 has 3 cells, the header 2"),
        ('a,b\n"1,2\n', "not a regular CSV"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:x\n", "git lfs pull"),
    ],
)
def test_broken_files_say_what_is_wrong(write, content, message):
    with pytest.raises(DataError, match=message):
        read_text_table(write(content), "table")


def test_surplus_separators_at_the_end_are_harmless(write):
    assert read_text_table(write("a,b\n1,2,,\n"), "table").to_dict("list") == {
        "a": ["1"],
        "b": ["2"],
    }


def test_blank_lines_keep_the_row_numbers_of_the_file(write):
    assert read_text_table(write("a,b\n\n1,2\n"), "table").index.tolist() == [3]


def test_short_rows_are_filled_with_blanks(write):
    assert read_text_table(write("a,b\n1\n2,3\n"), "table")["b"].tolist() == ["", "3"]


def test_only_wanted_columns_are_kept(write):
    table = read_text_table(write("a,b,c\n1,2,3\n"), "table", wanted={"c", "a"}.__contains__)
    assert table.to_dict("list") == {"a": ["1"], "c": ["3"]}


def test_a_file_without_header_gets_names(write):
    table = read_text_table(write("1,2\n3,4\n"), "table", names=["a", "b"])
    assert table["a"].tolist() == ["1", "3"]
    assert table.index.tolist() == [1, 2]


def test_a_folder_and_a_missing_file(tmp_path):
    with pytest.raises(DataError, match="is a folder"):
        existing(tmp_path, "table")
    with pytest.raises(DataError, match=r"Its folder .* does not exist"):
        existing(tmp_path / "no" / "table.csv", "table")


def test_a_header_may_have_unnamed_columns(write):
    assert read_header(write(",a\n0,1\n"), "table") == ["unnamed_1", "a"]


def test_hints():
    assert did_you_mean("KIND", ["kind", "date"]) == " Did you mean kind?"
    assert did_you_mean("zzz", ["kind", "date"]) == " There is: kind, date."


cells = st.text(st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=["Cs"]))


@given(st.lists(st.tuples(cells, cells), min_size=1, max_size=5))
def test_what_a_csv_writer_wrote_is_read_back(tmp_path_factory, rows):
    import csv

    path = tmp_path_factory.mktemp("csv") / "table.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerows([("a", "b"), *rows])
    rows = [row for row in rows if any(cell.strip() for cell in row)]
    if not rows:
        return
    table = read_text_table(path, "table")
    read = list(zip(table["a"], table["b"], strict=True))
    assert read == [(first.strip(), second.strip()) for first, second in rows]


def test_packed_tables_are_measured_before_they_are_read(tmp_path):
    """A column of one value packs a billion rows into some kilobytes."""
    group = pa.table({"date": pa.array(["2020-01-01"] * 1_000_000).dictionary_encode()})
    path = tmp_path / "i.parquet"
    with pq.ParquetWriter(path, group.schema) as writer:
        for _ in range(101):
            writer.write_table(group)
    assert path.stat().st_size < 500_000
    with pytest.raises(DataError, match="unpacks to more than"):
        read_text_table(path, "incidents")
    book = tmp_path / "i.xlsx"
    with zipfile.ZipFile(book, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", "")
        with archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet:
            for _ in range(1025):
                sheet.write(bytes(2**20))
    with pytest.raises(DataError, match="unpacks to more than"):
        read_text_table(book, "incidents")
