"""Millimetres in numpy: frames, affines, resampling, distances, components (the reference)."""
