"""Regular expressions, parsed and made nodes."""
