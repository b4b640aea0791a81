"""The stages of a run: what each reads, and which layer does its work."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import xarray as xr
from scipy.sparse import csr_matrix, load_npz, save_npz

from borderrisk.border.corridors import find_corridors, random_routes
from borderrisk.border.segments import (
    Border,
    Named,
    attribute_cells,
    attribute_nearest,
    cut_border,
    route_crossings,
)
from borderrisk.config.whole import mapped_focus
from borderrisk.errors import DataError
from borderrisk.evaluation.scorecard import Scorecard
from borderrisk.features import catalogue, proximity
from borderrisk.features.concealment import concealment_features
from borderrisk.features.terrain import terrain_features
from borderrisk.features.travel import travel_features
from borderrisk.grid import Grid
from borderrisk.model import drivers, trust
from borderrisk.model.cells import CellTable
from borderrisk.model.modelfile import ModelFile, cell_stats, load_model, save_model
from borderrisk.model.panel import Panel
from borderrisk.model.registry import settings
from borderrisk.model.uncertainty import (
    Intervals,
    bootstrap_intervals,
    load_intervals,
    save_intervals,
)
from borderrisk.outputs.gridfiles import keep_grid, kept_grid
from borderrisk.pipeline import evaluating
from borderrisk.pipeline.inputs import Study, lay_area
from borderrisk.pipeline.movement import Ground
from borderrisk.pipeline.stages import Given, Keep, stage
from borderrisk.sources.incidents import IncidentTable, rows_left_out

# Says how well a cell is known, or is the same all over the study area: nothing to learn from.
_NOT_PREDICTORS = {"terrain_valid_share", "border_side"}
_LAYERS = ("corridors", "routes")
MODEL = "model.skops"
# What a run is made with where there is nothing to learn from.
INDEX = "expert_weights"
_NO_PAST = (
    "data.incidents: none of the incidents lies in the study area and halo{}; check their places, "
    "the filters of data.incidents and train, or leave data.incidents out for an index."
)
_WORTH_PROCESSES = 50


@stage(layer="sources", config=["study_area", "grid"], files=["borders", "countries"])
def area(given: Given) -> Study:
    """Lay the study area and its grid; find the land around."""
    return lay_area(given.config, given.files)


@stage(layer="border", files=["zones", "crossings"], after=[area])
def named(given: Given) -> Named:
    """Find which zone each cell is of, and the crossings of the border."""
    study, files = given[area], given.files
    return Named.of(study.grid, study.lines.values(), files.zones, files.crossings)


@stage(
    layer="features",
    config=["features.travel"],
    files=["elevation", "settlements", "posts", "roads", "water", "barriers", "land_cover"],
    after=[area],
)
def ground(given: Given) -> Ground:
    """Offer the fine terrain and the travel over it; large, and made only if asked for."""
    return Ground(given.config, given.files, given[area], given.work.workers)


def _keep_dataset(name: str) -> Keep[xr.Dataset]:
    return Keep(
        lambda ds, folder: keep_grid(ds, folder / name),
        lambda folder: kept_grid(folder / name),
    )


@stage(
    layer="features",
    config=[
        "features.terrain", "features.proximity", "features.travel.enabled",
        "features.concealment", "features.columns",
    ],
    files=["elevation", "settlements", "posts", "population", "table"],
    after=[area, named, ground],
    keep=_keep_dataset("features.nc"),
)  # fmt: skip
def features(given: Given) -> xr.Dataset:
    """Compute every feature of every cell, with ``exposure`` and ``domain``."""
    study = given[area]
    parts = [
        terrain_features(
            given.files.elevation,
            study.grid,
            tpi_radii_km=given.config.features.terrain.tpi_radii_km,
            threads=given.work.workers,
            needed=study.base["exposure"].to_numpy() > 0,
        ),
        proximity.border_features(study.grid, study.lines, study.home),
        _around(given.config.features.proximity, given.files.settlements, study.grid),
        proximity.access_features(study.grid, {
            "road": given[ground].overlays.roads_near(study.grid),
            "crossing": given[named].crossings,
            "post": given.files.posts,
        }),
    ]  # fmt: skip
    if given.config.features.travel.enabled:
        parts.append(travel_features(study.grid, given[ground].solves))
    if given.config.features.concealment.enabled:
        parts.append(_concealment(given, study))
    ds = study.base
    for part in parts:
        ds = ds.assign(part.data_vars)
    if given.files.population is not None:
        people = given.files.population(study.grid)
        # One that lies elsewhere is said to do nothing, and is no feature.
        known = np.isfinite(people[study.base["domain"].to_numpy() > 0]).any()
        ds = ds.assign({"population": (("y", "x"), people)} if known else {})
    absent = given[ground].absent if {"hidden_share", "remoteness"} & set(ds) else ()
    ds = catalogue.annotate(ds, absent=absent)
    return ds if given.files.table is None else ds.assign(_brought(given.files.table(study.grid)))


def _around(section: Any, towns: gpd.GeoDataFrame, grid: Grid) -> xr.Dataset:
    """Distances to settlements, and people around."""
    x, y = grid.project(towns.geometry.x, towns.geometry.y)
    ds = proximity.settlement_features(
        grid,
        x,
        y,
        towns["population"].to_numpy(),
        section.settlement_thresholds,
        scale_km=section.potential_scale_km,
    )
    empty = [str(name) for name in ds.data_vars if np.isnan(ds[name]).all()]
    if empty:
        raise DataError(
            f"data.settlements: no settlement is large enough for {', '.join(empty)}; "
            "lower features.proximity.settlement_thresholds."
        )
    return ds


def _concealment(given: Given, study: Study) -> xr.Dataset:
    section, files = given.config.features.concealment, given.files
    towns, seen = files.settlements, section.observers
    return concealment_features(
        study.grid,
        given[ground].fine,
        towns if "settlements" in seen else towns[:0],
        files.posts if "posts" in seen else None,
        roads=given[ground].overlays.roads if "roads" in seen else None,
        radius_km=section.radius_km,
        observer_height_m=section.observer_height_m,
    )


def _brought(columns: dict[str, np.ndarray]) -> dict[str, xr.DataArray]:
    """Return the user's own features, which the catalogue does not know."""
    attrs = {"units": "1", "source": "features.table"}
    return {
        name: xr.DataArray(values, dims=("y", "x"), attrs={**attrs, "long_name": name})
        for name, values in columns.items()
    }


