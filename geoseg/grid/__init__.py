"""Where pixels are: windows, the lattice of an area, its tiles and patches."""
