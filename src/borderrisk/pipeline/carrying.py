"""A model of another place: what it may read here, what is said of it, where it can be tested."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import pandas as pd
import shapely

from borderrisk.area import reproject
from borderrisk.errors import ConfigError, DataError
from borderrisk.evaluation.backtest import yearly_origins
from borderrisk.evaluation.findings import many
from borderrisk.evaluation.scorecard import Scorecard
from borderrisk.features.catalogue import names_a_place
from borderrisk.grid import WGS84
from borderrisk.model.modelfile import ModelFile
from borderrisk.pipeline import evaluating, steps
from borderrisk.pipeline.stages import Stages
from borderrisk.words import country_label

# Areas that share less of this one's are two places: outlines are rounded.
_SHARED = 0.01
_MEANS = "What explains the ground there need not explain it here."


def check_features(model: ModelFile, stages: Stages, called: str, advice: str) -> None:
    """Raise ``ConfigError`` if a model reads a feature that a config does not make."""
    absent = [name for name in model.features if name not in stages[steps.features]]
    if absent:
        raise ConfigError(f"{called} needs the feature(s) {', '.join(absent)}, {advice}.")


def check_places(model: ModelFile, stages: Stages, called: str) -> None:
    """Raise ``ConfigError`` if a model of elsewhere reads what means nothing here."""
    if model.extra.get("crs") == stages[steps.area].grid.crs.to_wkt():
        return
    named = [name for name in model.features if names_a_place(name)]
    if named:
        raise ConfigError(
            f"{called} was trained elsewhere and reads feature(s) called after places there: "
            f"{', '.join(named)}; train it with features.exclude naming these."
        )


@dataclass(frozen=True)
class Carriage:
    """A trained model on its way to the area of a config."""

    model: ModelFile
    stages: Stages

    @cached_property
    def shared(self) -> float | None:
        """Share of this area that the model was learned on; None if the model does not say."""
        place = self.model.extra.get("place")
        if place is None:
            return None
        study = self.stages[steps.area]
        here = reproject(study.area.polygon, study.grid.crs, WGS84)
        there = shapely.make_valid(shapely.from_wkt(place["outline"]))
        return float(shapely.intersection(here, there).area / here.area)

    @property
    def trained_to(self) -> str:
        """Day that everything it learned from lies before, wherever it was carried since."""
        return str(self.model.extra.get("carried_from", self.model.origin))

    @property
    def learned(self) -> str:
        """Where the model was learned, and on what, as part of a sentence."""
        where, known = "at a place its file does not name", self.model.extra["incidents"]
        if self._border:
            home, others = self._border["en"]
            where = f"on the border of {home} with {' and '.join(others)}"
        return f"{where}, from {many(known, 'incident')} before {self.trained_to}"

    @property
    def _border(self) -> dict[str, tuple[str, list[str]]]:
        """Home and neighbours of the place it was learned at, by language; empty if not known."""
        place = self.model.extra.get("place")
        if place is None:
            return {}
        labels = [country_label(code) for code in (place["home"], *place["neighbours"])]
        return {speech: (labels[0][speech], [one[speech] for one in labels[1:]])
                for speech in ("en", "fa")}  # fmt: skip

    @property
    def statement(self) -> str:
        """What stands before the statement of a run."""
        return f"A model trained elsewhere: learned {self.learned}. {_MEANS}"

    @property
    def statement_fa(self) -> str:
        """The same in Persian."""
        where = "در جایی که پرونده آن نام نمی‌برد"
        if self._border:
            home, others = self._border["fa"]
            where = f"در مرز {home} با {' و '.join(others)}"
        return (
            f"مدلی آموخته در جای دیگر: {where}، از {self.model.extra['incidents']} رویداد پیش از "
            f"\u2066{self.trained_to}\u2069. آنچه زمین را آنجا توضیح می‌دهد شاید اینجا توضیح ندهد."
        )

    def notes(self) -> list[str]:
        """Say what of the model is from elsewhere, and what that means."""
        known = len(self.stages[steps.incidents].panel)
        level = (
            f"the places of the {many(known, 'earlier incident')} and the level are of this area"
            if known
            else "no incident of this area is known, so the level is the one learned there, by area"
        )
        said = [
            f"The model was trained elsewhere, {self.learned}: how much each part counts and what "
            f"it makes of the ground are from there and stay as they were; {level}. {_MEANS} There "
            "are no intervals."
        ]
        if self.shared is not None and self.shared > _SHARED:
            said.append(f"{self.shared:.0%} of this area is ground that the model was learned on.")
        return said

    def scorecard(self) -> tuple[Scorecard | None, list[str]]:
        """Test the model on this area's own past, or say why that cannot be.

        Its weights and its ground stay as they are at every origin; it is compared with models that
        are fitted here anew. Where it may have learned from what it is tested on, only origins
        after its training count.
        """
        config, record = self.stages.config, self.stages[steps.incidents]
        section, trained = config.evaluation, pd.Timestamp(self.trained_to)
        origins = yearly_origins(section.first_origin, section.last_origin)
        if self.shared is None or self.shared > _SHARED:
            origins = [day for day in origins if day >= trained]
        if not origins:
            return None, [
                "The model was not tested here: it may have learned from the very incidents of "
                f"every period until {section.last_origin} (its training ends {trained:%Y-%m-%d})."
            ]
        try:
            card = evaluating.evaluate_carried(
                config, self.stages[steps.cells], self.model.model, record.known,
                self.stages[steps.border], origins, self.stages.work,
            )  # fmt: skip
        except DataError as error:
            return None, [f"The model was not tested here. {error}"]
        early, periods = sum(day < trained for day in origins), many(len(origins), "test period")
        if not early:
            return card, [f"All {periods} begin after the model's training."]
        return card, [
            f"{early} of {periods} begin before the model's training ended ({self.trained_to}): it "
            "saw nothing of this area, but may know what the two places had in common in those "
            "years."
        ]
