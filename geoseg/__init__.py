"""geoseg: from satellite and aerial imagery to land-cover maps that can be defended."""

import os

__version__ = "0.1.0"

# Both GDALs in this process (rasterio's and pyogrio's) read these when they start, so they are set before
# either is imported. A VRT, whatever its file is called, can read any file of the machine and any URL.
os.environ["GDAL_SKIP"] = "VRT GTI WMS WMTS WCS STACIT STACTA HTTP PLMOSAIC DAAS EEDAI"
os.environ["OGR_SKIP"] = "OGR_VRT"
os.environ.setdefault("GDAL_CACHEMAX", "256")  # MB a process; the default grows with the machine
os.environ["GDAL_PAM_ENABLED"] = "NO"  # statistics and masks of an .aux.xml beside a scene are not trusted
