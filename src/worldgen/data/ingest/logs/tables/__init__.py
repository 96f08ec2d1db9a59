"""Tables as loggers write them: text, JSON, Parquet, Feather, NumPy and GPX files as columns of cells."""
