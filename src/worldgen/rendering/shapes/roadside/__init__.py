"""Shapes along the road: buildings and plants."""
