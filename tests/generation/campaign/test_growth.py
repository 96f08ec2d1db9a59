"""A published set that grows: what is there stays as it is, and a kill on the way ends with the same bytes."""

from __future__ import annotations

import dataclasses
import json
import os

import pytest

from tests.data.samples import make_sample
from tests.generation import rig
from worldgen.core.errors import InputError
from worldgen.core.seeds import stable_hash
from worldgen.data.dataset.index import DataSet, build_index
from worldgen.data.dataset.sample_files import canonical_json, encode_sample
from worldgen.data.dataset.shards import ShardWriter
from worldgen.data.dataset.validate import validate
from worldgen.generation.campaign.campaign import Campaign
from worldgen.generation.campaign.job import AttemptRecord, JobRecord, digest_of, write_record
from worldgen.generation.campaign.runner import InProcessRunner


class Killed(BaseException):
    """A kill as code sees it: no handler catches it and nothing is cleaned up."""


SAMPLE = make_sample("k", 0)
MEMBERS = encode_sample(SAMPLE)


class CheapWorker:
    """Copies one sample under new keys; some attempts give no clip and some are refused."""

    def run(self, job) -> JobRecord:
        tries, samples = [], []
        for attempt in range(job.first, job.first + job.attempts):
            outcome = stable_hash("cheap", job.cell.key, attempt) % 10
            key = "" if outcome == 0 else f"gen_{job.cell.key}_{attempt}"[:80]
            tries.append(AttemptRecord(attempt, key, outcome > 3, () if outcome > 3 else ("blurry",)))
            if key:
                card = {"accepted": outcome > 3, "reasons": list(tries[-1].reasons), "sharpness": outcome / 10}
                record = json.loads(MEMBERS["json"]) | {"key": key, "drive": key, "scorecard": card}
                samples.append((key, MEMBERS | {"json": canonical_json(record, "record")}))
        with ShardWriter(job.url, job.name) as writer:
            for key, members in samples:
                writer.write_members(key, members)
        record = JobRecord(job.cell.key, job.number, tuple(tries), "0" * 32, digest_of(samples), 1, {"all": 1.0})
        write_record(job, record)
        return record


def go(recipe, worker=CheapWorker) -> Campaign:
    run = Campaign(recipe, InProcessRunner(worker), lambda line: None, page=False)
    list(run.steps())
    return run


def grown(recipe, clips: int):
    """The recipe with ``clips`` more of each cell."""
    cells = [dataclasses.replace(group, count=group.count + clips) for group in recipe.cells]
    return dataclasses.replace(recipe, cells=cells)


def shards_of(folder) -> dict[str, tuple[int, bytes]]:
    return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.glob("*.tar")}


def test_more_clips_add_shards_and_rewrite_none(tmp_path):
    recipe = rig.recipe(tmp_path / "out")
    go(recipe)
    before, rows = shards_of(tmp_path / "out"), list(DataSet(str(tmp_path / "out")).rows)
    go(grown(recipe, 1))
    after = shards_of(tmp_path / "out")
    assert before.items() <= after.items() and len(after) > len(before)
    data = DataSet(str(tmp_path / "out"))
    assert len(data.select(accepted=True)) == 7
    kept = {row["key"]: row for row in data.rows}
    assert all(kept[row["key"]] == row for row in rows)
    assert validate(str(tmp_path / "out")).problems == []
    # The index that was added to is the one that a scan of all shards gives.
    content = (tmp_path / "out" / "index.parquet").read_bytes(), (tmp_path / "out" / "dataset.json").read_bytes()
    build_index(str(tmp_path / "out"))
    assert (
        (tmp_path / "out" / "index.parquet").read_bytes(),
        (tmp_path / "out" / "dataset.json").read_bytes(),
    ) == content
    # It grows again, and a set that is made at once holds the same samples.
    go(grown(recipe, 4))
    go(grown(rig.recipe(tmp_path / "once"), 4))
    grew, once = DataSet(str(tmp_path / "out")), DataSet(str(tmp_path / "once"))
    assert {row["key"] for row in grew.rows} == {row["key"] for row in once.rows}
    assert all(grew.members(row["key"]) == once.members(row["key"]) for row in once.rows)


