"""The detector of road users, its training and its labelled pictures; frames enter, boxes with groups and scores
leave."""
