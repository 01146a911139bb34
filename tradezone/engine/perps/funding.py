"""Funding: the hourly rate and index (``docs/spec/funding.md``)."""
