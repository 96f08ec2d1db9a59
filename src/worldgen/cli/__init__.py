"""The command line: arguments enter, lines on the terminal and exit codes leave. The only room that prints."""
