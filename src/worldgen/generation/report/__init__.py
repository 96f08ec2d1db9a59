"""The report of a data set or run: the index, the run's record and its samples come in, one browser page goes out."""
