"""Trained models in files: skops, a fixed list of types, and nothing that runs on loading."""

from __future__ import annotations

import importlib.metadata
import io
import logging
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import skops.io
from sklearn.ensemble import RandomForestRegressor
from sklearn.tree import DecisionTreeRegressor

from borderrisk.errors import ConfigError, DataError, OutputError
from borderrisk.model.protocol import Fitted
from borderrisk.model.registry import opened, packed
from borderrisk.runs.hashing import check_plain

log = logging.getLogger(__name__)

FORMAT = 3
_UNPACKED_BYTES = 2**30
_SCHEMA = "schema.json"
_OBJECT = re.compile(r'("__id__": |"file": ")(\d+)')
RECORDED = ("borderrisk", "scikit-learn", "numpy", "scipy", "pandas", "skops")
_OWN = "borderrisk.model."
# Types a model file may hold besides numbers, text, plain containers and scikit-learn's public
# estimators. Reviewed by hand; a new type is added here or refused.
TRUSTED = (
    "borderrisk.model.baselines.Curve",
    "borderrisk.model.baselines.Permeability",
    "borderrisk.model.baselines.Weighted",
    "borderrisk.model.forest.RandomForest",
    "borderrisk.model.forest.TreeColumns",
    "borderrisk.model.loglinear.Glm",
    "borderrisk.model.susceptibility.Plain",
    "borderrisk.model.terms.Axis",
    "borderrisk.model.terms.Category",
    "borderrisk.model.terms.Line",
    "borderrisk.model.trust.Dissimilarity",
    # Node tables of trees: their indices are checked below, as scikit-learn does not.
    "sklearn.tree._tree.Tree",
)


@dataclass(frozen=True)
class ModelFile:
    """A trained model with what is needed to use it elsewhere.

    ``features`` are the columns it was fitted on, in order; all training incidents lie before
    ``origin`` (ISO 8601). ``cell_stats`` has ``min, median, max, mean, sd`` of each feature over
    the training cells; ``trust`` is the fitted :class:`borderrisk.model.trust.Dissimilarity`.
    ``extra`` is anything JSON-ready: the config's name, bandwidths, horizon, counts, and ``crs``
    (WKT), the projection of the place it was fitted for. ``versions`` of packages are recorded at
    saving; ``stored`` is the file it was read from, byte for byte (a changed copy has none).
    """

    model: Fitted
    features: list[str]
    origin: str
    cell_stats: dict[str, dict[str, float]]
    trust: Any = None
    extra: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    stored: bytes | None = field(default=None, init=False, repr=False, compare=False)


_CONTENT = tuple(f.name for f in fields(ModelFile) if f.init)


def package_versions() -> dict[str, str]:
    """Return the versions of the packages a saved model depends on."""
    known = {d.lower() for d in RECORDED}
    found = {
        name.lower(): d.version
        for d in importlib.metadata.distributions()
        if (name := d.metadata["Name"]) and name.lower() in known
    }
    return {name: found[name] for name in RECORDED if name in found}


