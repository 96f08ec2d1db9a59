"""Training of the shipped instruments and the measurement of their accuracy; only the recipes in ``pipelines`` use
it."""
