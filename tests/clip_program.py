"""A program that makes a clip, as a stand-in for a model behind a command line; prints what it was told."""

from __future__ import annotations

import json
import sys
import time

from support import make_clip


def main() -> None:
    values = dict(word.removeprefix("--").split("=", 1) for word in sys.argv[1:])
    print(json.dumps(values, ensure_ascii=False), flush=True)
    how = values.get("how", "")
    if how == "fail":
        print("CUDA out of memory", file=sys.stderr)
        sys.exit(3)
    if how == "hang":
        time.sleep(600)
    if how == "nothing":
        return
    size = (int(values.get("width") or 64), int(values.get("height") or 48))
    frames = int(values.get("frames") or 12)
    make_clip(values["out"], frames=frames, seconds=frames / 24, fps=24, size=size)


if __name__ == "__main__":
    main()
