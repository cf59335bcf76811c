"""What a web process runs to personalise offers. Imports numpy and nothing heavier."""
