"""Finds out which features of OpenAI's interface and its relatives a server has, over plain HTTP.

`feature` says what a feature is, `features` has them all in groups, `server` is the server under examination,
`examination` asks it for one after the other, `report` shows the findings.
"""
