"""What the steps are called, in the table and where targets look for them; borders of studies."""

from __future__ import annotations

from pathlib import Path

DECODE, OURS = "decode only, 2 threads", "terrain pass, 2 threads"
XRSPATIAL, RASTERSTATS = "xarray-spatial + exactextract", "xarray-spatial + rasterstats"
FIRST, RUN = "whole run, first on a fresh clone", "whole run, warm"
LOOK, SHIPPED = "shipped run, first look, nothing kept", "shipped run, nothing kept"
INTERVALS = "intervals of the shipped run"
SCALE = "fit and 8 replicates, 10,000 cells"

_ROOT = Path(__file__).parents[1]
_CONFIGS = _ROOT / "benchmarks" / "borders" / "configs"
_YEARS = {"evaluation.first_origin": "2016-01-01", "evaluation.last_origin": "2020-01-01"}
# Borders that skill is shown on: title, config, and what is set besides.
BORDERS: dict[str, tuple[Path, dict[str, str]]] = {
    "Shipped border": (_ROOT / "configs" / "eastern-border.yaml", {}),
    "Pakistan with Afghanistan": (_CONFIGS / "pak-afg.yaml", _YEARS),
    "Nigeria with Cameroon, Niger and Chad": (_CONFIGS / "nga-lake.yaml", _YEARS),
    # Its record has no incident after September 2020.
    "Colombia with Venezuela and Ecuador": (
        _CONFIGS / "col-ven.yaml", {**_YEARS, "evaluation.last_origin": "2019-01-01"},
    ),
}  # fmt: skip
