"""Reading media files: facts, frames and samples, each decoded once (the parts behind `metrics.clip.Clip`)."""