def cell_stats(x: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Summarise numeric features, for range checks where a model is carried to another region."""
    numeric = x.select_dtypes("number")
    summary = numeric.agg(["min", "median", "max", "mean", "std"]).rename(index={"std": "sd"})
    return {
        str(name): {str(k): float(v) for k, v in summary[name].items()} for name in numeric.columns
    }


def save_model(path: str | Path, saved: ModelFile) -> None:
    """Write a model file; one that was read from a file is written as it was there.

    ``DataError`` if the model holds a type that loading would refuse, ``OutputError`` if the file
    cannot be written.
    """
    try:
        Path(path).write_bytes(saved.stored or _packed(saved))
    except OSError as error:
        raise OutputError(f"Cannot write the model to {path}: {error}.") from error


def _packed(saved: ModelFile) -> bytes:
    content = {name: getattr(saved, name) for name in _CONTENT} | {"model": packed(saved.model)}
    data = skops.io.dumps(content | {"format": FORMAT, "versions": package_versions()})
    _refuse_strangers(data, "This model")
    return _numbered(data)


def _numbered(data: bytes) -> bytes:
    """Call objects by number, not by where they lay in memory: equal models are equal bytes."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    numbers: dict[str, str] = {}

    def numbered(found: re.Match[str]) -> str:
        return found[1] + numbers.setdefault(found[2], str(len(numbers) + 1))

    schema = _OBJECT.sub(numbered, parts.pop(_SCHEMA).decode())
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            number, _, suffix = name.partition(".")
            archive.writestr(_undated(f"{numbers[number]}.{suffix}"), content)
        archive.writestr(_undated(_SCHEMA), schema)
    return buffer.getvalue()


def _undated(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def load_model(path: str | Path) -> ModelFile:
    """Read a model file.

    ``DataError`` if it is missing, not a model file, damaged, of another format, or holds a type
    that is not on the list of trusted ones; the message names those types.
    """
    try:
        check_plain([Path(path).resolve()])
        data = Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"Cannot read the model {path}: {error}.") from error
    _refuse_large(data, path)
    _refuse_strangers(data, f"The model file {path}")
    try:
        content = skops.io.loads(data, trusted=list(TRUSTED))
    # A damaged file can fail anywhere in the reader, with any exception.
    except Exception as error:
        raise _damaged(f"The model file {path}", error) from error
    saved = _opened(path, content)
    object.__setattr__(saved, "stored", data)
    _compare_versions(path, saved.versions)
    return saved


def _refuse_large(data: bytes, path: str | Path) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            size = sum(member.file_size for member in archive.infolist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise _damaged(f"The model file {path}", error) from error
    if size > _UNPACKED_BYTES:
        raise DataError(
            f"The model file {path} unpacks to {size / 2**30:.1f} GiB, more than any model that "
            "borderrisk saves; train the model again."
        )


def _refuse_strangers(data: bytes, what: str) -> None:
    """Name the types that are not trusted, without building anything."""
    try:
        found = set(skops.io.get_untrusted_types(data=data))
    except Exception as error:
        raise _damaged(what, error) from error
    strangers = sorted(found - set(TRUSTED))
    if strangers and all(name.startswith(_OWN) for name in strangers):
        raise DataError(f"{what} {_EARLIER}")
    if strangers:
        raise DataError(
            f"{what} holds types that are not trusted: {', '.join(strangers)}. "
            "Only models saved by borderrisk can be used; train it again if it was."
        )


_EARLIER = "is of an earlier version, which this one does not read; train the model again."


def _damaged(what: str, error: Exception) -> DataError:
    reason = (str(error).splitlines() or [""])[0]
    kind = type(error).__name__
    return DataError(f"{what} is damaged or is not one ({kind}: {reason}); train the model again.")


def _opened(path: str | Path, content: Any) -> ModelFile:
    if not isinstance(content, dict) or set(content) != {*_CONTENT, "format"}:
        raise DataError(f"{path} is a skops file but not a borderrisk model.")
    if content["format"] < FORMAT:
        raise DataError(f"The model file {path} {_EARLIER}")
    if content["format"] > FORMAT:
        raise DataError(
            f"{path} has format {content['format']}, this version reads format {FORMAT}."
        )
    _check_trees(path, content)
    try:
        model = opened(content["model"])
    except (ConfigError, KeyError, TypeError, ValueError) as error:
        raise _damaged(f"The model file {path}", error) from error
    return ModelFile(**{name: content[name] for name in _CONTENT} | {"model": model})


def _compare_versions(path: str | Path, versions: dict[str, str]) -> None:
    now = package_versions()
    other = {name: v for name, v in versions.items() if now.get(name, v) != v}
    if other:
        changed = ", ".join(f"{name} {v} (now {now[name]})" for name, v in sorted(other.items()))
        log.warning("The model %s was saved with other versions: %s.", path, changed)


def _check_trees(path: str | Path, content: dict[str, Any]) -> None:
    """Refuse trees whose nodes point outside the tree: predicting would read foreign memory."""
    for part in _parts(content, set()):
        if isinstance(part, RandomForestRegressor | DecisionTreeRegressor):
            fitted = [e for e in getattr(part, "estimators_", [part]) if hasattr(e, "tree_")]
            trees = [e.tree_.__getstate__()["nodes"] for e in fitted]
            if not all(_sound(nodes, part.n_features_in_) for nodes in trees):
                raise DataError(f"The model file {path} is damaged: a tree points outside itself.")


def _parts(value: Any, seen: set[int]) -> Iterator[Any]:
    """Yield every object reachable through attributes and containers."""
    if id(value) in seen or isinstance(value, str | int | float | np.ndarray | None):
        return
    seen.add(id(value))
    yield value
    if isinstance(value, dict):
        inside = list(value.values())
    elif isinstance(value, list | tuple | set):
        inside = list(value)
    else:
        inside = list(getattr(value, "__dict__", {}).values())
    for item in inside:
        yield from _parts(item, seen)


def _sound(nodes: np.ndarray, n_features: int) -> bool:
    """Children come after their parent and inside the table; features exist."""
    inner = np.flatnonzero(nodes["left_child"] != -1)
    feature = nodes["feature"][inner]
    inside = [
        np.all((nodes[side][inner] > inner) & (nodes[side][inner] < len(nodes)))
        for side in ("left_child", "right_child")
    ]
    return bool(all(inside) and np.all((feature >= 0) & (feature < n_features)))
