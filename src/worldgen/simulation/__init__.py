"""From a scenario to a scene: a `Scenario` and a seed go in; a `Scene` (road, ego motion, agents, weather, light) comes out.

`simulate.py` leads through it: road, ego path, events, requested agents, background traffic, checks, static objects.
"""
