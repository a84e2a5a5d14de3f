"""Where engines run. Nothing outside this package knows that a worker is a local process."""
