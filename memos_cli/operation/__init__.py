"""The middle layer: search memories, plan prompts, and manage the states of a cube."""
