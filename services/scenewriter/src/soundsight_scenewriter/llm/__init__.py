"""The language model's writer: it fills the planner's plan as the rules do, with a model's words.

The rules write first. The model then replaces what it can say better, piece by piece, and what it
cannot say well enough stays as the rules have it. Indices, times and ids are never the model's.
"""
