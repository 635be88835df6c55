"""VideoReward: how people would judge picture, motion and closeness to the prompt, by a Qwen2-VL with a head."""
