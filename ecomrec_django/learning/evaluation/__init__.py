"""How well offers predict purchases, with confidence intervals; A/B tests and off-policy estimates."""
