"""Numbers, degrees and the account of rejected rows."""

import pandas as pd
import pytest

from borderrisk.sources.rowchecks import Rejections, degrees, numbers


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("31.25", 31.25),
        ("31,25", 31.25),
        ("۳۱٫۲۵", 31.25),
        ("-7", -7),
        ("1,500", None),
        ("", None),
        ("inf", None),
        ("about 5", None),
    ],
)
def test_numbers(text, value):
    (read,) = numbers(pd.Series([text]))
    assert read == value if value is not None else pd.isna(read)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("59,733", 59.733),
        ("31°12'36\"N", 31.21),
        ("31° 12.6' S", -31.21),
        ("59°30′W", -59.5),
        ("N 31 12 36", 31.21),
        ("31-12-36 n", 31.21),
        ("W059.5°", -59.5),
        ("31 12 36 S", -31.21),
        ("-31°12'36\"", -31.21),
        ("31 12 36", None),
        ("N 31 12 36 S", None),
        ("31°72'N", None),
        ("31 north", None),
        ("", None),
    ],
)
def test_degrees(text, value):
    (read,) = degrees(pd.Series([text]))
    assert read == pytest.approx(value) if value is not None else pd.isna(read)


def test_a_row_is_counted_once_under_its_first_reason():
    rejections = Rejections()
    rejections.add([4, 2], "late", ["x", "y"])
    rejections.add([2, 3], "far")
    assert rejections.counts() == {"late": 2, "far": 1}
    frame = rejections.frame(pd.Series({2: "b", 3: "c", 4: "d"}))
    assert frame["row"].tolist() == [2, 3, 4]
    assert frame["reason"].tolist() == ["late: y", "far", "late: x"]
