"""Files by path and URL: atomic writes, locks, journals, retries, tar archives, configs. No contents."""
