"""Heads: what is trained on feature rows. zoo.builtins names them; nothing is imported."""
