"""Recipes: every script of benchmarks, pipelines and eval finds what it imports and shows its help."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
FOLDERS = ("benchmarks", "pipelines", "eval")
HELP_OF_ALL = """
import contextlib, io, runpy, sys
from pathlib import Path

for script in map(Path, sys.argv[1:]):
    sys.argv, text = [str(script), "--help"], io.StringIO()
    sys.path[0] = str(script.parent)  # as Python sets it for "python SCRIPT"
    try:
        with contextlib.redirect_stdout(text):
            runpy.run_path(str(script), run_name="__main__")
        print(f"{script}: --help did not end the script")
    except SystemExit as stop:
        if stop.code or "usage:" not in text.getvalue():
            print(f"{script}: exit code {stop.code}, {text.getvalue()[:200]!r}")
    except BaseException as error:
        print(f"{script}: {type(error).__name__}: {error}")
"""


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_script_shows_its_help(folder):
    """The scripts of a folder run in one process, so that heavy libraries load once."""
    scripts = sorted((REPOSITORY / folder).glob("*.py"))
    assert scripts
    names = [str(script) for script in scripts if script.name != "model_card.py"]  # a module of publish_model.py
    command = [sys.executable, "-c", HELP_OF_ALL, *names]
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stdout, done.stdout
