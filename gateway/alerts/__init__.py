"""Telling people: what an alert says, and how it gets to them."""
