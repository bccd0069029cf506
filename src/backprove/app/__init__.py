"""The command line. Nothing below this package imports a terminal library."""
