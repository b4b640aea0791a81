"""Every feature, declared once: name, unit, what it measures in two languages, its sources."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cache

import xarray as xr

from borderrisk.words import slug, spoken

HORN = "Horn 1981, Proc. IEEE 69(1)"
RILEY = "Riley, DeGloria & Elliot 1999, Intermountain J. Sci. 5"
TOBLER = "Tobler 1993, NCGIA Technical Report 93-1"


@dataclass(frozen=True)
class Feature:
    """One feature of a cell: a variable, and what is written into its attributes.

    A ``name`` that holds ``{...}`` is a template; ``group`` is what can be switched off together;
    ``fa`` is the Persian name. ``more`` and ``less`` say in English and Persian what a cell with
    more or less of it is than another; empty if only a number can say it.
    """

    name: str
    units: str
    long_name: str
    fa: str
    group: str
    source: str
    citation: str = ""
    more: tuple[str, str] = ("", "")
    less: tuple[str, str] = ("", "")

    @property
    def attrs(self) -> dict[str, str]:
        """Attributes of the variable."""
        keep = ("units", "long_name", "group", "source", "citation")
        return {key: value for key in keep if (value := getattr(self, key))}


def _terrain(name: str, units: str, long_name: str, fa: str, citation: str = "") -> Feature:
    return Feature(name, units, long_name, fa, "terrain", "elevation", citation)


def _border(name: str, units: str, long_name: str, fa: str) -> Feature:
    return Feature(name, units, long_name, fa, "border", "borders")


def _settlement(name: str, units: str, long_name: str, fa: str, citation: str = "") -> Feature:
    return Feature(name, units, long_name, fa, "settlement", "settlements", citation)


def _access(what: str, long_name: str, fa: str, source: str) -> Feature:
    return Feature(f"{what}_distance_km", "km", long_name, fa, "access", source)


def _travel(name: str, long_name: str, fa: str, source: str = "elevation, borders") -> Feature:
    return Feature(name, "h", long_name, fa, "travel", source, TOBLER)


DECLARED: tuple[Feature, ...] = (
    _terrain("elevation_mean", "m", "Mean elevation", "میانگین ارتفاع"),
    _terrain("elevation_sd", "m", "Standard deviation of elevation", "انحراف معیار ارتفاع"),
    _terrain("elevation_min", "m", "Lowest elevation", "کمترین ارتفاع"),
    _terrain("elevation_max", "m", "Highest elevation", "بیشترین ارتفاع"),
    _terrain("elevation_range", "m", "Range of elevation", "دامنه ارتفاع"),
    _terrain("slope_mean", "degree", "Mean slope", "میانگین شیب", HORN),
    _terrain("slope_p90", "degree", "90th percentile of slope", "صدک ۹۰ شیب", HORN),
    _terrain("ruggedness", "m", "Mean terrain ruggedness index", "میانگین ناهمواری", RILEY),
    _terrain(
        "vector_ruggedness", "1", "Vector ruggedness measure", "ناهمواری برداری",
        "Sappington, Longshore & Thompson 2007, J. Wildlife Management 71(5)",
    ),
    _terrain(
        "tpi_{radius}km", "m", "Topographic position within {radius} km",
        "موقعیت توپوگرافی در {radius} کیلومتر", "Weiss 2001, ESRI User Conference",
    ),
    _terrain("aspect_northness", "1", "Mean northness of the slopes", "شمال‌گرایی دامنه‌ها", HORN),
    _terrain("aspect_eastness", "1", "Mean eastness of the slopes", "شرق‌گرایی دامنه‌ها", HORN),
    _terrain(
        "curvature", "1/m", "Mean curvature of the surface", "خمیدگی میانگین سطح",
        "Zevenbergen & Thorne 1987, Earth Surf. Process. Landforms 12",
    ),
    _terrain(
        "terrain_valid_share", "1", "Share of the cell with elevation", "سهم دارای داده ارتفاع",
    ),
    _border(
        "border_distance_km", "km", "Distance to the nearest border", "فاصله تا نزدیک‌ترین مرز",
    ),
    _border(
        "border_distance_{ccc}_km", "km", "Distance to the border with {ccc}",
        "فاصله تا مرز {ccc}",
    ),
    _border("border_side", "1", "Side of the border (1 home, −1 far)", "سوی مرز"),
    _settlement(
        "settlement_distance_{size}_km", "km", "Distance to the nearest place of {size} people",
        "فاصله تا نزدیک‌ترین آبادی با {size} نفر",
    ),
    _settlement(
        "population_potential", "persons", "Population potential (distance-decayed)",
        "پتانسیل جمعیت", "Stewart 1947, Geographical Review 37(3)",
    ),
    Feature(
        "population", "persons", "People in the cell", "جمعیت سلول", "settlement", "population"
    ),
    _access("road", "Distance to the nearest road", "فاصله تا نزدیک‌ترین جاده", "roads"),
    _access(
        "crossing", "Distance to the nearest border crossing", "فاصله تا نزدیک‌ترین گذرگاه مرزی",
        "crossings",
    ),
    _access("post", "Distance to the nearest post", "فاصله تا نزدیک‌ترین پاسگاه", "posts"),
    _travel(
        "hours_from_border", "Walking time from the nearest point of the border",
        "زمان پیاده از نزدیک‌ترین نقطه مرز",
    ),
    _travel(
        "hours_from_border_{ccc}", "Walking time from the border with {ccc}",
        "زمان پیاده از مرز {ccc}",
    ),
    _travel(
        "hours_from_far_settlement",
        "Walking time from the nearest far-side town, over the border",
        "زمان پیاده از نزدیک‌ترین شهر آن سوی مرز", "elevation, borders, settlements",
    ),
    _travel(
        "hours_to_home_settlement", "Walking time to the nearest home-side town",
        "زمان پیاده تا نزدیک‌ترین شهر این سوی مرز", "elevation, settlements",
    ),
    _travel("hours_to_{target}", "Walking time to {target}", "زمان پیاده تا {target}"),
    _travel(
        "remoteness", "Walking time from where the nearest people of the home side are",
        "زمان پیاده از نزدیک‌ترین مردم این سوی مرز", "elevation, settlements, posts",
    ),
    Feature(
        "hidden_share", "1", "Share of the cell out of sight of people",
        "سهم دور از دید مردم", "concealment",
        "elevation, settlements, roads, posts",
    ),
    Feature(
        "enclosure", "degree", "Local enclosure by the terrain", "محصوریت ناهمواری",
        "concealment", "elevation",
        "Yokoyama, Shirasawa & Pike 2002, Photogramm. Eng. Remote Sens. 68(3)",
    ),
)  # fmt: skip
# Further variables on the grid that have a Persian name.
_PERSIAN = {
    "slack_{target}": "کندی راه آن سوی مرز تا {target}",
    "route_density": "سهم راه‌های تصادفی گذرنده از سلول",
}

# What a cell with more, and with less, of a feature is than another, in English and Persian.
_COMPARED: dict[str, tuple[tuple[str, str], tuple[str, str]]] = {
    "elevation_mean": (("higher", "بلندتر"), ("lower", "پست‌تر")),
    "elevation_range": (
        ("with more relief", "پرفرازونشیب‌تر"), ("with less relief", "کم‌فرازونشیب‌تر"),
    ),
    "elevation_sd": (("more uneven", "ناهموارتر"), ("more even", "هموارتر")),
    "slope_mean": (("steeper", "پرشیب‌تر"), ("flatter", "کم‌شیب‌تر")),
    "slope_p90": (
        ("with steeper slopes", "با دامنه‌های تندتر"),
        ("with gentler slopes", "با دامنه‌های ملایم‌تر"),
    ),
    "ruggedness": (("more rugged", "ناهموارتر"), ("less rugged", "هموارتر")),
    "tpi_{radius}km": (
        ("higher above the {radius} km around", "بلندتر از {radius} کیلومتر پیرامون"),
        ("lower in the {radius} km around", "پست‌تر در {radius} کیلومتر پیرامون"),
    ),
    "aspect_northness": (
        ("facing more to the north", "رو به شمال‌تر"), ("facing more to the south", "رو به جنوب‌تر"),
    ),
    "aspect_eastness": (
        ("facing more to the east", "رو به شرق‌تر"), ("facing more to the west", "رو به غرب‌تر"),
    ),
    "border_distance_km": (("farther from the border", "دورتر از مرز"),
                           ("nearer to the border", "نزدیک‌تر به مرز")),
    "border_distance_{ccc}_km": (
        ("farther from {ccc}", "دورتر از {ccc}"), ("nearer to {ccc}", "نزدیک‌تر به {ccc}"),
    ),
    "settlement_distance_{size}_km": (
        ("farther from a place of {size} people", "دورتر از آبادی {size} نفری"),
        ("nearer to a place of {size} people", "نزدیک‌تر به آبادی {size} نفری"),
    ),
    "road_distance_km": (("farther from a road", "دورتر از جاده"),
                         ("nearer to a road", "نزدیک‌تر به جاده")),
    "crossing_distance_km": (
        ("farther from a border crossing", "دورتر از گذرگاه مرزی"),
        ("nearer to a border crossing", "نزدیک‌تر به گذرگاه مرزی"),
    ),
    "post_distance_km": (("farther from a post", "دورتر از پاسگاه"),
                         ("nearer to a post", "نزدیک‌تر به پاسگاه")),
    "population_potential": (
        ("with more people around", "با مردم بیشتر در پیرامون"),
        ("with fewer people around", "با مردم کمتر در پیرامون"),
    ),
    "hours_from_border": (
        ("farther on foot from the border", "پیاده دورتر از مرز"),
        ("nearer on foot to the border", "پیاده نزدیک‌تر به مرز"),
    ),
    "hours_from_border_{ccc}": (
        ("farther on foot from the border with {ccc}", "پیاده دورتر از مرز {ccc}"),
        ("nearer on foot to the border with {ccc}", "پیاده نزدیک‌تر به مرز {ccc}"),
    ),
    "hours_from_far_settlement": (
        ("farther on foot from the towns across the border", "پیاده دورتر از شهرهای آن سوی مرز"),
        ("nearer on foot to a town across the border", "پیاده نزدیک‌تر به شهری در آن سوی مرز"),
    ),
    "hours_to_home_settlement": (
        ("farther on foot from the nearest town", "پیاده دورتر از نزدیک‌ترین شهر"),
        ("nearer on foot to the nearest town", "پیاده نزدیک‌تر به نزدیک‌ترین شهر"),
    ),
    "hours_to_{target}": (
        ("farther on foot from {target}", "پیاده دورتر از {target}"),
        ("nearer on foot to {target}", "پیاده نزدیک‌تر به {target}"),
    ),
    "remoteness": (("more remote on foot", "پیاده دورافتاده‌تر"),
                   ("less remote on foot", "پیاده کمتر دورافتاده")),
    "hidden_share": (("with more of it out of sight", "با بخش پنهان بیشتر"),
                     ("with less of it out of sight", "با بخش پنهان کمتر")),
    "enclosure": (("more enclosed by the terrain", "محصورتر در ناهمواری"),
                  ("more open", "بازتر")),
}  # fmt: skip
DECLARED = tuple(
    replace(f, more=_COMPARED[f.name][0], less=_COMPARED[f.name][1]) if f.name in _COMPARED else f
    for f in DECLARED
)

GROUPS = tuple(dict.fromkeys(feature.group for feature in DECLARED))


def _pattern(template: str, part: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\{(\w+)\\}", rf"(?P<\1>{part})", re.escape(template)))


@cache
def _index(
    declared: tuple[Feature, ...],
) -> tuple[dict[str, Feature], list[tuple[re.Pattern[str], Feature]]]:
    """Features by name, and those whose name is a template."""
    plain = {f.name: f for f in declared if "{" not in f.name}
    return plain, [(_pattern(f.name, "[a-z0-9_-]+"), f) for f in declared if "{" in f.name]


_FURTHER = [(_pattern(name, ".+"), fa) for name, fa in _PERSIAN.items()]


def feature(name: str, places: Mapping[str, str] | None = None) -> Feature:
    """Look a feature up by the name of its variable; KeyError if none is declared.

    ``places`` are Persian names of places by :func:`borderrisk.words.slug`.

    Examples
    --------
    >>> feature("border_distance_afg_km").long_name
    'Distance to the border with Afghanistan'
    >>> feature("settlement_distance_100k_km").long_name
    'Distance to the nearest place of 100,000 people'
    """
    plain, templates = _index(DECLARED)
    if name in plain:
        return plain[name]
    for pattern, template in templates:
        if match := pattern.fullmatch(name):
            words = _words(match, places or {})
            english, its = words["en"], words["fa"]
            return replace(
                template,
                name=name,
                long_name=template.long_name.format(**english),
                fa=template.fa.format(**its),
                more=(template.more[0].format(**english), template.more[1].format(**its)),
                less=(template.less[0].format(**english), template.less[1].format(**its)),
            )
    raise KeyError(f"{name!r} is not a declared feature")


def names_a_place(name: str) -> bool:
    """Whether a feature is called after a country or a place, and means nothing elsewhere.

    Examples
    --------
    >>> names_a_place("border_distance_afg_km"), names_a_place("border_distance_km")
    (True, False)
    """
    plain, templates = _index(DECLARED)
    if name in plain:
        return False
    found = (pattern.fullmatch(name) for pattern, _ in templates)
    return any(match and {"ccc", "target"} & set(match.groupdict()) for match in found)


def _words(match: re.Match[str], places: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Words of the parts of a name, by language."""
    parts = match.groupdict()
    found = {kind: spoken(kind, text) for kind, text in parts.items()}
    if "target" in parts:
        found["target"]["fa"] = places.get(slug(parts["target"]), found["target"]["fa"])
    return {lang: {kind: label[lang] for kind, label in found.items()} for lang in ("en", "fa")}


