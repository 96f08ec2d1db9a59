"""Inputs that nobody meant: thousands of damaged files through every reader."""
