"""Proofs that the store never loses a row and never lies: small counts in tests, large by hand."""
