"""``[[leaderboard]]`` items: all proxies on one table, and which one to use at which budget."""
