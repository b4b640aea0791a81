"""Wrong configs and the exact lines a user gets for each."""

import pytest

from borderrisk.config import load_config
from borderrisk.errors import ConfigError

NAMES = (
    "decayed_pool, random_forest, glm, even, border_distance, last_period, kde, radius_history, "
    "kde_pool, history_alone, expert_weights"
)

# Text after the minimal config, whose last line is 8, and what is said about it.
WRONG = [
    ("titel: x", "9:1: titel: unknown key; did you mean 'title'?"),
    ("xyzzy: x", "9:1: xyzzy: unknown key"),
    ("halo_km: 5", "9:1: halo_km: unknown key; it belongs in study_area"),
    ("name: west", "9:1: name: duplicate key; first given on line 1"),
    ("seed: no", '9:7: seed: must be a whole number (got "no")'),
    ("seed: '5'", '9:7: seed: must be a whole number (got "5")'),
    ("seed: 1.5", "9:7: seed: must be a whole number (got 1.5)"),
    ("seed: true", "9:7: seed: must be a whole number (got true)"),
    ("seed: 1_000", '9:7: seed: must be a whole number (got "1_000")'),
    ("seed: -1", "9:7: seed: must be at least 0 (got -1)"),
    ("title: 010", "9:8: title: must be a text (got 10)"),
    ("grid: 5", "9:7: grid: must be a mapping of keys to values (got 5)"),
    ("grid:", "9:6: grid: must be a mapping of keys to values (got null)"),
    ("grid: {cell_size_m: 0}", "9:21: grid.cell_size_m: must be greater than 0 (got 0)"),
    ("grid: {cell_size_m: .inf}", "9:21: grid.cell_size_m: must be a finite number (got Infinity)"),
    ("grid: {cell_size_m: .nan}", "9:21: grid.cell_size_m: must be a finite number (got NaN)"),
    (
        "grid: {cell_size_m: 300000}",
        "9:21: grid.cell_size_m: cells are wider than the study area of 250 km (got 300000.0); "
        "the unit is metres",
    ),
    (
        "focus: {a: {bounds: [61, 33, 57, 38]}}",
        "9:21: focus.a.bounds: west must be less than east (got [61.0, 33.0, 57.0, 38.0])",
    ),
    (
        "focus: {a: {bounds: [57, 38, 61, 33]}}",
        "9:21: focus.a.bounds: south must be less than north (got [57.0, 38.0, 61.0, 33.0])",
    ),
    (
        "focus: {a: {bounds: [57, 33, 61]}}",
        "9:21: focus.a.bounds: must have 4 or more items (got [57, 33, 61])",
    ),
    ("focus: {a: {}}", "9:9: focus.a.bounds: required key is missing"),
    (
        "focus: {a b: {bounds: [57, 33, 61, 38]}}",
        "9:9: focus.a b: must be lower-case letters, digits, '-' and '_' only (got \"a b\")",
    ),
    (
        "focus: {mashhad: {bounds: [57, 33, 61, 38]}}\noutputs: {focus: [mashad]}",
        "10:19: outputs.focus[0]: no such focus is defined (got \"mashad\"); "
        "did you mean 'mashhad'?",
    ),
    (
        "train: {area: focus}",
        '9:15: train.area: no focus is defined (got "focus"); use study_area',
    ),
    (
        "train: {start: 2020-01-01, origin: 2020-01-01}",
        "9:16: train.start: must be before train.origin, 2020-01-01 (got \"2020-01-01\")",
    ),
    (
        "train: {start: 2020-02-30}",
        '9:16: train.start: must be a date like 2014-01-31 (got "2020-02-30")',
    ),
    ("train: {start: 2020}", "9:16: train.start: must be a date like 2014-01-31 (got 2020)"),
    (
        "evaluation: {first_origin: 2020-01-01, last_origin: 2019-01-01}",
        '9:53: evaluation.last_origin: comes before first_origin, 2020-01-01 (got "2019-01-01")',
    ),
    (
        "evaluation: {horizons_years: []}",
        "9:30: evaluation.horizons_years: must have at least 1 item(s) (got [])",
    ),
    (
        "evaluation: {horizons_years: [1, 0]}",
        "9:34: evaluation.horizons_years[1]: must be greater than 0 (got 0)",
    ),
    (
        "evaluation: {horizons_years: [1, 2, 1]}",
        "9:37: evaluation.horizons_years[2]: given twice (got 1)",
    ),
    (
        "uncertainty: {replicates: -1}",
        "9:27: uncertainty.replicates: must be at least 0 (got -1)",
    ),
    ("uncertainty: {level: 1}", "9:22: uncertainty.level: must be less than 1 (got 1)"),
    ("uncertainty: {level: 0.0}", "9:22: uncertainty.level: must be greater than 0 (got 0.0)"),
    (
        "model: {estimator: glmm}",
        f"9:20: model.estimator: must be one of {NAMES}, walk_and_hide (got \"glmm\"); "
        "did you mean 'glm'?",
    ),
    (
        "model: {estimator: uniform}",
        '9:20: model.estimator: is called even now (got "uniform")',
    ),
    (
        "model: {parameters: {horizon_days: 30}}",
        "9:22: model.parameters.horizon_days: is set by outputs.horizon_days",
    ),
    (
        "model: {estimator: kde, parameters: {bandwidth_km: -3}}",
        "9:38: model.parameters.bandwidth_km: Parameter bandwidth_km of model kde: input should be "
        "greater than 0 (got -3)",
    ),
    (
        "model: {estimator: hist_gradient_boosting}",
        "9:20: model.estimator: boosted trees are no longer offered, as they forecast places "
        "without incidents on record worse than the forest does; use random_forest "
        '(got "hist_gradient_boosting")',
    ),
    ("model: {parameters: {weights: !!python/name:os.system x}}",
     "9:31: model.parameters.weights: tags are not supported "
     "(got 'tag:yaml.org,2002:python/name:os.system')"),
    ("features: {columns: [elevation_of_town]}",
     "9:21: features.columns: set features.table, the file with these columns"),
    ("features: {table: in.csv}",
     "9:19: features.table: name the columns to use in features.columns"),
    ("features: {table: in.csv, columns: [pct_sunni]}",
     "9:37: features.columns[0]: columns about ethnicity, religion or identity are never used "
     '(got "pct_sunni"); remove it'),
    ("features: {exclude: [slope_mena]}",
     "9:22: features.exclude[0]: no such feature or group (got \"slope_mena\"); "
     "did you mean 'slope_mean'?"),
    ("features: {travel: {targets: {herat: [34.3, 162.2]}}}",
     "9:45: features.travel.targets.herat[1]: must be at most 90 (got 162.2)"),
    ("features: {travel: {road_speeds_kmh: {track: 0}}}",
     "9:46: features.travel.road_speeds_kmh.track: must be greater than 0 (got 0)"),
    ("compute: {scheduler: dask}",
     '9:22: compute.scheduler: must be threads, processes or tcp://HOST:PORT (got "dask")'),
    ("outputs: {language: de}", '9:21: outputs.language: must be one of en, fa (got "de")'),
    ("segments: {segment_km: -5}", "9:24: segments.segment_km: must be greater than 0 (got -5)"),
    ("scenarios: {snow: {}}", "9:13: scenarios.snow.changes: required key is missing"),
    ("scenarios: {snow: {changes: {seed: x}}}",
     '9:36: scenarios.snow.changes.seed: must be a whole number (got "x")'),
    ("scenarios: {snow: {changes: {name: x}}}",
     "9:30: scenarios.snow.changes.name: cannot be changed by a scenario"),
    ("scenarios: {snow: {changes: {data: {posts: posts.csv}}}}",
     '9:44: scenarios.snow.changes.data.posts: no such file or folder (got "posts.csv"); '
     "put it there, or --set data.posts=PATH"),
    ("scenarios: {snow: {changes: {train: {start: 2020-01-01, origin: 2019-01-01}}}}",
     "9:45: scenarios.snow.changes.train.start: must be before train.origin, 2019-01-01 "
     '(got "2020-01-01")'),
    ("title: a\n  b: c", "10:4: not valid YAML: mapping values are not allowed here"),
    ("title: 'a", "9:10: not valid YAML: while scanning a quoted scalar found unexpected end of "
     "stream"),
    ("title: &t a\ntitle_fa: *t", "10:11: aliases are not supported (got *t); write the value out"),
    ("? [a]\n: b", "9:3: a key has to be a plain text"),
    ("<<: {seed: 1}", "9:1: <<: unknown key"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line"), WRONG, ids=[text.split("\n")[0] for text, _ in WRONG])
def test_one_problem_one_line(problems, text, line):
    assert problems(text) == [f"c.yaml:{line}"]


STUDY = [
    ("{home: iran, neighbours: [AFG]}",
     "2:20: study_area.home: must be a country code of three capital letters, like IRN "
     '(got "iran")'),
    ("{home: IRN, neighbours: []}",
     "2:37: study_area.neighbours: must have at least 1 item(s) (got [])"),
    ("{home: IRN, neighbours: AFG}", '2:37: study_area.neighbours: must be a list (got "AFG")'),
    ("{home: IRN, neighbours: [AFG, AFG]}",
     '2:43: study_area.neighbours[1]: given twice (got "AFG")'),
    ("{home: IRN, neighbours: [IRN]}",
     '2:38: study_area.neighbours[0]: the home country is not its own neighbour (got "IRN")'),
    ("{neighbours: [AFG]}", "2:1: study_area.home: required key is missing"),
    ("{home: IRN, neighbours: [AFG], halo_km: -1}",
     "2:53: study_area.halo_km: must be at least 0 (got -1)"),
    ("{home: IRN, neighbours: [AFG], border_strip_km: 0}",
     "2:61: study_area.border_strip_km: must be greater than 0 (got 0)"),
    ("{home: IRN, neighbours: [AFG], window: [68, 24, 57, 40]}",
     "2:52: study_area.window: west must be less than east (got [68.0, 24.0, 57.0, 40.0])"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line"), STUDY)
def test_study_area(problems, minimal, text, line):
    lines = minimal.splitlines(keepends=True)
    lines[1] = f"study_area: {text}\n"
    assert problems(base="".join(lines)) == [f"c.yaml:{line}"]


INCIDENTS = [
    ("{path: in.csv, layout: table, default_radius_km: 5}",
     "8:3: data.incidents.columns: layout 'table' needs it: our names to the file's columns"),
    ("{path: in.csv, layout: table, columns: {dat: d}}",
     "8:54: data.incidents.columns.dat: unknown incident column; did you mean 'date'?"),
    ("{path: in.csv, columns: {date: d}}",
     "8:29: data.incidents.columns: used by layout 'table' only (got \"public_record\")"),
    ("{path: in.csv, layout: tabel}",
     "8:37: data.incidents.layout: must be one of public_record, table, ucdp_ged, acled, gtd "
     "(got \"tabel\"); did you mean 'table'?"),
    ("{path: in.csv, start: 2020-01-02, end: 2020-01-01}",
     "8:36: data.incidents.start: comes after data.incidents.end, 2020-01-01 "
     "(got \"2020-01-02\")"),
    ("{path: in.csv, confidence: [high, sure]}",
     "8:48: data.incidents.confidence[1]: must be one of high, medium, low (got \"sure\")"),
    ("{path: in.cvs}", "8:21: data.incidents.path: no such file or folder (got \"in.cvs\"); "
     "did you mean 'in.csv'?"),
    (f"{{path: {'é' * 200}.csv}}", "8:21: data.incidents.path: file name too long (got "
     f"\"{'é' * 56}...); give another path"),
    ("{path: ''}", "8:21: data.incidents.path: must be a path (got \"\")"),
    ("{path: in.csv, start: 2020-01-02}",
     "8:36: data.incidents.start: leaves no incident before evaluation.first_origin, 2014-01-01 "
     "(got \"2020-01-02\")"),
    ("in.csv", "8:14: data.incidents: must be a mapping of keys to values (got \"in.csv\")"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line"), INCIDENTS)
def test_incidents(problems, minimal, text, line):
    lines = minimal.splitlines(keepends=True)
    lines[7] = f"  incidents: {text}\n"
    assert problems(base="".join(lines)) == [f"c.yaml:{line}"]


@pytest.mark.parametrize("column", ["ethnic_group", "قومیت"])
def test_a_column_about_people_is_not_read_under_another_name(problems, minimal, column):
    table = "layout: table, columns: {date: d"
    lines = minimal.splitlines(keepends=True)
    lines[7] = f"  incidents: {{path: in.csv, {table}, kind: {column}}}}}\n"
    (line,) = problems(base="".join(lines))
    assert "data.incidents.columns.kind: columns about ethnicity" in line


def test_every_problem_at_once_in_the_order_of_the_file(problems):
    assert problems(
        """\
        titel: x
        seed: many
        grid: {cell_size_m: -1}
        outputs: {focus: [a]}
        seed: 3
        """,
        {"model.estimator": "gln", "no.such": "1", "segments.segment_km": "["},
    ) == [
        "c.yaml:9:1: titel: unknown key; did you mean 'title'?",
        'c.yaml:10:7: seed: must be a whole number (got "many")',
        "c.yaml:11:21: grid.cell_size_m: must be greater than 0 (got -1)",
        'c.yaml:12:19: outputs.focus[0]: no such focus is defined (got "a")',
        "c.yaml:13:1: seed: duplicate key; first given on line 10",
        "--set segments.segment_km: segments.segment_km: not valid YAML: while parsing a flow node "
        "expected the node content, but found '<stream end>'",
        "--set model.estimator: model.estimator: must be one of "
        f"{NAMES}, walk_and_hide (got \"gln\"); did you mean 'glm'?",
        "--set no.such: no: unknown key",
    ]


def test_what_is_missing_is_said_once_per_key(problems):
    assert problems(base="title: x\n") == [
        "c.yaml:1:1: name: required key is missing",
        "c.yaml:1:1: study_area: required key is missing",
        "c.yaml:1:1: data: required key is missing",
    ]
    assert problems(base="name: a\nstudy_area: {}\ndata: {elevation: {}}\n") == [
        "c.yaml:2:1: study_area.home: required key is missing",
        "c.yaml:2:1: study_area.neighbours: required key is missing",
        "c.yaml:3:1: data.borders: required key is missing",
        "c.yaml:3:1: data.countries: required key is missing",
        "c.yaml:3:1: data.settlements: required key is missing",
        "c.yaml:3:8: data.elevation.path: required key is missing",
    ]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", "c.yaml:1:1: the config is empty"),
        (b"# only a comment\n", "c.yaml:1:1: the config is empty"),
        (b"- a\n", "c.yaml:1:1: the config must be a mapping of keys to values"),
        (b"name: a\ntitle: caf\xe9\n",
         "c.yaml:2:11: not UTF-8 text (byte 0xe9); save the file as UTF-8"),
        ("name: a".encode("utf-16"), "c.yaml:1:1: not UTF-8 text (byte 0xff); "
         "save the file as UTF-8"),
        (b"[" * 5000 + b"]" * 5000, "c.yaml:1:51: not valid YAML: nested too deeply"),
        (b"name: a\n---\nname: b\n", "c.yaml:2:1: not valid YAML: expected a single document in "
         "the stream but found another document"),
        (b"name: a\x00b\n", "c.yaml:1:8: not valid YAML: character #x0000 is not allowed"),
        (b"#" * 1_000_001, "c.yaml: is larger than 1 MB; give a config file (.yaml)"),
    ],
)  # fmt: skip
def test_files_that_are_no_config(folder, content, line):
    (folder / "c.yaml").write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_config("c.yaml")
    assert str(caught.value) == line


def test_a_byte_order_mark_does_no_harm(load, minimal):
    assert load(base="\ufeff" + minimal).name == "east"


def test_no_file(folder):
    with pytest.raises(ConfigError, match=r"^none\.yaml: no such config file$"):
        load_config("none.yaml")
    with pytest.raises(ConfigError, match="is a folder"):
        load_config(folder)
