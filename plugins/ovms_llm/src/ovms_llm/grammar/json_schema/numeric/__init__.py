"""Numbers as grammars: which fit bounds and multiples, digit by digit."""
