"""Cut the shipped data in ``data/raw`` (all but the incidents) from the world base.

The base itself is made by ``build_world_base.py``. Files come out the same byte for byte.

Run ``python scripts/build_raw_data.py``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path

import pandas as pd

from borderrisk.sources import worldbase

RAW = Path(__file__).resolve().parents[1] / "data" / "raw"
DESCRIPTION = Path(__file__).with_name("raw_data_package.json")
REGION = (52, 22, 69, 41)
MARGIN_DEG = 2
HOME = "IRN"


def main() -> None:
    """Parse the arguments and build."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=RAW, help="folder to write to")
    build(parser.parse_args().out)


def build(out: Path) -> None:
    """Write every file but the incidents to ``out``, then the description of all of them."""
    out.mkdir(parents=True, exist_ok=True)
    west, south, east, north = REGION
    around = (west - MARGIN_DEG, south - MARGIN_DEG, east + MARGIN_DEG, north + MARGIN_DEG)
    worldbase.cut(out, HOME, REGION, around, title="")
    places = out / worldbase.CUT["settlements"]
    table = pd.read_csv(places, dtype=str, keep_default_na=False).drop(columns="name_local")
    table.to_csv(places, index=False, lineterminator="\n")
    write_description(out)


def write_description(out: Path) -> None:
    """Write ``datapackage.json``: the texts kept beside this script, plus checksums and sizes."""
    package = json.loads(DESCRIPTION.read_text("utf-8"))
    for resource in package["resources"]:
        path = out / resource["path"]
        content = (path if path.exists() else RAW / resource["path"]).read_bytes()
        resource["bytes"] = len(content)
        resource["hash"] = f"sha256:{hashlib.sha256(content).hexdigest()}"
    text = json.dumps(package, ensure_ascii=False, indent=2) + "\n"
    (out / "datapackage.json").write_text(text, "utf-8")


if __name__ == "__main__":
    main()
