"""Items that are no ranking of proxies: ``[[table]]`` of a study file."""
