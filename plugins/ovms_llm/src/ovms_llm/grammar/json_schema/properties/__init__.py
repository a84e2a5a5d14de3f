"""Objects as grammars: names of properties, their order, and what may follow those that are declared."""
