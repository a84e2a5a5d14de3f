"""Small models that make the first command of ovms work with nothing else installed."""

__version__ = "0.1.0"
