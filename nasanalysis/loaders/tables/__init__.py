"""Tables: other people's files, described in TOML."""
