"""Recurrent networks on shopper histories; `gru` is the half that a web process runs, with numpy alone."""
