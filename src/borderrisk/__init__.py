"""Area-level risk of reported border incidents from terrain, borders and incident locations."""
