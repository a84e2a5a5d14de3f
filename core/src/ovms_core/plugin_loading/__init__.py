"""Finds the plugins, asks what they offer, and says how what wraps requests nests."""
