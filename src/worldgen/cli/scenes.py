"""Words to scenario, scene, labels and a rendered clip, without a network."""

from __future__ import annotations

import argparse
import importlib
import importlib.util

RENDER = "worldgen.cli.scenes_render"
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
    if importlib.util.find_spec(RENDER):
        module = importlib.import_module(RENDER)
        line = (module.__doc__ or "").strip()
        render = commands.add_parser("render", help="render a prompt's scene to a labelled clip", description=line)
        module.add_arguments(render)


def run(args: argparse.Namespace) -> int:
    """Run the chosen sub-command."""
    if args.scenes_command == "render":
        return int(importlib.import_module(RENDER).run(args) or 0)
    return {"parse": _parse, "list": _list}[args.scenes_command](args)


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


def _report(parsed) -> dict[str, list[tuple[str, str]]]:
    """Titles and rows of the report on a ParsedPrompt."""
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

    rows = [
        {"name": name, "definition": e.definition, "ttc_range_s": list(e.ttc_range_s), "roads": list(e.roads)}
        for name, e in sorted(EVENTS.items())
    ]
    if args.json:
        print(json.dumps(rows, indent=2))
        return 0
    width = max(len(row["name"]) for row in rows)
    for row in rows:
        low, high = row["ttc_range_s"]
        print(f"{row['name']:<{width}}  {row['definition']}")
        print(f"{'':<{width}}  time to collision {low:g} to {high:g} s; {', '.join(row['roads'])}")
    print(f"{len(rows)} events; name them in a prompt in your own words, or exactly as written here")
    return 0
