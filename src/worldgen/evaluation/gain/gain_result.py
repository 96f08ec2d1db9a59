"""Result of a gain study: differences to real pictures only with paired intervals, checks, and sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from scipy import stats

from worldgen.core.seeds import numpy_rng
from worldgen.evaluation.gain.gain_config import CONTROLS, GIVEN, ORACLE, REAL, GainStudy, about_arm
from worldgen.evaluation.gain.study import COMMON, RARE, ArmResult, StudyData, base_seconds
from worldgen.evaluation.measures.average_precision import ALL, Judged

DRAWS = 200
MOST_SEEDS = 1000
RIVALS = ("real_long", "weather", GIVEN)
"""Arms that generated clips must beat too: longer training, painted weather, and the context frames alone."""
GAIN, HARM, NO_GAIN = "gain", "harm", "no gain"


@dataclass(frozen=True)
class Measure:
    """One column of the table: AP50 (or AP over all overlaps) of a group of objects in a slice of the test."""

    name: str
    piece: str
    group: str = ALL
    all_overlaps: bool = False


@dataclass(frozen=True, eq=False)
class Outcomes:
    """Measures of every run.

    seeds: arm -> its seeds. values: (arm, measure) -> ``(S, 1 + draws)``; column 0 is of the whole test, each other
    column of a draw of its clips, the same draw for all runs.
    """

    measures: tuple[Measure, ...]
    seeds: dict[str, list[int]]
    values: dict[tuple[str, str], np.ndarray]

    def mean(self, arm: str, measure: str) -> dict:
        """Mean over seeds, interval from drawing clips and seeds, and each seed's value."""
        table = self.values[arm, measure]
        return _summary(table[:, 0], drawn_means(table)) | {"seeds": [_number(v) for v in table[:, 0]]}

    def difference(self, arm: str, measure: str, *, against: str = REAL) -> dict:
        """Mean difference to another arm over the seeds that both have, its paired interval, and the verdict."""
        delta = self._delta(arm, measure, against=against)
        row = _summary(delta[:, 0], drawn_means(delta)) | {"pairs": len(delta)}
        return row | {"says": says(row["low"], row["high"])}

    def recovered(self, arm: str, measure: str) -> dict | None:
        """Share of the oracle's gain that an arm reaches; None unless the oracle's gain is significant."""
        if ORACLE not in self.seeds or self.difference(ORACLE, measure)["says"] != GAIN:
            return None
        shared = sorted(set(self.seeds[arm]) & set(self.seeds[ORACLE]) & set(self.seeds[REAL]))
        if len(shared) < 2:
            return None
        part, whole = (self._delta(name, measure, shared) for name in (arm, ORACLE))
        drawn = drawn_means(part) / drawn_means(whole)
        drawn = drawn[np.isfinite(drawn)]
        low, high = np.percentile(drawn, [2.5, 97.5]) if len(drawn) else (math.nan, math.nan)
        return {"value": _number(part[:, 0].mean() / whole[:, 0].mean()), "low": _number(low), "high": _number(high)}

    def deltas(self, arm: str, measure: str) -> np.ndarray:
        """Difference to real pictures only for each seed that both have, on the whole test ``(S,)``."""
        return self._delta(arm, measure)[:, 0]

    def _delta(self, arm: str, measure: str, seeds: Sequence[int] = (), *, against: str = REAL) -> np.ndarray:
        shared = list(seeds) or sorted(set(self.seeds[arm]) & set(self.seeds[against]))
        own, other = (
            self.values[name, measure][[self.seeds[name].index(seed) for seed in shared]] for name in (arm, against)
        )
        return own - other


def drawn_means(table: np.ndarray) -> np.ndarray:
    """Means over drawn seeds, each on its draw of clips ``(draws,)``. table: ``(S, 1 + draws)``; column 0 is left out.

    The spread that drawing seeds adds is widened by t / z * sqrt(S / (S - 1)): a percentile interval of few values
    would otherwise miss the true value three times as often as it states.
    Source: Hesterberg 2015, arXiv:1411.5279, the expanded percentile interval.
    """
    seeds, columns = table.shape
    rows = numpy_rng("gain seeds", seeds).integers(seeds, size=(seeds, columns))
    drawn, whole = table[rows, np.arange(columns)].mean(0), table.mean(0)
    if seeds > 1:
        drawn = whole + (drawn - whole) * stats.t.ppf(0.975, seeds - 1) / 1.96 * math.sqrt(seeds / (seeds - 1))
    return drawn[1:]


def _summary(values: np.ndarray, drawn: np.ndarray) -> dict:
    drawn = drawn[np.isfinite(drawn)]
    low, high = np.percentile(drawn, [2.5, 97.5]) if len(values) > 1 and len(drawn) else (math.nan, math.nan)
    return {"value": _number(values.mean()), "low": _number(low), "high": _number(high)}


