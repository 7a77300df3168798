"""Frozen trunks by the library that runs them, and how their outputs become rows."""
