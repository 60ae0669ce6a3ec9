"""Measure the speed-up by the forms of memory on this machine."""
