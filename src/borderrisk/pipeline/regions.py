"""One model on several regions, each wherever the scheduler runs it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path

from borderrisk.compute import is_cluster, map_parallel
from borderrisk.config import Config
from borderrisk.errors import ConfigError, OutputError
from borderrisk.pipeline.jobs import score


def score_regions(
    model_path: str | Path,
    configs: Iterable[Config],
    folder: str | Path,
    *,
    scheduler: str = "threads",
    workers: int | None = None,
    force: bool = False,
) -> list[Path]:
    """Apply a trained model to the area of each config.

    Parameters
    ----------
    model_path : path
        A model file, or a run that holds one.
    configs : iterable of Config
        Where to score, each under its own name.
    folder : path
        Gets one run per config, called by the config's name.
    scheduler, workers
        As for :func:`borderrisk.compute.map_parallel`. Threads and processes take the regions one
        by one, each with all workers; a cluster takes them side by side, and model, inputs and
        folder must have the same path on its workers.
    force : bool
        Replace runs that are there already.

    Returns
    -------
    list of Path
        Folders of the runs, in the order of the configs.

    Raises
    ------
    ConfigError
        If two configs share a name, or one does not make a feature the model needs.
    OutputError
        If a run is there already.
    """
    jobs = [(config, Path(folder) / config.name) for config in configs]
    _check(jobs, force)
    one = partial(_score_one, Path(model_path).resolve())
    if is_cluster(scheduler):
        return map_parallel(one, jobs, scheduler=scheduler)
    return [one((_here(config, scheduler, workers), out)) for config, out in jobs]


def _check(jobs: list[tuple[Config, Path]], force: bool) -> None:
    names = [config.name for config, _ in jobs]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError(f"Regions need names of their own: {', '.join(twice)} occurs twice.")
    there = [str(out) for _, out in jobs if out.exists()]
    if there and not force:
        raise OutputError(f"{there[0]} exists already; give another folder, or use force.")


def _score_one(model_path: Path, job: tuple[Config, Path]) -> Path:
    """Score one region; repeated without harm when a worker was lost."""
    config, out = job
    if is_cluster(config.compute.scheduler):
        # A worker that waits for other workers of its own cluster would block them.
        config = _here(config, "threads", config.compute.workers)
    return score(model_path, config, out=out.resolve(), force=True).folder


def _here(config: Config, scheduler: str, workers: int | None) -> Config:
    compute = config.compute.model_copy(update={"scheduler": scheduler, "workers": workers})
    return config.model_copy(update={"compute": compute})
