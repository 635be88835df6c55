"""A comparison as Markdown: for pull requests and job summaries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mova_eval.comparison.records import Comparison, ScoreComparison
from mova_eval.comparison.wording import LEGEND, biggest_change, headline, verdict_sentence
from mova_eval.reports.markdown import code, escape
from mova_eval.reports.numbers import ARROWS, DASH, difference_style, p_text, signed, signed_interval, style_of

SHOWN_ITEMS = 10
_SIGNS = {"worse": "🔴 worse", "better": "🟢 better", "changed": "🟡 changed"}


def table(header: Sequence[str], rows: Iterable[Sequence[str]], right: frozenset[int] = frozenset()) -> str:
    """A GitHub-flavoured table; right: places of columns aligned to the right."""
    marks = ["---:" if place in right else "---" for place in range(len(header))]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (header, marks, *rows))


def comparison_markdown(comparison: Comparison) -> str:
    """The whole comparison as Markdown; texts of others are escaped."""
    sections = [
        f"# {escape(headline(comparison))}",
        f"**{escape(verdict_sentence(comparison))}**",
        _warnings(comparison),
        scores_table(comparison),
        _sets(comparison),
        _coverage(comparison),
        _items(comparison),
        _cards(comparison),
        "## How to read it\n\n" + "\n".join(f"- **{word}**: {text}" for word, text in LEGEND),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def scores_table(comparison: Comparison) -> str:
    """One row per score."""
    header = ["Score", "", "Base", "Head", "Head − base", "95% interval", "p (Holm)", "Could find", "n", "Verdict"]
    return table(header, [_row(score) for score in comparison.scores], frozenset(range(2, 9)))


def _row(score: ScoreComparison) -> list[str]:
    style, shift = style_of(score), difference_style(score)
    verdict = _SIGNS.get(score.verdict, score.verdict)
    return [
        code(score.name),
        ARROWS[score.direction],
        style.write(score.base),
        style.write(score.head),
        f"**{signed(shift, score.difference)}**",
        signed_interval(shift, score.interval),
        p_text(score.p_holm),
        shift.write(score.detectable),
        str(score.n),
        f"{verdict}: {escape('; '.join(score.notes))}" if score.notes else verdict,
    ]


def _warnings(comparison: Comparison) -> str:
    said = [f"made differently: {one.text}" for one in comparison.card_differences if one.matters] + comparison.notes
    return "\n>\n".join(f"> **{escape(text)}**" for text in said)


def _sets(comparison: Comparison) -> str:
    sets = list(dict.fromkeys(name for score in comparison.scores for name in score.sets))
    if len(sets) < 2:
        return ""
    rows = []
    for score in comparison.compared:
        shift = difference_style(score)
        cells = [code(score.name), ARROWS[score.direction]]
        for name in sets:
            one = score.sets.get(name)
            cells.append(
                DASH if one is None else f"{signed(shift, one.difference)} ({signed_interval(shift, one.interval)})"
            )
        rows.append(cells)
    return "## By set\n\n" + table(["Score", "", *map(code, sets)], rows, frozenset(range(2, len(sets) + 2)))


def _coverage(comparison: Comparison) -> str:
    changed = [score for score in comparison.scores if score.coverage.only_base or score.coverage.only_head]
    if not changed:
        return ""
    rows = []
    for score in changed:
        seen = score.coverage
        why = ", ".join(f"{escape(reason)} {n}" for reason, n in seen.lost_reasons.items())
        numbers = [str(seen.base), str(seen.head), str(seen.only_base), str(seen.only_head), p_text(seen.p)]
        rows.append([code(score.name), *numbers, why or DASH])
    header = ["Score", "Scored in base", "Scored in head", "Lost", "Gained", "p", "Why lost"]
    return "## Coverage\n\n" + table(header, rows, frozenset(range(1, 6)))


def _items(comparison: Comparison) -> str:
    rows = []
    for change in comparison.items[:SHOWN_ITEMS]:
        biggest = biggest_change(change, comparison)
        if change.loss is None or change.loss <= 0 or biggest is None:
            continue
        score, moved = biggest
        said = f"{code(score.name)} {signed(difference_style(score), moved)}"
        rows.append([code(change.item), code(change.set), f"{change.loss:.2f}", said, escape(change.prompt[:80])])
    if not rows:
        return ""
    return "## Changed most towards worse\n\n" + table(
        ["Item", "Set", "Mean change", "Most", "Prompt"], rows, frozenset({2})
    )


def _cards(comparison: Comparison) -> str:
    rows = [
        [escape(one.field), escape(one.base), escape(one.head), "yes" if one.matters else "no"]
        for one in comparison.card_differences
    ]
    if not rows:
        return "Both runs have the same protocol card."
    return "## Protocol cards differ\n\n" + table(["Field", "Base", "Head", "Matters"], rows)
