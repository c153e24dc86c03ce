"""What several fitters share: the pixel model, its fits, starts, and the survey of frames."""
