"""Files to arrays and back: the only part of geoseg that touches a disk."""
