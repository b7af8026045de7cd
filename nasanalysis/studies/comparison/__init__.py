"""Items that set proxies against a truth: ``[[compare]]`` of a study file."""
