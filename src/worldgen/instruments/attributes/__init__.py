"""The attribute reader; windows of three frames enter, probabilities of weather, light and presence of road users
leave."""
