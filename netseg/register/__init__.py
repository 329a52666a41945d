"""Scans of different days brought into one frame.

`scans.register_scans` registers a control scan with a planning scan, `transport` carries points,
distances and lesions through the result, `livers.align_livers` brings two liver outlines together.
"""
