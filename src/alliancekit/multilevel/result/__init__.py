"""The methods of a fitted model, by topic; ``api.MixedFit`` joins them. Each hands over to the file that works."""
