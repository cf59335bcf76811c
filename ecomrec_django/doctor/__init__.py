"""An examination of the installation and of the shop's adapter, with a remedy for each problem."""
