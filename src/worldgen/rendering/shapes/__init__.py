"""Shapes for ray casting: smooth triangle meshes of vehicles, people and the things along the road."""
