"""What has to hold between the keys of a config, beyond the type and range of each."""

from __future__ import annotations

import difflib
import os
import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from operator import attrgetter
from pathlib import Path

from borderrisk.config.base import Location, Problem, merge_patch
from borderrisk.config.problems import besides, did_you_mean, got, validated
from borderrisk.config.sections import INCIDENT_COLUMNS, IncidentsConfig
from borderrisk.config.whole import PATH_KEYS, Config
from borderrisk.errors import ConfigError, plain

_LISTS = (
    "study_area.neighbours", "data.elevation.path", "data.incidents.confidence",
    "data.incidents.kinds", "features.terrain.tpi_radii_km",
    "features.proximity.settlement_thresholds", "features.columns", "evaluation.horizons_years",
    "corridors.slack_hours", "outputs.focus",
)  # fmt: skip
_FIXED_IN_SCENARIOS = ("name", "scenarios", "study_area", "grid")


def check(config: Config, *, paths: bool = True) -> list[Problem]:
    """Return every problem between the keys of a config that is valid key by key, scenarios too."""
    problems = _check_one(config, paths)
    known = set(problems)
    for name in config.scenarios:
        prefix: Location = ("scenarios", name, "changes")
        problems += [
            Problem((*prefix, *problem.location), problem.message, problem.at_key)
            for problem in _scenario(config, name, paths)
            if problem not in known
        ]
    return problems


def _check_one(config: Config, paths: bool) -> list[Problem]:
    checks = (_area, _focus, _incidents, _features, _model, _periods, _lists)
    problems = [problem for run in checks for problem in run(config)]
    return problems + (list(_paths(config)) if paths else [])


def _scenario(config: Config, name: str, paths: bool) -> list[Problem]:
    changes = config.scenarios[name].changes
    problems = [
        Problem((key,), "cannot be changed by a scenario", at_key=True)
        for key in _FIXED_IN_SCENARIOS
        if key in changes
    ]
    allowed = {key: value for key, value in changes.items() if key not in _FIXED_IN_SCENARIOS}
    data = merge_patch(config.model_dump(mode="json"), allowed)
    changed, faults = validated(data, config.folder)
    return problems + faults + besides(faults, _check_one(changed, paths))


def _area(config: Config) -> Iterator[Problem]:
    area = config.study_area
    key: Location = ("study_area", "neighbours")
    for i, code in enumerate(area.neighbours):
        if code == area.home:
            yield Problem((*key, i), f"the home country is not its own neighbour {got(code)}")
    if area.window is not None:
        yield from _box(("study_area", "window"), area.window)
    if config.grid.cell_size_m > area.border_strip_km * 1000:
        yield Problem(
            ("grid", "cell_size_m"),
            f"cells are wider than the study area of {area.border_strip_km:g} km "
            f"{got(config.grid.cell_size_m)}; the unit is metres",
        )


def _box(key: Location, bounds: tuple[float, float, float, float]) -> Iterator[Problem]:
    west, south, east, north = bounds
    if west >= east:
        yield Problem(key, f"west must be less than east {got(list(bounds))}")
    if south >= north:
        yield Problem(key, f"south must be less than north {got(list(bounds))}")


def _focus(config: Config) -> Iterator[Problem]:
    window = config.study_area.window
    for name, focus in config.focus.items():
        key: Location = ("focus", name, "bounds")
        wrong = list(_box(key, focus.bounds))
        yield from wrong
        if window is not None and not wrong and _apart(focus.bounds, window):
            message = f"does not touch study_area.window {got(list(focus.bounds))}"
            yield Problem(key, f"{message}; the order is west, south, east, north")
    for i, name in enumerate(config.outputs.focus or ()):
        if name not in config.focus:
            hint = did_you_mean(name, config.focus)
            yield Problem(("outputs", "focus", i), f"no such focus is defined {got(name)}{hint}")
    if config.train.area == "focus" and not (config.outputs.focus or config.focus):
        yield Problem(("train", "area"), 'no focus is defined (got "focus"); use study_area')


