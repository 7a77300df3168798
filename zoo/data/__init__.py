"""Labelled data of every kind zoo reads by itself, and how it is split."""
