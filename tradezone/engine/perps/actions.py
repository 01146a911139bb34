"""Actions of owners on pools: margin, leverage, allowances, funds (``docs/spec/pools.md``)."""
