"""``[[ranks]]`` items: proxies over several truths, by their mean rank."""
