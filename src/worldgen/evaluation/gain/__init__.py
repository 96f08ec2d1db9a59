"""The detector-gain study; a config and data sets enter, differences between training arms with paired intervals
leave."""
