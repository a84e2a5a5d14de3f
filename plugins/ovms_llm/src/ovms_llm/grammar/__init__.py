"""Grammars: what an answer must look like, checked and written for XGrammar. Pure Python; used by the server."""