def persian(name: str, places: Mapping[str, str] | None = None) -> str:
    """Persian name of any variable on the grid, a feature or not; ``""`` if it has none."""
    if is_feature(name):
        return feature(name, places).fa
    matches = ((pattern.fullmatch(name), fa) for pattern, fa in _FURTHER)
    found = next(((match, fa) for match, fa in matches if match), None)
    return found[1].format(**_words(found[0], places or {})["fa"]) if found else ""


def is_feature(name: str) -> bool:
    """Whether a variable name is a declared feature."""
    plain, templates = _index(DECLARED)
    return name in plain or any(pattern.fullmatch(name) for pattern, _ in templates)


def feature_names(ds: xr.Dataset) -> list[str]:
    """Names of the variables of ``ds`` that are features, in their order there."""
    return [str(name) for name in ds.data_vars if is_feature(str(name))]


def annotate(ds: xr.Dataset, absent: Collection[str] = ()) -> xr.Dataset:
    """Return ``ds`` with the catalogue's attributes on each feature, but for ``absent`` sources."""
    found = {}
    for name in feature_names(ds):
        attrs = feature(name).attrs
        read = [part for part in attrs["source"].split(", ") if part not in absent]
        found[name] = ds[name].assign_attrs(attrs | {"source": ", ".join(read)})
    return ds.assign(found)
