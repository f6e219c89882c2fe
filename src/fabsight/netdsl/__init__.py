"""SEM images of layouts to NetDSL-L2 programs."""
