"""Every feature, declared once: name, unit, what it measures, where it comes from."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import xarray as xr

HORN = "Horn 1981, Proc. IEEE 69(1)"
RILEY = "Riley, DeGloria & Elliot 1999, Intermountain J. Sci. 5"
TOBLER = "Tobler 1993, NCGIA Technical Report 93-1"
# English short names by ISO 3166 code, for the borders of Iran and of its neighbours.
COUNTRIES = {
    "AFG": "Afghanistan", "ARE": "Emirates", "ARM": "Armenia", "AZE": "Azerbaijan",
    "BHR": "Bahrain", "CHN": "China", "IND": "India", "IRN": "Iran", "IRQ": "Iraq",
    "KWT": "Kuwait", "OMN": "Oman", "PAK": "Pakistan", "QAT": "Qatar", "SAU": "Saudi Arabia",
    "TJK": "Tajikistan", "TKM": "Turkmenistan", "TUR": "Türkiye", "UZB": "Uzbekistan",
}  # fmt: skip


@dataclass(frozen=True)
class Feature:
    """One feature of a cell.

    Attributes
    ----------
    name : str
        Variable name; a template when it holds ``{...}``.
    units, long_name, group, source, citation : str
        As written into the variable's attributes. ``group`` is what can be switched off together.
    """

    name: str
    units: str
    long_name: str
    group: str
    source: str
    citation: str = ""

    @property
    def attrs(self) -> dict[str, str]:
        """Attributes of the variable."""
        keep = ("units", "long_name", "group", "source", "citation")
        return {key: value for key in keep if (value := getattr(self, key))}


def _terrain(name: str, units: str, long_name: str, citation: str = "") -> Feature:
    return Feature(name, units, long_name, "terrain", "elevation", citation)


def _border(name: str, units: str, long_name: str) -> Feature:
    return Feature(name, units, long_name, "border", "borders")


def _settlement(name: str, units: str, long_name: str, citation: str = "") -> Feature:
    return Feature(name, units, long_name, "settlement", "settlements", citation)


def _travel(name: str, long_name: str, source: str = "elevation, borders") -> Feature:
    return Feature(name, "h", long_name, "travel", source, TOBLER)


DECLARED: tuple[Feature, ...] = (
    _terrain("elevation_mean", "m", "Mean elevation"),
    _terrain("elevation_sd", "m", "Standard deviation of elevation"),
    _terrain("elevation_min", "m", "Lowest elevation"),
    _terrain("elevation_max", "m", "Highest elevation"),
    _terrain("elevation_range", "m", "Range of elevation"),
    _terrain("slope_mean", "degree", "Mean slope", HORN),
    _terrain("slope_p90", "degree", "90th percentile of slope", HORN),
    _terrain("ruggedness", "m", "Mean terrain ruggedness index", RILEY),
    _terrain(
        "vector_ruggedness",
        "1",
        "Vector ruggedness measure",
        "Sappington, Longshore & Thompson 2007, J. Wildlife Management 71(5)",
    ),
    _terrain(
        "tpi_{radius}km",
        "m",
        "Topographic position within {radius} km",
        "Weiss 2001, ESRI User Conference",
    ),
    _terrain("aspect_northness", "1", "Mean northness of the slopes", HORN),
    _terrain("aspect_eastness", "1", "Mean eastness of the slopes", HORN),
    _terrain(
        "curvature",
        "1/m",
        "Mean curvature of the surface",
        "Zevenbergen & Thorne 1987, Earth Surf. Process. Landforms 12",
    ),
    _terrain("terrain_valid_share", "1", "Share of the cell with elevation"),
    _border("border_distance_km", "km", "Distance to the nearest border"),
    _border("border_distance_{ccc}_km", "km", "Distance to the border with {ccc}"),
    _border("border_side", "1", "Side of the border (1 home, −1 far)"),
    _settlement(
        "settlement_distance_{size}_km", "km", "Distance to the nearest place of {size} people"
    ),
    _settlement(
        "population_potential",
        "persons",
        "Population potential (distance-decayed)",
        "Stewart 1947, Geographical Review 37(3)",
    ),
    _travel("hours_from_border", "Walking time from the nearest point of the border"),
    _travel("hours_from_border_{ccc}", "Walking time from the border with {ccc}"),
    _travel(
        "hours_from_far_settlement",
        "Walking time from the nearest far-side town, over the border",
        "elevation, borders, settlements",
    ),
    _travel(
        "hours_to_home_settlement",
        "Walking time to the nearest home-side town",
        "elevation, settlements",
    ),
    _travel("hours_to_{target}", "Walking time to {target}"),
    _travel(
        "remoteness",
        "Walking time from the nearest state presence",
        "elevation, settlements, posts",
    ),
    Feature(
        "hidden_share",
        "1",
        "Share of the cell hidden from places, roads and posts",
        "concealment",
        "elevation, settlements, roads, posts",
    ),
    Feature(
        "enclosure",
        "degree",
        "Local enclosure by the terrain",
        "concealment",
        "elevation",
        "Yokoyama, Shirasawa & Pike 2002, Photogramm. Eng. Remote Sens. 68(3)",
    ),
)

GROUPS = tuple(dict.fromkeys(feature.group for feature in DECLARED))
_BY_NAME = {f.name: f for f in DECLARED if "{" not in f.name}
_TEMPLATES = [
    (re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[a-z0-9_-]+)", re.escape(f.name))), f)
    for f in DECLARED
    if "{" in f.name
]


def feature(name: str) -> Feature:
    """Look a feature up by the name of its variable.

    Raises
    ------
    KeyError
        If no such feature is declared.

    Examples
    --------
    >>> feature("border_distance_afg_km").long_name
    'Distance to the border with Afghanistan'
    >>> feature("settlement_distance_100k_km").long_name
    'Distance to the nearest place of 100,000 people'
    """
    if name in _BY_NAME:
        return _BY_NAME[name]
    for pattern, template in _TEMPLATES:
        if match := pattern.fullmatch(name):
            words = {kind: spoken(kind, text) for kind, text in match.groupdict().items()}
            return replace(template, name=name, long_name=template.long_name.format(**words))
    raise KeyError(f"{name!r} is not a declared feature")


def spoken(kind: str, text: str) -> str:
    """Put part of a feature's name into words: a country (``ccc``), a ``size``, a ``target``.

    Examples
    --------
    >>> spoken("ccc", "tkm"), spoken("target", "torbat-e_jam"), spoken("size", "10k")
    ('Turkmenistan', 'Torbat-e Jam', '10,000')
    """
    if kind == "ccc":
        return COUNTRIES.get(text.upper(), text.upper())
    if kind == "target":
        return re.sub(r"[^\W_]{3,}", lambda word: word[0].capitalize(), text.replace("_", " "))
    if kind == "size" and re.fullmatch(r"\d+k?", text):
        return f"{int(text.rstrip('k')) * (1000 if text.endswith('k') else 1):,}"
    return text


def is_feature(name: str) -> bool:
    """Whether a variable name is a declared feature."""
    try:
        feature(name)
    except KeyError:
        return False
    return True


def feature_names(ds: xr.Dataset) -> list[str]:
    """Names of the variables of ``ds`` that are features, in their order there."""
    return [str(name) for name in ds.data_vars if is_feature(str(name))]


def annotate(ds: xr.Dataset) -> xr.Dataset:
    """Return ``ds`` with the catalogue's attributes on each feature."""
    return ds.assign(
        {name: ds[name].assign_attrs(feature(name).attrs) for name in feature_names(ds)}
    )
