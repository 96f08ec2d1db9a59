"""Commands that cut objects out of labelled pictures and put objects in."""
