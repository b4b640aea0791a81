"""Damaged inputs of every kind against the command line: ``python -m benchmarks.fuzz``.

No file may end in a traceback, a hang, or an exit code other than 0 (it is still sound), 2 (a
config) or 3 (data). Cases run in processes of their own, a batch each, with an alarm per case, in
seconds of processor, so that other work on the machine makes no false alarms. Case N of a seed is
always the same, and ``--first N --cases 1`` shows it. What the cases are stands in
:mod:`benchmarks.fuzzcases`.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import fuzzcases

# An accepted model makes a whole run: 5 s of processor, and up to 15 where many share one.
ALARM_S = 20
# A case that waits takes no processor: so many times the alarm is the longest by the clock.
_PATIENCE = 10
_MOST_BYTES = 4 << 30
BATCH = 200
FINE, UNCAUGHT, HANG, CRASH, WRONG = "fine", "uncaught", "hang", "crash", "wrong exit code"
_ALLOWED = (0, 2, 3)
_SHOWN = 300


@dataclass(frozen=True)
class Outcome:
    """How a case ended.

    Attributes
    ----------
    number, kind : int, str
        Which case, and which kind of input was damaged.
    verdict : str
        ``fine`` or what is wrong.
    code : int or None
        Exit code of the command, if it came to an end.
    said : str
        End of what it printed.
    seconds : float
        Processor time it took.
    """

    number: int
    kind: str
    verdict: str
    code: int | None = None
    said: str = ""
    seconds: float = 0.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the cases and print a table; 1 if any is not fine."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--alarm", type=int, default=ALARM_S, help="processor seconds a case")
    parser.add_argument("--json", type=Path, help="also write what is not fine here")
    options = parser.parse_args(arguments)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch) / "home"
        home.mkdir()
        fuzzcases.prepare(home)
        found = _all(home, options)
    print(table(found))
    print(f"{len(found):,} cases, seed {options.seed}, {time.perf_counter() - start:.0f} s")
    bad = [outcome for outcome in found if outcome.verdict != FINE]
    if options.json:
        options.json.write_text(json.dumps([vars(outcome) for outcome in bad], indent=1))
    return int(bool(bad))


def _all(home: Path, options: argparse.Namespace) -> list[Outcome]:
    """Run every case, in batches side by side."""
    size = min(BATCH, -(-options.cases // options.jobs))
    last = options.first + options.cases

    def batch(first: int) -> list[Outcome]:
        count = min(size, last - first)
        found = list(_batch(home, options.seed, first, count, options.alarm))
        for outcome in found:
            if outcome.verdict != FINE or options.cases == 1:
                print(f"{outcome.verdict}: case {outcome.number} ({outcome.kind}), exit "
                      f"{outcome.code}: {outcome.said[-_SHOWN:]}", flush=True)  # fmt: skip
        return found

    with ThreadPoolExecutor(options.jobs) as pool:
        return [o for part in pool.map(batch, range(options.first, last, size)) for o in part]


def table(found: Sequence[Outcome]) -> str:
    """Markdown table: cases by kind, exit codes, and what is not fine."""
    verdicts = (UNCAUGHT, HANG, CRASH, WRONG)
    lines = [f"| kind | cases | exit 0 | 2 | 3 | {' | '.join(verdicts)} | processor, s | longest |"]
    lines.append("|---" * (7 + len(verdicts)) + "|")
    for kind in (*fuzzcases.KINDS, "all"):
        own = [o for o in found if kind in (o.kind, "all")]
        codes = Counter(o.code for o in own if o.verdict == FINE)
        wrong = Counter(o.verdict for o in own)
        times = [o.seconds for o in own] or [0.0]
        counts = [len(own), *(codes[n] for n in _ALLOWED), *(wrong[v] for v in verdicts)]
        numbers = [*counts, f"{sum(times):.0f}", f"{max(times):.1f}"]
        lines.append(f"| {kind} | {' | '.join(map(str, numbers))} |")
    return "\n".join(lines)


def _batch(home: Path, seed: int, first: int, count: int, alarm: int) -> Iterator[Outcome]:
    """Outcomes of some cases; a process that dies is replaced after the case that killed it."""
    number, last = first, first + count
    while number < last:
        words = [str(home), str(seed), str(number), str(last), str(alarm)]
        done = subprocess.run(
            [sys.executable, "-c", "from benchmarks import fuzz; fuzz.work()", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=False,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        ended = [Outcome(**json.loads(line)) for line in done.stdout.splitlines()]
        yield from ended
        number += len(ended)
        if number < last:
            kind = fuzzcases.KINDS[number % len(fuzzcases.KINDS)]
            hung = -done.returncode in (signal.SIGPROF, signal.SIGALRM)
            yield Outcome(number, kind, HANG if hung else CRASH, None, f"ended {done.returncode}")
            number += 1


def work() -> None:
    """Run cases in this process, one line of JSON each; the alarm ends it."""
    home, (seed, first, last, alarm) = Path(sys.argv[1]), map(int, sys.argv[2:6])
    # What a case prints must not come between the lines.
    told = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    resource.setrlimit(resource.RLIMIT_DATA, (_MOST_BYTES, _MOST_BYTES))
    with tempfile.TemporaryDirectory(dir=home.parent) as folder:
        # What is imported and compiled with the first case is no case's time.
        _met(0, *fuzzcases.case(home, Path(folder), 0, 1))
    for number in range(first, last):
        with tempfile.TemporaryDirectory(dir=home.parent) as folder:
            kind, words = fuzzcases.case(home, Path(folder), seed, number)
            signal.setitimer(signal.ITIMER_PROF, alarm)
            signal.alarm(_PATIENCE * alarm)
            outcome = _met(number, kind, words)
            signal.alarm(0)
            signal.setitimer(signal.ITIMER_PROF, 0)
        print(json.dumps(vars(outcome)), file=told, flush=True)


def _met(number: int, kind: str, words: list[str]) -> Outcome:
    """Run a command and judge how it ends."""
    from click.testing import CliRunner

    from borderrisk.cli.app import app

    start = time.process_time()
    result: Any = CliRunner().invoke(app, words)
    said = result.output.strip()
    told = any(words in said for words in ("internal error", "Traceback (most recent"))
    if told or not isinstance(result.exception, SystemExit | None):
        verdict, said = UNCAUGHT, said or repr(result.exception)
    else:
        verdict = FINE if result.exit_code in _ALLOWED else WRONG
    seconds = round(time.process_time() - start, 2)
    return Outcome(number, kind, verdict, result.exit_code, said[-_SHOWN:], seconds)


if __name__ == "__main__":
    sys.exit(main())
