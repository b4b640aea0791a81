"""Commands that read a config and compute: run, train, score, features, validate, schema."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from borderrisk.cli import common
from borderrisk.compute import compile_ahead

if TYPE_CHECKING:
    from borderrisk.config import Config

# Where the kernels are that a run needs after the terrain, which takes long to compile.
LATE = ("borderrisk.model.treeshap", "borderrisk.features._loops",
        "borderrisk.features.travel.dijkstra")  # fmt: skip


@click.command()
@common.config_argument
@common.out_option("Folder for the results (default: under data/processed).")
@click.option("--force", is_flag=True, help="Recompute every stage; replace an existing --out.")
@click.option(
    "--no-evaluate", is_flag=True, help="A first look: no scorecard, and no intervals either."
)
@click.option(
    "--replicates",
    type=click.IntRange(min=0),
    help="Bootstrap replicates of the intervals (with --no-evaluate: 0).",
)
@common.printed
def run(config: Config, no_evaluate: bool, **chosen: Any) -> tuple[Any, ...]:
    """Train, evaluate, score and write maps and tables.

    Example: borderrisk run configs/eastern-border.yaml --out results
    """
    compile_ahead(LATE)
    from borderrisk.pipeline import run

    with common.progress_line() as progress:
        found = run.run(
            config, evaluate=False if no_evaluate else None, progress=progress, **chosen
        )
    return found.summary(), found.describe()


@click.command()
@common.config_argument
@click.option(
    "--rejected", type=common.PathArgument, help="CSV for every row of the incidents left out."
)
@common.printed
def validate(config: Config, rejected: Path | None) -> tuple[Any, ...]:
    """Open every input and say what it does, what is left out, and what a run will take.

    Example: borderrisk validate configs/mashhad.yaml --rejected rejected.csv
    """
    from borderrisk.pipeline import checking

    found = checking.validate(config, rejected)
    widths = {"input": 14, "path": 30, "read": 44, "left out": 34, "used for": 34}
    table = common.wrapped_table(found.inputs, widths)
    ending = f"{click.get_current_context().params['config_path']}: valid"
    payload = {"config": config.name, "valid": True, **found.payload()}
    return payload, table, "", *found.lines(), ending


@click.command()
@click.option("--json", is_flag=True, expose_value=False, help="The schema is JSON in any case.")
def schema() -> None:
    """Print the JSON Schema of the config, for editors.

    Example: borderrisk schema > config.schema.json
    """
    from borderrisk.config import schema_text

    click.echo(schema_text(), nl=False)


@click.command()
@common.config_argument
@common.out_option("NetCDF file to write.")
@common.printed
def features(config: Config, out: Path | None) -> tuple[Any, ...]:
    """Compute the features, write them as NetCDF, and print their ranges.

    Example: borderrisk features configs/mashhad.yaml --out features.nc
    """
    from borderrisk.pipeline import run

    path, rows = run.write_features(config, out)
    payload = {"path": str(path), "features": rows}
    return payload, common.table_text(rows), f"wrote {path}"


@click.command()
@common.config_argument
@common.out_option("Model file to write (default: <name>.skops beside the results).")
@common.printed
def train(config: Config, out: Path | None) -> tuple[Any, ...]:
    """Fit the model and save it, without scoring or maps.

    Example: borderrisk train configs/eastern-border.yaml --out model.skops
    """
    from borderrisk.pipeline import run

    facts = run.train(config, out)
    return facts, common.facts_text(facts)


@click.command()
@click.argument("model_path", metavar="MODEL", type=common.PathArgument)
@click.argument(
    "config_paths", metavar="CONFIG...", type=common.PathArgument, nargs=-1, required=True
)
@common.set_option
@common.out_option("Folder for the results (default: under data/processed).")
@click.option("--force", is_flag=True, help="Replace an existing --out.")
@common.printed
def score(
    model_path: Path,
    config_paths: tuple[Path, ...],
    overrides: tuple[str, ...],
    out: Path | None,
    force: bool,
) -> tuple[Any, ...]:
    """Apply a trained model (a file or a run) to the area of other configs.

    Several configs get one folder each, named after them in --out; a compute.scheduler of
    tcp://host:port takes them side by side.

    Only features that are not named after a place or a neighbour can travel: for another region
    train with features.exclude of border_distance_<code>_km and without hours_to_<target>.

    Example: borderrisk score data/processed/eastern-border configs/mashhad.yaml

    Example: borderrisk score model.skops north.yaml south.yaml --out regions
    """
    configs = [common.load(path, overrides) for path in config_paths]
    from borderrisk.pipeline import changes, result, run

    if len(configs) == 1:
        found = run.score(model_path, configs[0], out=out, force=force)
        return found.summary(), found.describe()
    folders = changes.score_regions(model_path, configs, out, force=force)
    results = [result.open_run(folder) for folder in folders]
    described = "\n\n".join(one.describe() for one in results)
    return {"runs": [one.summary() for one in results]}, described


COMMANDS = (run, validate, schema, features, train, score)
