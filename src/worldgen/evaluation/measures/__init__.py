"""Measures of single clips against their requests; held-out trials or stored clips enter, scores with intervals
leave."""