@stage(layer="model", config=["features.exclude", "features.columns"], after=[features])
def cells(given: Given) -> CellTable:
    """List the cells and features a model sees."""
    ds, section = given[features], given.config.features
    excluded = _NOT_PREDICTORS.union(section.exclude)
    declared = [
        name
        for name in catalogue.feature_names(ds)
        if name not in excluded and catalogue.feature(name).group not in excluded
    ]
    names = declared + [name for name in section.columns if name not in excluded]
    return CellTable.from_dataset(ds, names, missing="median")


def _save_border(border: Border, folder: Path) -> None:
    border.segments.to_parquet(folder / "segments.parquet")
    save_npz(folder / "attribution.npz", border.attribution)
    if border.crossings is not None:
        np.save(folder / "crossings.npy", border.crossings)
    keep_grid(border.slack, folder / "slack.nc")
    for name, layer in border.layers.items():
        layer.to_parquet(folder / f"{name}.parquet")


def _load_border(folder: Path) -> Border:
    crossings = folder / "crossings.npy"
    layers = {name: folder / f"{name}.parquet" for name in _LAYERS}
    return Border(
        gpd.read_parquet(folder / "segments.parquet"),
        csr_matrix(load_npz(folder / "attribution.npz")),
        np.load(crossings) if crossings.exists() else None,
        kept_grid(folder / "slack.nc"),
        {name: gpd.read_parquet(path) for name, path in layers.items() if path.exists()},
    )


@stage(
    layer="border",
    config=["corridors", "segments.segment_km", "features.travel.enabled", "seed"],
    after=[area, ground],
    keep=Keep(_save_border, _load_border),
)
def border(given: Given) -> Border:
    """Cut the border into segments; find what reaches inland through each."""
    study = given[area]
    grid = study.grid
    segments = cut_border(study.borders, grid.crs, given.config.segments.segment_km)
    if not given.config.features.travel.enabled:
        return Border(segments, attribute_nearest(grid, segments), None, grid.dataset())
    moved = given[ground]
    attribution = attribute_cells(grid, segments, moved.solves.far, moved.fine.grid)
    if not (given.config.corridors.enabled and moved.solves.targets):
        return Border(segments, attribution, None, grid.dataset())
    found = find_corridors(
        grid,
        moved.solves,
        study.home,
        slack_hours=given.config.corridors.slack_hours,
        workers=given.work.workers,
    )
    crossings, slack = _randomised(given, study, segments)
    layers = {"corridors": found.corridors, "routes": found.routes}
    return Border(segments, attribution, crossings, found.cells.assign(slack), layers)


def _randomised(
    given: Given, study: Study, segments: gpd.GeoDataFrame
) -> tuple[np.ndarray | None, dict[str, xr.DataArray]]:
    config, moved = given.config, given[ground]
    if config.corridors.routes == 0:
        return None, {}
    routes = random_routes(
        study.grid, moved.drawn(), moved.places, study.home, walking=moved.walking,
        draws=config.corridors.routes, cost_spread=config.corridors.cost_spread, seed=config.seed,
        workers=given.work.workers,
    )  # fmt: skip
    at = routes.crossings
    shares = route_crossings(
        segments, study.grid, at["x"].to_numpy(), at["y"].to_numpy(), at["weight"].to_numpy()
    )
    attrs = {"units": "1", "long_name": "Share of the randomised routes that pass the cell"}
    return shares, {"route_density": xr.DataArray(routes.density, dims=("y", "x"), attrs=attrs)}


