"""The page of results copies its numbers, and the script that makes them names commands that exist."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from worldgen.cli.main import build_parser

REPOSITORY = Path(__file__).resolve().parents[1]


def _page(tmp_path, results):
    folder = tmp_path / "results"
    folder.mkdir()
    for name, record in results.items():
        (folder / f"{name}.json").write_text(json.dumps(record), encoding="utf-8")
    script = REPOSITORY / "eval" / "make_results.py"
    command = [sys.executable, str(script), "--results", str(folder), "--out", str(tmp_path / "RESULTS.md")]
    subprocess.run(command, check=True, capture_output=True)
    return (tmp_path / "RESULTS.md").read_text(encoding="utf-8")


def test_the_page_copies_what_the_files_say(tmp_path):
    page = _page(
        tmp_path,
        {
            "gain_controlled": {
                "sentences": ["Synthetic clips: no gain."],
                "arms": {"oracle": {"difference": _interval(0.123)}},
            },
            "fvd": {
                "line": "fd-worldgen 12.34 [10, 14]", "command": "worldgen eval fvd", "value": 12.34,
                "warnings": ["few clips"],
                "cost": {"seconds": 60.0, "cpu_seconds": 50.0, "peak_memory_mb": 700},
                "slices": {"night": {"generated_clips": 20, "kernel_distance": 1.5, "interval_95": [1.0, 2.0]}},
            },
            "control": {"all": {"speed_spearman": _interval(0.9), "undefined": _interval(None)}},
            "memorisation_check": {
                "sentence": "48 of 48 found", "false_alarms": {"pixels": _share(1, 36)},
                "planted": {"exact": _share(12, 12) | {"required": True, "scores": {"least": 0.9, "most": 1.0}}},
            },
        },
    )  # fmt: skip
    for text in (
        "Synthetic clips: no gain.", "| arms.oracle.difference | 0.123 |", "fd-worldgen 12.34 [10, 14]",
        "Warning: few clips.",
        "| night | 20 | 1.5 | 1 to 2 |", "60.0 s, 50.0 s of processor time, 700 MB of memory at most",
        "| all.speed_spearman | 0.9 |",
        "not defined", "| exact | 12 of 12 |", "| false alarms, pixels | 1 of 36 |", "`worldgen eval fvd`",
    ):  # fmt: skip
        assert text in page, text
    assert page.index("## fvd") < page.index("## memorisation check") < page.index("## control") < page.index("## gain")


def test_a_detector_study_is_a_table_of_its_arms(tmp_path):
    arm = {"about": "words", "pictures": 10, "steps": 5, "runs": 5, "scores": {"rare": _interval(0.25)}}
    better = arm | {"difference": {"rare": {"value": 0.05, "low": 0.01, "high": 0.09}}, "recovered": _interval(0.5)}
    record = {
        "measure": "gain", "objects": {"rare": 7}, "test_clips": 3, "test_pictures": 6,
        "arms": {"real": arm, "made": better},
        "sentences": ["made: gain."],
    }  # fmt: skip
    page = _page(tmp_path, {"gain_told": record})
    for text in (
        "- made: gain.",
        "| made | words | 10 | 5 | 5 | 0.25 | 0.5 [0.5, 0.5] |",
        "| made | +5.0 [+1.0, +9.0] |",
    ):
        assert text in page, text
    assert "arms.made" not in page


def _interval(value):
    return {"value": value, "low": value, "high": value, "clips": 10}


def _share(found, clips):
    return {"found": found, "clips": clips, "share": found / clips, "interval_95": [0.1, 0.9]}


def test_results_on_the_page_are_those_in_the_files(tmp_path):
    """The committed page is what the committed files give."""
    page = REPOSITORY / "eval" / "RESULTS.md"
    if not page.is_file():
        pytest.skip("no results yet: eval/run_all.sh makes them")
    script = REPOSITORY / "eval" / "make_results.py"
    made = tmp_path / "RESULTS.md"
    subprocess.run([sys.executable, str(script), "--out", str(made)], check=True, capture_output=True)
    assert made.read_text(encoding="utf-8") == page.read_text(encoding="utf-8"), "run: python eval/make_results.py"


@pytest.mark.parametrize(
    ("script", "least"), [("run_all", 7), ("run_gain", 9), ("run_model", 6), ("run_realism", 2), ("run_steps", 1)]
)
def test_every_command_of_the_scripts_parses(script, least):
    text = re.sub(r"\\\n", " ", (REPOSITORY / "eval" / f"{script}.sh").read_text(encoding="utf-8"))
    lines = re.findall(r"^\s*worldgen (\w+ [^|\n]*--.*)$", text, re.MULTILINE)
    assert len(lines) >= least
    for line in lines:
        plain = re.sub(r'"?\$\{\w+(:\+"?\$\w+"?|\[@\])\}"?', "", line.split("||")[0].split(" #")[0])
        plain = plain.replace('"$measure"', "control")
        arguments = shlex.split(re.sub(r"\$\{?\w+\}?", "1", plain))
        build_parser(arguments[0]).parse_args(arguments)


def test_protocols_are_there():
    text = (REPOSITORY / "eval" / "PROTOCOL.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\((protocols/[\w.]+)\)", text)
    assert len(links) == 9 and all((REPOSITORY / "eval" / link).is_file() for link in links)
    for link in links:
        page = (REPOSITORY / "eval" / link).read_text(encoding="utf-8")
        assert "falsify" in page and "**Claim.**" in page and "eval/" in page, link


def test_every_number_of_the_page_says_which_weights_it_is_of(tmp_path):
    """The page that is committed is the one that the script makes now."""
    page = (REPOSITORY / "eval/RESULTS.md").read_text(encoding="utf-8")
    script = REPOSITORY / "eval" / "make_results.py"
    subprocess.run([sys.executable, str(script), "--out", str(tmp_path / "now.md")], check=True, capture_output=True)
    assert (tmp_path / "now.md").read_text(encoding="utf-8") == page
    shipped = json.loads((REPOSITORY / "assets/model/training.json").read_text(encoding="utf-8"))["weights_hash"]
    sections = page.split("\n## ")[1:]
    assert len(sections) > 10 and shipped in page.split("\n## ")[0]
    for section in sections:
        [line] = [line for line in section.splitlines() if line.startswith("Weights: ")]
        assert "not recorded" not in line, section[:60]
        older = "older than the shipped ones" in line
        named = re.findall(r"`([0-9a-f]{12})`", line)
        assert older == any(not shipped.startswith(name) for name in named) or (older and not named), line


def test_the_weights_of_a_result_are_those_of_its_record(tmp_path):
    page = _page(tmp_path, {"control": {"weights_hash": "0123456789abcdef"}, "fvd": {}})
    assert "Weights: `0123456789ab`, **older than the shipped ones**" in page and "Weights: not recorded." in page
