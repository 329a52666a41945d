"""The torch twins of `netseg.geometry`, tested against it."""
