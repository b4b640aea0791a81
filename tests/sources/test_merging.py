import geopandas as gpd
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from borderrisk.pipeline.cycle import COLUMNS as PLAIN
from borderrisk.pipeline.cycle import merge, plain_table
from borderrisk.sources.incidents import COLUMNS, read_incidents


def table(*rows):
    """Plain rows of ``(id, date, place)``; all else is the same."""
    frame = pd.DataFrame(rows, columns=["incident_id", "date", "place"])
    rest = dict.fromkeys(PLAIN, "") | {"latitude": "31", "longitude": "60", "radius_km": "5"}
    return pd.DataFrame({name: frame.get(name, rest[name]) for name in PLAIN})


def test_a_later_row_wins_and_what_it_changed_is_kept():
    known = table(("a", "2024-01-01", "Khash"), ("b", "2024-02-01", "Zabol"))
    later = table(("b", "2024-02-03", ""), ("c", "2024-01-15", "Saravan"))
    found = merge(known, later)
    assert found.new == ["c"]
    assert found.corrected.to_numpy().tolist() == [["b", "date", "2024-02-01", "2024-02-03"]]
    rows = found.table[["incident_id", "date", "place"]].to_numpy().tolist()
    assert rows == [["a", "2024-01-01", "Khash"], ["c", "2024-01-15", "Saravan"],
                    ["b", "2024-02-03", "Zabol"]]  # fmt: skip


ROWS = st.lists(
    st.tuples(
        st.sampled_from("abcdef"), st.sampled_from(["2024-01-01", "2024-05-05"]),
        st.sampled_from(["", "Khash", "Zabol"]),
    ), unique_by=lambda row: row[0], min_size=1,
)  # fmt: skip


@given(ROWS, ROWS)
def test_merging_again_brings_nothing(known, later):
    once = merge(table(*known), table(*later))
    again = merge(once.table, table(*later))
    assert not again.changed
    pd.testing.assert_frame_equal(again.table, once.table)
    ids = {row[0] for row in [*known, *later]}
    assert set(once.table["incident_id"]) == ids


def test_a_merged_table_reads_back_as_what_it_was_made_from(tmp_path):
    """Dates known to the month or week keep their days and precision, radii their kilometres."""
    (tmp_path / "mine.csv").write_text(
        "incident_id,date,date_precision,latitude,longitude,radius_km,kind,place\n"
        "a,2013-05,,31.5,60.25,12.5,raid,Khash\n"
        "b,2014-03-09,week,31,61,3,raid,=Zabol\n"
        "c,2015,year,32,61,40,raid,\n"
    )
    first = read_incidents(tmp_path / "mine.csv", "table").incidents
    plain = plain_table(first)
    plain.to_csv(tmp_path / "plain.csv", index=False)
    second = read_incidents(tmp_path / "plain.csv", "table").incidents
    columns = [name for name in COLUMNS if name != "geometry"]
    pd.testing.assert_frame_equal(pd.DataFrame(first)[columns], pd.DataFrame(second)[columns])
    assert isinstance(second, gpd.GeoDataFrame)
    assert second.geometry.geom_equals_exact(first.geometry, 1e-6).all()


def test_rows_without_ids_are_known_by_their_content(tmp_path):
    text = "date,latitude,longitude,radius_km\n2024-01-01,31,60,5\n2024-01-02,31,60,5\n"
    (tmp_path / "a.csv").write_text(text)
    (tmp_path / "b.csv").write_text(text.replace("2024-01-01", "2024-03-01"))
    a, b = (
        plain_table(read_incidents(tmp_path / f, "table").incidents) for f in ("a.csv", "b.csv")
    )
    found = merge(a, b)
    assert len(found.new) == 1 and found.corrected.empty and len(found.table) == 3
