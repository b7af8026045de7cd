"""``[[multiverse]]`` items: one claim in every defensible setting."""
