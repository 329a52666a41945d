"""Tensors: the torch twins of `netseg.geometry`, tested against it, and files that hold weights."""
