from pathlib import Path

import pytest

from borderrisk.config import load_config
from borderrisk.pipeline import run as jobs

CONFIGS = Path(__file__).parents[2] / "configs"
SMALL = {
    "grid.cell_size_m": "40000",
    "corridors.routes": "4",
    "features.concealment.enabled": "false",
    "outputs.figures": "[png, svg]",
}


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """Give the shipped config on 40 km cells, with a cache and results of its own."""
    place = tmp_path_factory.mktemp("small")

    def load(**overrides):
        own = {"compute.cache": str(place / "cache"), "outputs.folder": str(place / "runs")}
        return load_config(CONFIGS / "eastern-border.yaml", SMALL | own | overrides)

    return load


@pytest.fixture(scope="session")
def finished(small):
    """One run of it without evaluation."""
    return jobs.run(small(), evaluate=False, replicates=4)