@dataclass(frozen=True)
class Record:
    """The incidents of a run: as they were read, and as mass over the cells.

    ``everything`` holds every usable incident, ``panel`` those a model may be trained on; nothing
    dated on or after ``origin`` is used. Where no incidents were ``given`` there is no forecast,
    and the origin is NaT.
    """

    table: IncidentTable
    everything: Panel
    panel: Panel
    origin: pd.Timestamp
    given: bool = True

    @property
    def day(self) -> str:
        """The origin as text; empty without incidents."""
        return "" if pd.isna(self.origin) else f"{self.origin:%Y-%m-%d}"

    @property
    def known(self) -> Panel:
        """Every usable incident before the origin: all that evaluation may use."""
        return self.everything.before(self.origin)

    def rejected(self) -> pd.DataFrame:
        """Return every row that is not used, with the reason."""
        return rows_left_out(self.table.rejected, self.everything.rejected)


@stage(
    layer="model",
    config=["train", "focus", "outputs.focus"],
    files=["incidents", "countries"],
    after=[area],
)
def incidents(given: Given) -> Record:
    """Read the incidents as mass over the cells, and which a model may learn from."""
    study = given[area]
    config = given.config
    read = given.files.incidents
    table = IncidentTable.none() if read is None else read(study.halo_bounds)
    domain, exposure = (study.base[name].to_numpy() for name in ("domain", "exposure"))
    placed = Panel.build(table.incidents, study.grid, domain)
    ids = placed.incidents["incident_id"]
    in_country = table.in_country(ids, study.home_code, given.files.countries)
    everything = placed.cut(study.area.polygon, exposure, study.home, in_country)
    if read is None:
        return Record(table, everything, everything, pd.Timestamp("NaT"), given=False)
    last = everything.incidents["date_end"].max() + pd.Timedelta(days=1)
    origin = last if config.train.origin is None else pd.Timestamp(config.train.origin)
    panel = everything.before(origin)
    if config.train.start is not None:
        panel = panel.subset(panel.incidents["date"] >= pd.Timestamp(config.train.start))
    if config.train.area == "focus":
        windows = mapped_focus(config).values()
        panel = panel.subset(panel.within([window.bounds for window in windows]))
    return Record(table, everything, panel, origin)


@stage(
    layer="model",
    config=["model", "outputs.horizon_days", "seed"],
    after=[area, cells, incidents],
    keep=Keep(
        lambda saved, folder: save_model(folder / MODEL, saved),
        lambda folder: load_model(folder / MODEL),
    ),
)
def model(given: Given) -> ModelFile:
    """Fit the config's model on everything before the origin."""
    table, record = given[cells], given[incidents]
    if not len(record.panel) and record.given:
        raise DataError(
            _NO_PAST.format(f" dated before the origin {record.day}" * bool(record.day))
        )
    name, chosen = given.config.model.estimator, given.config.model.parameters
    if not record.given and settings(name).needs_incidents:
        name, chosen = INDEX, {}
    parameters = {"horizon_days": given.config.outputs.horizon_days, **chosen}
    fitted = settings(name, parameters).fit(table, record.panel, record.origin, given.config.seed)
    weights = drivers.model_importance(fitted, table, given.config.seed)
    study, folds, test = table.x[table.study], trust.area_folds(table)[table.study], None
    if record.given:
        test = trust.Dissimilarity.fit(study, weights, folds, seed=given.config.seed)
    extra: dict[str, Any] = {
        "estimator": name,
        "parameters": dict(chosen),
        "incidents": len(record.panel),
        "horizon_days": given.config.outputs.horizon_days,
        "crs": table.grid.crs.to_wkt(),
        "place": given[area].place,
        "importance": {name: round(float(value), 6) for name, value in weights.items()},
        "facts": fitted.facts(),
    } | ({} if record.given else {"index": True})
    return ModelFile(fitted, table.features, record.day, cell_stats(study), test, extra)


@stage(
    layer="model",
    config=["uncertainty", "outputs.horizon_days", "seed"],
    after=[cells, incidents, model],
    keep=Keep(save_intervals, load_intervals),
)
def intervals(given: Given) -> Intervals:
    """Refit on resampled incidents at redrawn locations."""
    record, replicates = given[incidents], given.config.uncertainty.replicates
    # Refits hold the interpreter's lock: processes pay once there are enough of them.
    many = given.work.scheduler == "threads" and replicates >= _WORTH_PROCESSES
    return bootstrap_intervals(
        given[model].model,
        given[cells],
        record.panel,
        record.origin,
        replicates=replicates,
        level=given.config.uncertainty.level,
        horizon_days=given.config.outputs.horizon_days,
        seed=given.config.seed,
        scheduler="processes" if many else given.work.scheduler,
        workers=given.work.workers,
        progress=given.work.teller("intervals"),
    )


@stage(
    layer="evaluation",
    config=["evaluation", "model", "uncertainty.level", "seed"],
    after=[area, cells, border, incidents],
    keep=Keep(Scorecard.save, Scorecard.load),
)
def scorecard(given: Given) -> Scorecard:
    """Test the model and every baseline on incidents that neither has seen."""
    codes = [code.lower() for code in given[area].lines]
    record = given[incidents]
    return evaluating.evaluate(
        given.config, given[cells], record.known, record.origin, given[border], codes, given.work
    )