def _number(value: float) -> float | None:
    return round(float(value), 5) if math.isfinite(value) else None


def says(low: float | None, high: float | None) -> str:
    """The verdict of an interval of a difference: gain, harm, or no gain; no gain without an interval."""
    if low is None or high is None:
        return NO_GAIN
    return GAIN if low > 0 else HARM if high < 0 else NO_GAIN


def subject_of(study: GainStudy) -> str:
    """The groups whose mean AP50 is the subject of a study, as :meth:`Judged.value` takes them."""
    return "+".join(study.rare_groups) or ALL


def measures_of(judged: Judged, subject: str = ALL) -> tuple[Measure, ...]:
    """AP50 of rare clips first (the subject of the study), their AP, groups, then every other slice that has
    objects."""
    names = [piece.name for piece in judged.slices]
    wanted = [Measure(RARE, RARE, subject), Measure("rare_ap", RARE, subject, all_overlaps=True)]
    wanted += [Measure("pedestrian", RARE, "pedestrian"), Measure("cyclist", RARE, "cyclist")]
    wanted += [Measure("vehicle", RARE, "vehicle")] if subject != ALL else []
    wanted += [Measure(name, name) for name in names if name not in (RARE, ALL)]
    return tuple(each for each in (*wanted, Measure(ALL, ALL)) if judged.objects(each.piece, each.group))


def outcomes_of(bench: StudyData, runs: Sequence[ArmResult], *, draws: int = DRAWS) -> Outcomes:
    """Every measure of every run, on the whole test and on draws of its clips that all runs share."""
    rng = numpy_rng("gain clips", bench.test.num_clips)
    drawn = [rng.integers(bench.test.num_clips, size=bench.test.num_clips) for _ in range(draws)]
    seeds: dict[str, list[int]] = {}
    rows: dict[tuple[str, str], list[np.ndarray]] = {}
    measures: tuple[Measure, ...] = ()
    for run in runs:
        judged = bench.judged(run)
        measures = measures or measures_of(judged, subject_of(bench.study))
        seeds.setdefault(run.arm, []).append(run.seed)
        for measure in measures:
            values = [
                judged.value(measure.piece, measure.group, drawn=each, all_overlaps=measure.all_overlaps)
                for each in (None, *drawn)
            ]
            rows.setdefault((run.arm, measure.name), []).append(np.array(values))
    return Outcomes(measures, seeds, {key: np.stack(values) for key, values in rows.items()})


def power(values: Sequence[float], seeds: int, smallest: float, *, paired: bool = False) -> dict:
    """Whether a study with ``seeds`` runs per arm can detect a gain of ``smallest``, from the spread of some runs.

    values: of real-only runs, or with ``paired`` differences of an arm that cannot gain. Returns the spread (standard
    deviation over seeds), the least gain that is detected 4 times in 5, the seeds that ``smallest`` would need, and a
    note. The spread over test clips is not included; the intervals contain it.
    """
    spread = float(np.std(values, ddof=1)) * (1 if paired else math.sqrt(2))
    least = least_gain(spread, seeds)
    needed = next((n for n in range(2, MOST_SEEDS) if least_gain(spread, n) <= smallest), MOST_SEEDS)
    enough = least <= smallest
    note = f"{seeds} seeds detect a gain of {100 * least:.1f} AP50 points 4 times in 5"
    if not enough:
        note += f"; too few to detect {100 * smallest:.1f} points, which needs about {needed}"
    return {
        "runs": len(values), "spread": _number(spread), "least_gain": _number(least), "seeds_needed": needed,
        "enough": enough, "note": note,
    }  # fmt: skip


def least_gain(spread: float, seeds: int) -> float:
    """Gain that a two-sided 5 % t test over ``seeds`` differences of this spread detects 4 times in 5, approximately.

    Source: Cohen 1988, section 2.4, with Student's t in place of the normal for few seeds.
    """
    return float((stats.t.ppf(0.975, seeds - 1) + stats.t.ppf(0.8, seeds - 1)) * spread / math.sqrt(seeds))


