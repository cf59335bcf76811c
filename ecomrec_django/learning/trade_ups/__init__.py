"""What shoppers trade up to: learned from a shop's own trade-ups."""