def _apart(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[2] < other[0] or other[2] < one[0] or one[3] < other[1] or other[3] < one[1]


def _incidents(config: Config) -> Iterator[Problem]:
    incidents = config.data.incidents
    key: Location = ("data", "incidents")
    if incidents.path is None:
        if incidents != IncidentsConfig():
            text = "is needed by the other keys of data.incidents; without incidents leave all out"
            yield Problem((*key, "path"), text, at_key=True)
        return
    yield from _columns(config, (*key, "columns"))
    if incidents.start and incidents.end and incidents.start > incidents.end:
        text = f"comes after data.incidents.end, {incidents.end} {got(str(incidents.start))}"
        yield Problem((*key, "start"), text)


def _columns(config: Config, key: Location) -> Iterator[Problem]:
    incidents = config.data.incidents
    if incidents.layout != "table":
        if incidents.columns:
            yield Problem(key, f"used by layout 'table' only {got(incidents.layout)}", at_key=True)
        return
    if not incidents.columns:
        yield Problem(key, "layout 'table' needs it: our names to the file's columns", at_key=True)
    for name, column in incidents.columns.items():
        if name not in INCIDENT_COLUMNS:
            hint = did_you_mean(name, INCIDENT_COLUMNS)
            yield Problem((*key, name), f"unknown incident column{hint}", at_key=True)
        yield from _people((*key, name), column)


def _people(key: Location, column: str) -> Iterator[Problem]:
    if about_people(column):
        yield Problem(
            key,
            f"columns about ethnicity, religion or identity are never used {got(column)}; "
            "remove it",
        )


def _features(config: Config) -> Iterator[Problem]:
    features = config.features
    for i, column in enumerate(features.columns):
        yield from _people(("features", "columns", i), column)
    if features.columns and features.table is None:
        yield Problem(("features", "columns"), "set features.table, the file with these columns")
    if features.table is not None and not features.columns:
        yield Problem(("features", "table"), "name the columns to use in features.columns")
    yield from _exclude(config)


def _exclude(config: Config) -> Iterator[Problem]:
    if not config.features.exclude:
        return
    from borderrisk.features.catalogue import DECLARED, GROUPS, is_feature

    known = {*GROUPS, *config.features.columns}
    for i, name in enumerate(config.features.exclude):
        if name not in known and not is_feature(name):
            hint = did_you_mean(name, [*known, *(f.name for f in DECLARED)])
            yield Problem(("features", "exclude", i), f"no such feature or group {got(name)}{hint}")


def _model(config: Config) -> Iterator[Problem]:
    if not config.model.parameters:
        return
    from borderrisk.model.registry import settings

    for name, value in config.model.parameters.items():
        key: Location = ("model", "parameters", name)
        if name == "horizon_days":
            yield Problem(key, "is set by outputs.horizon_days", at_key=True)
            continue
        try:
            settings(config.model.estimator, {name: value})
        except ConfigError as error:
            yield Problem(key, str(error).rstrip("."), at_key=True)


def _periods(config: Config) -> Iterator[Problem]:
    train, evaluation = config.train, config.evaluation
    if train.start and train.origin and train.start >= train.origin:
        text = f"must be before train.origin, {train.origin} {got(str(train.start))}"
        yield Problem(("train", "start"), text)
    if evaluation.last_origin < evaluation.first_origin:
        text = f"comes before first_origin, {evaluation.first_origin}"
        yield Problem(("evaluation", "last_origin"), f"{text} {got(str(evaluation.last_origin))}")
    yield from _nothing_before(config)


def _nothing_before(config: Config) -> Iterator[Problem]:
    """Find origins that no incident comes before."""
    incidents, origins = config.data.incidents, {"train.origin": config.train.origin}
    if config.evaluation.enabled:
        origins["evaluation.first_origin"] = config.evaluation.first_origin
    start = incidents.start
    if start is None or (incidents.end and start > incidents.end):
        return
    for key, origin in origins.items():
        if origin and origin <= start:
            text = f"leaves no incident before {key}, {origin} {got(str(start))}"
            yield Problem(("data", "incidents", "start"), text)


def _lists(config: Config) -> Iterator[Problem]:
    """Find values given twice in lists where each counts once."""
    for key in _LISTS:
        values = attrgetter(key)(config) or ()
        for i, value in enumerate(values):
            if value in values[:i]:
                shown = value if isinstance(value, str | int | float) else str(value)
                yield Problem((*key.split("."), i), f"given twice {got(shown)}")


def _paths(config: Config) -> Iterator[Problem]:
    for key, role in PATH_KEYS.items():
        if not role.is_input:
            continue
        value = attrgetter(".".join(key))(config)
        if isinstance(value, tuple):
            for i, path in enumerate(value):
                yield from _exists((*key, i) if len(value) > 1 else key, path, config)
        elif value is not None:
            yield from _exists(key, value, config)


def _exists(key: Location, path: Path, config: Config) -> Iterator[Problem]:
    try:
        if path.exists():
            return
    except OSError as error:  # a name that no file can have
        yield Problem(key, f"{plain(error).lower()} {got(path.name)}; give another path")
        return
    setting = ".".join(str(part) for part in key if isinstance(part, str))
    shown = Path(os.path.relpath(path, config.folder)).as_posix()
    near = []
    if path.parent.is_dir():
        near = difflib.get_close_matches(path.name, sorted(p.name for p in path.parent.iterdir()))
    hint = f"did you mean {near[0]!r}?" if near else f"put it there, or --set {setting}=PATH"
    yield Problem(key, f"no such file or folder {got(shown)}; {hint}")


# Whole words, English with Persian in Latin letters; `*` stands for any ending.
_WORDS = """
    ethn* race races racial* tribe tribes tribal* tribesm* clan clans caste castes ancest*
    indigenous diaspora minority minorities nomad nomads nomadic kuchi kuchis koochi ashayer*
    qowm* qoum* ghowm* ghoum* qaum* nezhad tayef* identity identities hoviat hoviyat
    gender surname* forename* lastname* nationalit* citizenship foreigners melliat melliyat
    tabeiat tabeiyat refugee* immigra* migrant* muhajir* mohajer asylum*
    relig* faith* creed* belief* worship* denomination* sect sects sectarian* mazhab* madhhab*
    madhab* mathhab* mezheb* islam islamic islamist* muslim* moslem* mosalman* ismaili* deobandi*
    barelvi* salafi* wahhabi* wahabi* hanafi* sufi sufis twelver twelvers sonnat* jafari christian*
    jew jews jewish bahai* zoroast* hindu hindus sikh sikhs mosque* masjid* masjed* madrasa*
    madrassa* madreseh synagogue* church churches shrine* huseini* hussaini* husseini* hosseini*
    language* lang langs linguist* tongue* dialect* vernacular* speakers zaban* farsi farsis dari
    urdu arabic
    hazara hazaras hazaragi aimaq aimaqs aymaq* nuristani* pashai* tajik tajiks tadjik tadjiks
    brahui* brahvi* brohi brohis kurd kurds kurdish kurmanj* kormanj* arab arabs persian persians
    uzbek uzbeks ozbek ozbeks kyrgyz kirghiz kazakh kazakhs turkic turks azeri azeris lur lurs luri
    gilak gilaks gilaki bakhtiaris qashqai* ghashghai* talyshi sistani sistanis zabolis punjabi*
    sindhi sindhis saraiki* armenians assyrians georgians circassian* afghans pakistanis gypsy
    gypsies jat jats
    قوم قومی قومیت* اقوام اقلیت* مذهب مذهبی مذاهب دین دینی ادیان زبان زبانی گویش گویشی لهجه* نژاد
    نژادی طایفه طوایف عشیره عشایر ایل سنی شیعه شیعیان تشیع تسنن مسلمان* مسیحی* یهودی* زرتشتی*
    بهایی* مسجد مساجد بلوچ بلوچی بلوچها پشتون پشتونها پشتو هزاره تاجیک تاجیکها ترکمن ترکمنها ازبک
    ازبکها کرد کردها عرب عربها عربی فارسی سیستانیها لر لرها لری اذری گیلکی ملیت تابعیت هویت مهاجر
    مهاجران مهاجرین پناهنده پناهندگان اتباع
"""
# Names that are written in many ways.
_SPELLINGS = (
    r"bal+(?:o|u|oo|ou|ow|uw|w)t?ch?(?:i|y|ee|ies|is|s|es|an)?",
    r"p[aou](?:sh|kh|x)t(?:o|u|oo|ou|w)n?s?",
    r"path?ans?",
    r"(?:t[uo]+r[kc]+|trukh?)[oae]?m[ae]n+s?",
    r"s[uo]nn(?:i|ee|a|ah)(?:s|es|te|tes|sm)?",
    r"sh(?:i|ee)(?:a|ah|i|eh)s?",
    r"sh(?:i|ee)(?:a|i)(?:te?s?|sm)",
)
# Whatever people glue to such a word.
_AFFIX = "(?:pct|perc|percent|share|prop|frac|num|pop|population|density|speaking|majority)?"
# Unmistakable even inside a longer word.
_ANYWHERE = ("ethnic", "religio", "sectarian", "mothertongue", "tribal", "قومیت", "مذهب")
# Places that carry the name of a people or a faith.
_PLACES = (
    "islam qala", "islam qaleh", "islam abad", "persian gulf", "arab sea", "shatt al arab",
    "masjed soleyman", "masjid soleyman", "masjed soleiman", "masjid soleiman", "pashtun zarghun",
    "khyber pakhtun khwa", "bandar turkmen", "bandar e turkmen", "bandar torkaman",
    "bandar e torkaman", "turkmen sahra", "torkaman sahra", "torkaman chay", "turkmen desert",
    "خلیج فارس", "شهر کرد", "کرد کوی", "بندر ترکمن", "ترکمن صحرا", "ترکمن چای", "مسجد سلیمان",
)  # fmt: skip
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_BREAK = re.compile(r"[\W_\d]+")


def about_people(column: str) -> bool:
    """Whether a column's name says that it is about ethnicity, religion or identity.

    Names of places are let through: the province of Sistan and Baluchestan is a place.

    Examples
    --------
    >>> about_people("share_baluchi"), about_people("distance_to_baluchestan")
    (True, False)
    """
    words = " ".join(_BREAK.split(_normal(column))).strip()
    for place in _PLACES:
        words = re.sub(rf"\b{place}\b", "", words)
    glued = words.replace(" ", "")
    return any(stem in glued for stem in _ANYWHERE) or any(
        _forbidden().fullmatch(word) for word in words.split()
    )


@cache
def _forbidden() -> re.Pattern[str]:
    words = (re.escape(word).replace(r"\*", r"\w*") for word in _WORDS.split())
    return re.compile(f"{_AFFIX}(?:{'|'.join([*words, *_SPELLINGS])}){_AFFIX}")


def _normal(name: str) -> str:
    """Lower case, words apart, one spelling of the Persian letters, no apostrophes or vowels."""
    name = unicodedata.normalize("NFKD", _CAMEL.sub(" ", name))
    name = "".join(c for c in name if not unicodedata.combining(c) and c not in "'’ʿ`")
    return name.translate(str.maketrans("يىكة", "ییکه")).lower()
