"""Arrays to geometries: polygons of class maps and sums over them."""
