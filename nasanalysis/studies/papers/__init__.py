"""Published works, page by page: their figures beside ours, and a verdict for every claim of theirs."""
