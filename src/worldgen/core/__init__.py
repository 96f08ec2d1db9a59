"""Types of the domain with their units, conversions between them, seeds and errors. No files, no clock, no devices."""
