"""What an offer beside a product adds: purchases beyond those that popularity and basket size explain."""
