"""Groups of shoppers who behave alike."""
