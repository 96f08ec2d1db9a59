"""Words to scenario, scene, labels and a rendered clip, without a network."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from worldgen.cli import scenes_render

if TYPE_CHECKING:
    from worldgen.prompts import ParsedPrompt

EXAMPLES = """examples:
  worldgen scenes parse "two cyclists on the left at dusk, no rain"
  worldgen scenes parse --json "a child runs out from between parked cars"
  worldgen scenes list"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The sub-commands of ``worldgen scenes``."""
    parser.epilog = EXAMPLES
    commands = parser.add_subparsers(dest="scenes_command", metavar="COMMAND", required=True, title="commands")
    parse = commands.add_parser(
        "parse",
        help="what a prompt means, what was assumed and what was not understood",
        description="Show the scenario of a prompt, what was assumed and which words were not understood.",
    )
    parse.add_argument("prompt", metavar="PROMPT", nargs="+", help="a driving scene in plain words")
    parse.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    listing = commands.add_parser(
        "list", help="the library of rare events", description="List the library of rare events."
    )
    listing.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    line = (scenes_render.__doc__ or "").strip()
    render = commands.add_parser("render", help="render a prompt's scene to a labelled clip", description=line)
    scenes_render.add_arguments(render)


def run(args: argparse.Namespace) -> int:
    """Run the chosen sub-command."""
    return {"parse": _parse, "list": _list, "render": scenes_render.run}[args.scenes_command](args)


def _parse(args: argparse.Namespace) -> int:
    import json

    from worldgen.prompts import parse

    parsed = parse(" ".join(args.prompt))
    if args.json:
        print(json.dumps(parsed.to_json(), indent=2, ensure_ascii=False))
        return 0
    for title, rows in _report(parsed).items():
        print(title)
        width = max((len(name) for name, _ in rows), default=0)
        for name, value in rows:
            print(f"  {name:<{width}}  {value}".rstrip())
    return 0


def _report(parsed: ParsedPrompt) -> dict[str, list[tuple[str, str]]]:
    """Titles of the report on a prompt, each with its rows of a name and a value."""
    scenario = parsed.scenario
    agents = [f"{a.count} {a.kind} {a.place}" if a.count else f"no {a.kind} {a.place}" for a in scenario.agents]
    fields = [(name, getattr(scenario, name)) for name in ("weather", "light", "road", "manoeuvre")]
    fields += [("agents", ", ".join(agents) or "none asked for"), ("events", ", ".join(scenario.events) or "none")]
    fields += [("duration_s", f"{scenario.duration_s:g}")]
    report = {"scenario": fields}
    report["understood"] = [(f'"{u.text}"', f"{u.field}: {u.value}") for u in parsed.understood]
    report["assumed"] = [(f"{a.field}: {a.value}", a.why) for a in parsed.assumed]
    missed = ", ".join(f'"{word}"' for word in parsed.not_understood)
    report[f"not understood: {missed or 'nothing'}"] = []
    return report


def _list(args: argparse.Namespace) -> int:
    import json

    from worldgen.simulation.events import EVENTS

    if args.json:
        rows = [
            {"name": name, "definition": e.definition, "ttc_range_s": list(e.ttc_range_s), "roads": list(e.roads)}
            for name, e in sorted(EVENTS.items())
        ]
        print(json.dumps(rows, indent=2))
        return 0
    width = max(map(len, EVENTS))
    for name, event in sorted(EVENTS.items()):
        low, high = event.ttc_range_s
        print(f"{name:<{width}}  {event.definition}")
        print(f"{'':<{width}}  time to collision {low:g} to {high:g} s; {', '.join(event.roads)}")
    print(f"{len(EVENTS)} events; name them in a prompt in your own words, or exactly as written here")
    return 0
