from pathlib import Path

import pytest

from borderrisk.config import load_config
from borderrisk.model import uncertainty
from borderrisk.outputs import report
from borderrisk.pipeline import run as jobs

CONFIGS = Path(__file__).parents[2] / "configs"
SMALL = {
    "grid.cell_size_m": "40000",
    "corridors.routes": "4",
    "features.concealment.enabled": "false",
    "outputs.figures": "[]",
    "outputs.focus": "[]",
    "uncertainty.replicates": "4",
}


@pytest.fixture(scope="module", autouse=True)
def quick():
    """Let reports draw no figures but those a run was asked for, and rehearse intervals briefly."""
    plan = report.plan
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report, "plan", lambda scene: dict.fromkeys(plan(scene), lambda: None))
        patch.setattr(uncertainty, "SHORT", 2)
        patch.setattr(uncertainty, "LONG", 4)
        yield


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """Give the shipped config on 40 km cells, with a cache and results of its own."""
    place = tmp_path_factory.mktemp("small")

    def load(**overrides):
        own = {"compute.cache": str(place / "cache"), "outputs.folder": str(place / "runs")}
        if "model.estimator" not in overrides:
            own["model.parameters"] = "{n_estimators: 20}"
        return load_config(CONFIGS / "eastern-border.yaml", SMALL | own | overrides)

    return load


@pytest.fixture(scope="session")
def finished(small):
    """One run of it without evaluation, with figures and windows."""
    shown = {"outputs.figures": "[png, svg]", "outputs.focus": "[mashhad, sistan-baluchestan]"}
    drawn = small(**shown)
    return jobs.run(drawn, evaluate=False, replicates=4)
