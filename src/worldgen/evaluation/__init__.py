"""Measures of clips; clips with what was asked of them enter, numbers with confidence intervals leave."""
