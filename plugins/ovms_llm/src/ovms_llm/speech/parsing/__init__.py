"""From the text of a model to what it means, piece by piece: what the parsers of all formats are made of."""
