"""Class maps to numbers: areas on the ellipsoid."""
