"""Vector layers as files, one module a format. `geoseg.io.vectors` is the way in."""
