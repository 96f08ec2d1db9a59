"""``python -m worldgen``, the form that process launchers such as ``accelerate launch -m worldgen`` need."""

from __future__ import annotations

from worldgen.cli.main import command_line

if __name__ == "__main__":
    raise SystemExit(command_line())