def test_a_growing_set_reads_only_the_jobs_that_it_adds(tmp_path, monkeypatch):
    from worldgen.generation.campaign import publish

    recipe = rig.recipe(tmp_path / "out")
    go(grown(recipe, 20))
    read: list[str] = []
    verified = publish.verified_samples
    monkeypatch.setattr(publish, "verified_samples", lambda url, part: read.append(part.name) or verified(url, part))
    report = go(grown(recipe, 21)).report
    assert 1 <= len(read) <= 6 < report["jobs"] and len(read) == len(set(read))


def test_killed_at_every_write_of_growth_it_ends_with_the_same_bytes(tmp_path, monkeypatch):
    from worldgen.files import lock

    monkeypatch.setattr(lock.Lock, "release", lambda self: self._stop.set())
    monkeypatch.setattr(lock.Holder, "is_dead", lambda self: True)
    monkeypatch.setattr(lock, "BEAT_S", 3600.0)
    replace = os.replace
    whole = rig.recipe(tmp_path / "whole")
    go(whole)
    go(grown(whole, 2))
    wanted = rig.files_of(tmp_path / "whole")
    deaths = 0
    for after in (False, True):
        recipe, number = rig.recipe(tmp_path / f"killed-{after}"), 0
        go(recipe)
        while True:
            count = iter(range(1_000_000))

            def deadly(source, target, *args, count=count, number=number, after=after):
                last = next(count) == number
                if last and not after:
                    raise Killed
                replace(source, target, *args)
                if last:
                    raise Killed

            monkeypatch.setattr(os, "replace", deadly)
            try:
                go(grown(recipe, 2))
                break
            except Killed:
                deaths += 1
                number += 1
                DataSet(recipe.output)  # the set of before can still be read, or the grown one already
            finally:
                monkeypatch.setattr(os, "replace", replace)
        assert rig.files_of(tmp_path / f"killed-{after}") == wanted
    assert deaths >= 10


@pytest.mark.parametrize("change", ["fewer", "shard size", "no summary"])
def test_what_cannot_be_added_to_is_written_anew(tmp_path, change):
    recipe = rig.recipe(tmp_path / "out")
    go(grown(recipe, 2))
    asked = grown(recipe, 3)
    if change == "fewer":
        asked = recipe
    elif change == "shard size":
        asked = dataclasses.replace(asked, shard_size=2)
    else:
        (tmp_path / "out" / "dataset.json").unlink()
    go(asked)
    go(dataclasses.replace(asked, output=str(tmp_path / "fresh")))
    assert rig.files_of(tmp_path / "out") == rig.files_of(tmp_path / "fresh")


def test_a_damaged_job_of_the_growth_is_done_again(tmp_path):
    recipe = rig.recipe(tmp_path / "out")
    go(recipe)
    go(grown(recipe, 6))
    wanted = rig.files_of(tmp_path / "out")
    other = rig.recipe(tmp_path / "other")
    go(other)

    class Damaging(CheapWorker):
        """Cuts the shard of its third job, once."""

        jobs = 0

        def run(self, job):
            record = super().run(job)
            Damaging.jobs += 1
            if Damaging.jobs == 3:
                path = tmp_path / "other" / "jobs" / f"{job.name}.tar"
                path.write_bytes(path.read_bytes()[:700])
            return record

    run = go(grown(other, 6), Damaging)
    assert any("done again" in entry["what"] for entry in run.ledger.entries)
    assert rig.files_of(tmp_path / "other") == wanted


def test_a_damaged_published_shard_of_a_set_that_grew_is_restored(tmp_path):
    recipe = rig.recipe(tmp_path / "out")
    go(recipe)
    go(grown(recipe, 2))
    keys = {row["key"] for row in DataSet(recipe.output).rows}
    sorted((tmp_path / "out").glob("accepted-*.tar"))[0].unlink()
    go(grown(recipe, 2))
    assert {row["key"] for row in DataSet(recipe.output).rows} == keys and validate(recipe.output).problems == []


def test_a_published_shard_that_is_gone_is_not_added_to(tmp_path):
    """The jobs write all of it anew; without them the run says what is gone."""
    recipe = rig.recipe(tmp_path / "out")
    go(recipe)
    sorted((tmp_path / "out").glob("accepted-*.tar"))[0].unlink()
    go(grown(recipe, 2))
    assert validate(recipe.output).problems == [] and len(DataSet(recipe.output).select(accepted=True)) == 9
    with pytest.raises(InputError, match="sample key"):
        DataSet(recipe.output).row("gen_none")
