"""CLAP score: how well the sound of a clip fits its prompt, by LAION-CLAP."""
