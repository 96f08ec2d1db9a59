"""Notebooks and the Python of every page run as they stand, in a folder of their own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
PAGES = sorted([REPOSITORY / "README.md", *(REPOSITORY / "docs").rglob("*.md")])
NOTEBOOKS = sorted((REPOSITORY / "examples").glob("*.ipynb"))
REACHABLE = ("assets", "configs")
"""Folders of the repository that pages and notebooks name by relative paths."""

EXECUTE = """
import sys
import nbclient, nbformat
notebook = nbformat.read(sys.argv[1], as_version=4)
nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3").execute()
print(sum(len(cell.get("outputs", ())) for cell in notebook.cells))
"""


def python_blocks(page: Path) -> list[str]:
    """The ```python fences of a page, in order."""
    return re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


PAGES_WITH_PYTHON = [page for page in PAGES if python_blocks(page)]


def name(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


@pytest.fixture
def workplace(tmp_path) -> Path:
    """An empty folder from which the repository's example files can be reached."""
    for folder in REACHABLE:
        (tmp_path / folder).symlink_to(REPOSITORY / folder)
    return tmp_path


def run(arguments: list[str], folder: Path) -> str:
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "DISPLAY": "", "WAYLAND_DISPLAY": ""}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def test_the_extraction_finds_the_blocks():
    assert REPOSITORY / "README.md" in PAGES_WITH_PYTHON
    assert all("worldgen" in "".join(python_blocks(page)) for page in PAGES_WITH_PYTHON)


@pytest.mark.parametrize("page", PAGES_WITH_PYTHON, ids=name)
def test_the_python_of_each_page_is_python(page):
    for block in python_blocks(page):
        compile(block, name(page), "exec")


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES_WITH_PYTHON, ids=name)
def test_the_python_of_each_page_runs(page, workplace):
    script = workplace / "page.py"
    script.write_text("\n".join(python_blocks(page)), encoding="utf-8")
    run([str(script)], workplace)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=name)
def test_notebooks_are_valid_and_hold_no_output(notebook):
    nbformat = pytest.importorskip("nbformat", reason="needs nbformat; pip install -e '.[test]'")
    read = nbformat.read(notebook, as_version=4)
    nbformat.validate(read)
    code = [cell for cell in read.cells if cell.cell_type == "code"]
    assert len(code) >= 5 and read.cells[0].cell_type == "markdown"
    assert all(not cell.outputs and cell.execution_count is None for cell in code)


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=name)
def test_notebooks_run(notebook, workplace):
    pytest.importorskip("nbclient", reason="needs nbclient and ipykernel; pip install -e '.[test]'")
    pytest.importorskip("ipykernel", reason="needs nbclient and ipykernel; pip install -e '.[test]'")
    assert int(run(["-c", EXECUTE, str(notebook)], workplace)) >= 5


def test_there_are_notebooks_for_the_first_steps_and_for_a_fleet():
    assert {path.name for path in NOTEBOOKS} >= {"quickstart.ipynb", "fleet.ipynb"}
