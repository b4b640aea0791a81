"""What the steps are called, in the table and where targets look for them."""

DECODE, OURS = "decode only, 2 threads", "terrain pass, 2 threads"
XRSPATIAL, RASTERSTATS = "xarray-spatial + exactextract", "xarray-spatial + rasterstats"
FIRST, RUN = "whole run, first on a fresh clone", "whole run, warm"
LOOK, SHIPPED = "shipped run, first look, nothing kept", "shipped run, nothing kept"
INTERVALS = "intervals of the shipped run"
