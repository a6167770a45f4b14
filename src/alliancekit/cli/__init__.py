"""The command line: parse arguments, call the layers, set exit codes. No statistics."""
