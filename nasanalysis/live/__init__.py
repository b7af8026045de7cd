"""Live supernets from a configuration: a folder of results and the commands that fill it."""
