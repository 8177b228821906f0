"""Arrays to arrays: mirroring, cutting, stitching, normalization, scores."""
