"""Data sets by world models: requests, recipes and labelled clips come in, verified and labelled clips go out."""
