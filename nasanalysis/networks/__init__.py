"""Live networks (torch; extra ``supernet``): what the network of an architecture, or of a whole space, is."""
