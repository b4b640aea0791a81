"""What a finished scoring is written as: tables, rasters, maps, figures, report."""
