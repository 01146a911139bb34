"""Ape commands, a noun each; files that begin with an underscore are what they share.

A package on purpose: while Ape loads a script it takes the parent of a *namespace* package off the path, and
with it this project.
"""
