"""``[[explain]]`` items: why proxies rank as they do."""
