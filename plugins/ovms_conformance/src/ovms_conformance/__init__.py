"""Finds out which features of OpenAI's interface and its relatives a server has, over plain HTTP.

`feature` says what a feature is, `features` has them all in groups, `examination` asks a server for one after the
other, `report` shows the findings, `command` is ``ovms conformance``.
"""

__version__ = "0.1.0"
