"""The stages of a run, each computed when it is first asked for and kept by content."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from borderrisk.config import Config
from borderrisk.model.cells import CellTable
from borderrisk.model.fitting import check_parameters
from borderrisk.model.modelfile import ModelFile, as_trained, load_model, save_model
from borderrisk.model.panel import Panel
from borderrisk.model.uncertainty import Intervals, load_intervals, save_intervals
from borderrisk.outputs.netcdf import read_netcdf, write_netcdf
from borderrisk.pipeline import evaluating, training
from borderrisk.pipeline.border import Border, load_border, save_border, study_border
from borderrisk.pipeline.features import compute_features, model_features
from borderrisk.pipeline.inputs import Inputs, Movement, input_files, read_inputs
from borderrisk.runs import StageCache, StageKey, project_folder, shown_path

log = logging.getLogger(__name__)

Progress = Callable[[str, int, int], None]
_GB = 1e9
_FEATURE_CODE = (
    "borderrisk.features", "borderrisk.sources", "borderrisk.grid", "borderrisk.area",
    "borderrisk.pipeline.features", "borderrisk.pipeline.inputs", "borderrisk.pipeline.inputs",
)  # fmt: skip
_MODEL_CODE = ("borderrisk.model", "borderrisk.pipeline.training")


@dataclass(frozen=True)
class Stages:
    """What a config leads to, stage by stage.

    Attributes
    ----------
    config : Config
        Which inputs, features and model.
    cache : StageCache
        Keeps the expensive stages.
    progress : callable, optional
        Told ``(stage, done, total)`` by the long ones.
    shift : float
        Cells by which the grid is moved east and south, to see whether that matters.
    """

    config: Config
    cache: StageCache
    progress: Progress | None = None
    shift: float = 0.0

    @classmethod
    def of(
        cls, config: Config, *, refresh: bool = False, progress: Progress | None = None
    ) -> Stages:
        """Open the stages of a config with the cache it names.

        Raises
        ------
        ConfigError
            If the model's parameters cannot be.
        """
        check_parameters(config.model.estimator, config.model.parameters)
        limit = config.compute.cache_max_gb * _GB
        return cls(
            config, StageCache(config.compute.cache, refresh=refresh, max_bytes=limit), progress
        )

    @cached_property
    def project(self) -> Path:
        """Folder that shown paths start at."""
        return project_folder(self.config.folder)

    @cached_property
    def inputs(self) -> Inputs:
        """Every input, open and checked."""
        with self.cache.timed("inputs"):
            inputs = read_inputs(self.config)
        if not self.shift:
            return inputs
        return replace(inputs, area=inputs.area.on(inputs.grid.shifted(self.shift, self.shift)))

    def _hashes(self, *, incidents: bool) -> dict[str, str]:
        table = self.config.data.incidents.path
        files = [p for p in input_files(self.config) if incidents or p != table]
        # Files outside the project are shown by name alone, and tiles may share theirs.
        return {
            f"{number} {shown_path(path, self.project)}": self.cache.hashes(path)
            for number, path in enumerate(files)
        }

    def _part(self, *keys: str) -> str:
        return self.config.part(*keys)

    @cached_property
    def features_key(self) -> StageKey:
        """What the features depend on."""
        part = self._part(
            "study_area", "grid", "data.elevation", "features.terrain", "features.proximity",
            "features.travel", "features.concealment", "features.table", "features.columns",
        )  # fmt: skip
        part = f"{part} {self.shift}" if self.shift else part
        return StageKey("features", _FEATURE_CODE, part, (), self._hashes(incidents=False))

    @cached_property
    def _movement(self) -> Movement:
        return Movement(self.config, self.inputs)

    @cached_property
    def features(self) -> xr.Dataset:
        """Features of every cell, with ``exposure`` and ``domain``."""
        return self.cache.stage(
            self.features_key,
            lambda: compute_features(self.config, self.inputs, self._movement),
            save=lambda ds, folder: write_netcdf(ds, folder / "features.nc"),
            load=lambda folder: read_netcdf(folder / "features.nc"),
        )

    @cached_property
    def border(self) -> Border:
        """Segments, attribution, corridors and routes."""
        part = self._part("corridors", "segments.segment_km", "seed")
        code = (*_FEATURE_CODE, "borderrisk.border.segments", "borderrisk.pipeline.border")
        return self.cache.stage(
            StageKey("border", code, part, (self.features_key,)),
            lambda: study_border(self.config, self.inputs, self._movement),
            save=save_border,
            load=load_border,
        )

    @cached_property
    def cells(self) -> CellTable:
        """The cells and features a model sees."""
        names = model_features(self.config, self.features)
        # Too large to be kept while a model is fitted; made anew if the border asks for it later.
        self.__dict__.pop("_movement", None)
        return CellTable.from_dataset(self.features, names, missing="median")

    def cells_for(self, model: ModelFile) -> CellTable:
        """Return the cells as a model reads them: its features, and places in its projection.

        Raises
        ------
        DataError
            If the model reads places, and its file does not say in which projection.
        """
        cells = CellTable.from_dataset(self.features, model.features, missing="median")
        return as_trained(model, cells)

    @cached_property
    def all_incidents(self) -> Panel:
        """Every usable incident as mass over the cells."""
        table = self.inputs.incidents.incidents
        return Panel.build(table, self.inputs.grid, self.features["domain"].to_numpy())

    @cached_property
    def origin(self) -> pd.Timestamp:
        """Nothing dated on or after it is used."""
        if self.config.train.origin is not None:
            return pd.Timestamp(self.config.train.origin)
        return self.all_incidents.incidents["date_end"].max() + pd.Timedelta(days=1)

    @cached_property
    def panel(self) -> Panel:
        """The incidents a model may be trained on."""
        return training.training_panel(self.config, self.all_incidents, self.origin)

    def counts(self) -> dict[str, int]:
        """Numbers of cells, features and incidents."""
        table = self.inputs.incidents
        return {
            "cells scored": int(self.cells.study.sum()),
            "cells read": len(self.cells),
            "features": len(self.cells.features),
            "incidents used": len(self.panel),
            "incidents after the origin": int(
                (self.all_incidents.incidents["date_end"] >= self.origin).sum()
            ),
            "rows rejected": len(table.rejected) + len(self.all_incidents.rejected),
        }

    def rejected(self) -> pd.DataFrame:
        """Return every incident row that is not used, with the reason."""
        parts = [self.inputs.incidents.rejected, self.all_incidents.rejected]
        table = pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)
        # Only the reader knows the row of the file: whole numbers with gaps.
        return table.reindex(columns=["row", "incident_id", "reason"]).astype({"row": "Int64"})

    @cached_property
    def model_key(self) -> StageKey:
        """What the fitted model depends on."""
        part = self._part(
            "data.incidents", "features.exclude", "focus", "outputs.focus", "train", "model", "seed"
        )
        return StageKey(
            "model", _MODEL_CODE, part, (self.features_key,), self._hashes(incidents=True)
        )

    @cached_property
    def model(self) -> ModelFile:
        """The fitted model with what is needed to use it elsewhere."""
        return self.cache.stage(
            self.model_key,
            lambda: training.fit(self.config, self.cells, self.panel, self.origin),
            save=lambda saved, folder: save_model(folder / "model.skops", saved),
            load=lambda folder: load_model(folder / "model.skops"),
        )

    def intervals(self, replicates: int) -> Intervals | None:
        """Return the bootstrap intervals, or None without replicates."""
        if replicates == 0:
            return None
        part = json.dumps([replicates, self._part("uncertainty.level", "outputs.horizon_days")])
        return self.cache.stage(
            StageKey("intervals", ("borderrisk.compute",), part, (self.model_key,)),
            lambda: training.bootstrap(self, replicates),
            save=save_intervals,
            load=load_intervals,
        )

    @cached_property
    def scorecard(self) -> dict[str, Any]:
        """Skill of the model and of every baseline on incidents neither has seen."""
        return self.cache.stage(
            StageKey(
                "scorecard",
                ("borderrisk.pipeline.evaluating", "borderrisk.synthetic"),
                self._part("evaluation", "uncertainty.level"),
                (self.model_key,),
            ),
            lambda: evaluating.evaluate(self),
            save=_save_json,
            load=_load_json,
        )


def _save_json(value: Any, folder: Path) -> None:
    text = json.dumps(value, ensure_ascii=False, default=_plain)
    (folder / "value.json").write_text(text, encoding="utf-8")


def _load_json(folder: Path) -> Any:
    return json.loads((folder / "value.json").read_text(encoding="utf-8"))


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    return value.tolist() if isinstance(value, np.ndarray) else str(value)
