"""Convolutional networks on product images."""
