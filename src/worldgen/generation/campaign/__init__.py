"""Runs of recipes: a recipe comes in, jobs of attempts fill its cells, a data set of accepted and refused clips goes out."""
