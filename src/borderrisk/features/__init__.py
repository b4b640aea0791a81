"""Pure functions from arrays and geometries to features on the grid."""
