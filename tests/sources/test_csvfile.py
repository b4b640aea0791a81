import pytest
from hypothesis import given
from hypothesis import strategies as st

from borderrisk.errors import DataError
from borderrisk.sources.csvfile import read_header, read_text_table
from borderrisk.sources.files import did_you_mean, existing


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


def test_a_wrong_encoding_is_located(write):
    path = write(b"a,b\nok,1\n" + "مشهد,2\n".encode("cp1256"))
    with pytest.raises(DataError, match=r"byte 9 \(line 3\).*CSV UTF-8"):
        read_text_table(path, "table")


def test_a_wrong_encoding_far_into_a_long_file_is_located(write):
    start = b"a,b\n" + b"1,2\n" * 200_000
    with pytest.raises(DataError, match=rf"byte {len(start) + 1} \(line 200002\)"):
        read_text_table(write(start + b"x\xe9,2\n"), "table")


def test_utf16_is_recognised(write):
    with pytest.raises(DataError, match="UTF-16"):
        read_text_table(write("a,b\n1,2\n".encode("utf-16")), "table")


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
    table = read_text_table(path, "table")
    read = list(zip(table["a"], table["b"], strict=True))
    assert read == [(first.strip(), second.strip()) for first, second in rows]
