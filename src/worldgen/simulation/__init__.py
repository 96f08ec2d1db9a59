"""A `Scenario` and a seed go in; a `Scene` (road, ego motion, agents, weather, light) comes out.

`simulate.py` shows the order: road, ego path, events, requested agents, background traffic, checks, static objects.
"""
