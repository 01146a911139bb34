"""All suites; a package, because some library installs a top-level `tests` of its own."""
