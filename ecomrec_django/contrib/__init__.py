"""Integrations with third-party packages, one file each. Imports catalog and tracking."""
