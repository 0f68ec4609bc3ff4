"""Records what a client and a gateway say to each other."""
