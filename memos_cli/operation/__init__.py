"""The middle layer: finding memories, planning what the model reads, and the life of a cube."""