def summarise(bench: StudyData, runs: Sequence[ArmResult], *, draws: int = DRAWS) -> dict:
    """The whole result as JSON-able values. ``runs`` must hold at least two of the real-only arm."""
    study, outcomes = bench.study, outcomes_of(bench, runs, draws=draws)
    names = [measure.name for measure in outcomes.measures]
    arms = {}
    for arm in (name for name in bench.arms if name in outcomes.seeds):
        mine = [run.seconds for run in runs if run.arm == arm]
        row = {
            "about": about_arm(arm),
            "steps": bench.steps(arm),
            "runs": len(mine),
            "seconds_a_run": round(np.mean(mine), 1),
            "pictures": sum(len(part) for part, _ in bench.arms[arm].parts),
            "clips": sum(part.num_clips for part, _ in bench.arms[arm].parts),
            "scores": {name: outcomes.mean(arm, name) for name in names},
        }
        if arm != REAL:
            row["difference"] = {name: outcomes.difference(arm, name) for name in names}
            row["recovered"] = outcomes.recovered(arm, RARE)
        if arm in study.added or arm == "restyled" or arm.startswith("synthetic_"):
            rivals = (*RIVALS, CONTROLS[0], *study.added) if arm in study.added else RIVALS
            row["against"] = {
                other: outcomes.difference(arm, RARE, against=other)
                for other in rivals
                if other in outcomes.seeds and other != arm
            }
        arms[arm] = row
    jobs = bench.jobs()
    done = {(run.arm, run.seed) for run in runs}
    control = outcomes.deltas(CONTROLS[0], RARE) if CONTROLS[0] in outcomes.seeds else ()
    spread_of = list(control if len(control) > 1 else outcomes.values[REAL, RARE][:, 0])
    record = {
        "study": _study(study), "test_clips": bench.test.num_clips, "test_pictures": len(bench.test),
        "objects": _objects(bench, runs[0], outcomes.measures),
        "power": power(spread_of, study.seeds, study.smallest_gain, paired=len(control) > 1),
        "arms": arms, "waiting": bench.waiting, "missing": [f"{a} seed {s}" for a, s in jobs if (a, s) not in done],
        "checks": checks(arms), "cost": {"seconds": round(base_seconds(bench) + sum(run.seconds for run in runs), 1)},
    }  # fmt: skip
    return record | {"sentences": sentences(record)}


def _study(study: GainStudy) -> dict:
    """The study's settings; of URLs only the last part, because the rest belongs to one machine."""
    record = asdict(study)
    for value in record.values():
        if isinstance(value, dict) and "url" in value:
            value["url"] = _last_parts(value["url"])
    for source in record["added"].values():
        source["url"] = _last_parts(source["url"])
    return record | {"checkpoint": study.checkpoint.rstrip("/").rsplit("/", 1)[-1]}


def _last_parts(urls: str) -> str:
    return ",".join(url.strip().rstrip("/").rsplit("/", 1)[-1] for url in urls.split(",") if url.strip())


def _objects(bench: StudyData, run: ArmResult, measures: Sequence[Measure]) -> dict[str, int]:
    judged = bench.judged(run)
    return {each.name: judged.objects(each.piece, each.group) for each in measures}


def checks(arms: dict[str, dict]) -> dict[str, dict]:
    """Whether the study finds gain with the oracle, no gain with duplicates, and harm with shuffled labels.

    Shuffled labels are judged on all clips, because their cost shows only where precision was high before.
    """
    out = {}
    for name, expected in ((ORACLE, GAIN), (CONTROLS[0], NO_GAIN), (CONTROLS[1], HARM)):
        if name in arms:
            changes = arms[name]["difference"]
            on = ALL if name == CONTROLS[1] else RARE
            found = changes[on]["says"]
            out[name] = {"on": on, "expected": expected, "found": found, "holds": found == expected}
    return out


def _points(change: dict) -> str:
    """A difference in AP50 points with its interval."""
    ends = ", ".join(f"{100 * change[k]:+.1f}" if change[k] is not None else "?" for k in ("low", "high"))
    return f"{100 * change['value']:+.1f} [{ends}]"


def sentences(record: dict) -> list[str]:
    """The result in sentences: one for each arm, then the outcome of the checks and the power of the study."""
    out = []
    for name, row in record["arms"].items():
        if name == REAL:
            continue
        change, share = row["difference"][RARE], row["recovered"]
        text = f"{name}: {change['says']}: {_points(change)} AP50 points on rare clips, {change['pairs']} pairs"
        if share and name not in (ORACLE, *CONTROLS):
            ends = " to ".join("?" if share[k] is None else f"{100 * share[k]:.0f}" for k in ("low", "high"))
            text += f"; {100 * share['value']:.0f} % [{ends}] of the oracle's gain"
        for other, rival in row.get("against", {}).items():
            text += f"; against {other} {rival['says']}, {_points(rival)}"
        out.append(f"{text}.")
    failed = [name for name, check in record["checks"].items() if not check["holds"]]
    if failed:
        out.append(f"The study fails its own check of {', '.join(failed)}, so the statements above are not reliable.")
    elif len(record["checks"]) == 3:
        on = record["checks"][CONTROLS[1]]["on"]
        out.append(
            f"The study finds the oracle's gain, none from duplicates, and harm from shuffled labels (on {on} clips)."
        )
    common = [
        name for name, row in record["arms"].items() if row.get("difference", {}).get(COMMON, {}).get("says") == HARM
    ]
    if common:
        out.append(f"These arms harm on common clips: {', '.join(common)}.")
    out.append(record["power"]["note"][0].upper() + record["power"]["note"][1:] + ".")
    return out
