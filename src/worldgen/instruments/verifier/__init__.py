"""The verifier of labels; a clip and boxes enter, the class and the fit of each box leave."""
