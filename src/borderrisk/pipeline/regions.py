"""One model on several regions, each wherever the scheduler runs it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path

from borderrisk.compute import is_cluster, map_parallel
from borderrisk.config import Config
from borderrisk.errors import BorderRiskError, ConfigError, OutputError
from borderrisk.pipeline.jobs import score
from borderrisk.runs import new_run_id


def score_regions(
    model_path: str | Path,
    configs: Iterable[Config],
    folder: str | Path | None = None,
    *,
    scheduler: str | None = None,
    force: bool = False,
) -> list[Path]:
    """Apply a trained model to the area of each config.

    Parameters
    ----------
    model_path : path
        A model file, or a run that holds one.
    configs : iterable of Config
        Where to score, each under its own name.
    folder : path, optional
        Gets one run per config, called by the config's name; by default each gets a new one under
        its config's ``outputs.folder``.
    scheduler : str, optional
        As for :func:`borderrisk.compute.map_parallel`; by default the configs'
        ``compute.scheduler``, in which they have to agree. A cluster takes the regions side by
        side, and model, inputs and folder must have the same path on its workers; else they are
        taken one by one, each with all workers.
    force : bool
        Replace runs that are there already.

    Returns
    -------
    list of Path
        Folders of the runs, in the order of the configs.

    Raises
    ------
    ConfigError
        If two configs share a name or differ in their scheduler, or one does not make a feature
        the model needs.
    OutputError
        If a run is there already.
    BorderRiskError
        Of the kind that the first failing region met, naming every region that failed. The others
        are scored all the same.
    """
    jobs = [(config, _place(config, folder)) for config in configs]
    _check(jobs, force)
    chosen = scheduler or _scheduler(jobs)
    one = partial(_score_one, Path(model_path).resolve())
    if is_cluster(chosen):
        return _folders(jobs, map_parallel(one, jobs, scheduler=chosen))
    return _folders(jobs, [one(job) for job in jobs])


def _place(config: Config, folder: str | Path | None) -> Path:
    if folder is not None:
        return Path(folder) / config.name
    parent = config.outputs.folder / config.name
    return parent / new_run_id(parent, config.hash)


def _scheduler(jobs: list[tuple[Config, Path]]) -> str:
    found = sorted({config.compute.scheduler for config, _ in jobs})
    if len(found) > 1:
        raise ConfigError(
            f"Regions scored together need one compute.scheduler (they name {', '.join(found)}); "
            "choose it with --set compute.scheduler=..."
        )
    return found[0] if found else "threads"


def _folders(jobs: list[tuple[Config, Path]], found: list[Path | BorderRiskError]) -> list[Path]:
    """Return the folders, or raise what went wrong with the regions' names."""
    pairs = zip(jobs, found, strict=True)
    failed = [(config.name, error) for (config, _), error in pairs
              if isinstance(error, BorderRiskError)]  # fmt: skip
    done = [path for path in found if isinstance(path, Path)]
    if not failed:
        return done
    lines = [f"{name}: {error}" for name, error in failed]
    if done:
        lines.append(f"Scored all the same: {', '.join(map(str, done))}.")
    raise type(failed[0][1])("\n".join(lines)) from failed[0][1]


def _check(jobs: list[tuple[Config, Path]], force: bool) -> None:
    names = [config.name for config, _ in jobs]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError(f"Regions need names of their own: {', '.join(twice)} occurs twice.")
    there = [str(out) for _, out in jobs if out.exists()]
    if there and not force:
        raise OutputError(f"{there[0]} exists already; give another folder, or use force.")


def _score_one(model_path: Path, job: tuple[Config, Path]) -> Path | BorderRiskError:
    """Score one region, or say why not; repeated without harm when a worker was lost."""
    config, out = job
    if is_cluster(config.compute.scheduler):
        # A worker that waits for other workers of its own cluster would block them.
        config = config.with_changes({"compute": {"scheduler": "threads"}})
    try:
        return score(model_path, config, out=out.resolve(), force=True).folder
    except BorderRiskError as error:
        return error
