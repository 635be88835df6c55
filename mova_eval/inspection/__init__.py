"""`mova-eval inspect`: one clip's lip sync as one self-contained page, to see where its numbers come from."""

from __future__ import annotations

from mova_eval.inspection.page import inspect_clip

__all__ = ["inspect_clip"]
