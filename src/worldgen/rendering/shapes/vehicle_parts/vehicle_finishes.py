"""Finishes of vehicles. Albedos are linear; most are dark, as measured materials of cars are."""

from __future__ import annotations

from worldgen.rendering.shapes.solid import Finish

BODY_CODE, RIM_CODE, CARGO_CODE, DOOR_CODE = 1, 2, 3, 4
"""Codes: panels in the colour of the instance, faces of wheels, sides of cargo bodies with patches of their own, and
open doors, which have the colour of the instance but not the patches of the place where they are."""
PANEL_CODES = (BODY_CODE, DOOR_CODE)

BODY = Finish((0.45, 0.46, 0.47), gloss=1.0, code=BODY_CODE)
DOOR = BODY.but(code=DOOR_CODE)
GLASS = Finish((0.010, 0.011, 0.012), gloss=1.0, glass=True)
PRIVACY = Finish((0.006, 0.0065, 0.007), gloss=1.0)
BLACK = Finish((0.010, 0.010, 0.011), gloss=0.5)
TRIM = Finish((0.016, 0.016, 0.017), gloss=0.12)
GAP = Finish((0.004, 0.004, 0.004), gloss=0.1)
DARK = Finish((0.006, 0.006, 0.006))
CHROME = Finish((0.34, 0.35, 0.36), gloss=2.5)
STEEL = Finish((0.30, 0.31, 0.32), gloss=0.6)
HOUSING = Finish((0.11, 0.115, 0.12), gloss=2.0)
HEAD = Finish((0.52, 0.54, 0.56), gloss=2.0, lamp="head")
TAIL = Finish((0.20, 0.008, 0.010), gloss=1.5, lamp="tail")
TAIL_CORE = Finish((0.40, 0.020, 0.020), gloss=1.5, lamp="tail")
REFLECTOR = Finish((0.25, 0.02, 0.02), gloss=0.6)
AMBER = Finish((0.42, 0.16, 0.03), gloss=1.2, lamp="left")
CLEAR_AMBER = Finish((0.36, 0.27, 0.18), gloss=1.8, lamp="left")
REVERSE = Finish((0.50, 0.48, 0.45), gloss=1.5, lamp="reverse")
BEACON = Finish((0.55, 0.24, 0.02), gloss=1.0, lamp="beacon")
PLATE = Finish((0.50, 0.50, 0.46), gloss=0.2)
TYRE = Finish((0.024, 0.024, 0.025), gloss=0.03)
RIM = Finish((0.36, 0.37, 0.39), gloss=0.7, code=RIM_CODE)
STEEL_RIM = Finish((0.22, 0.225, 0.23), gloss=0.4, code=RIM_CODE)
# The lit ceiling of a bus, seen through the upper part of its windows.
BUS_GLASS = GLASS.but(lamp="window")
DISPLAY = Finish((0.05, 0.03, 0.01), gloss=0.5, lamp="warm")
WHITE = Finish((0.60, 0.60, 0.58), gloss=0.8)
GREY = Finish((0.20, 0.205, 0.21), gloss=0.5)
SEAT = Finish((0.024, 0.024, 0.027))
SKIN = Finish((0.30, 0.18, 0.13))
SHIRT = Finish((0.06, 0.07, 0.10))

FINISHES = {
    "body": BODY, "glass": GLASS, "privacy": PRIVACY, "black": BLACK, "trim": TRIM, "gap": GAP, "chrome": CHROME,
    "steel": STEEL, "housing": HOUSING, "head": HEAD, "tail": TAIL, "tail_core": TAIL_CORE, "reflector": REFLECTOR,
    "amber": AMBER, "clear_amber": CLEAR_AMBER, "reverse": REVERSE, "plate": PLATE, "bus_glass": BUS_GLASS,
    "display": DISPLAY, "white": WHITE, "grey": GREY, "beacon": BEACON,
}  # fmt: skip
"""Finishes that profiles name."""
