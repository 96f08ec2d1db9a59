"""Runs of recipes: a recipe comes in, jobs of attempts fill its cells, a data set with its quarantine goes out."""
