"""Arrays in, arrays out: optimisers and distribution functions that the engines share."""
