"""Speed claims: one file a claim, each prints one line of JSON. ``python -m bench`` runs them all."""
