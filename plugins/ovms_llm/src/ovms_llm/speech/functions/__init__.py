"""The functions that a model may call: their parameters, values as models write them, and grammars of calls."""
