"""Threads beside the event loop, for what it cannot do while something holds it. `serve` alone imports them."""
