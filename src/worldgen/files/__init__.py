"""Files by path and URL: atomic writes, locks, journals, retries, tar archives, configs. Nothing here knows a clip."""
