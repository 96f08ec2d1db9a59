"""The commands of ``worldgen eval``; arguments enter, a table on the terminal and a JSON file leave."""
