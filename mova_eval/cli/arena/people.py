"""invite, gold, integrity, exclude, revoke, erase: who votes, and whose votes count."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, cast

import typer

from metrics.errors import UserError
from mova_eval.cli.app import EXIT_OK
from mova_eval.cli.arena.common import (
    CLI_ACTOR,
    CampaignOption,
    ConfigOption,
    DatabaseOption,
    JsonOption,
    ReasonOption,
    arena_app,
    campaign_name,
    command,
    opened,
    show,
)
from mova_eval.cli.options import words

invite_app = typer.Typer(help="Private voting links.", no_args_is_help=True)
gold_app = typer.Typer(help="Pairs whose right answer is known.", no_args_is_help=True)
integrity_app = typer.Typer(help="Tests of voters.", no_args_is_help=True)
for _group, _name in ((invite_app, "invite"), (gold_app, "gold"), (integrity_app, "integrity")):
    arena_app.add_typer(_group, name=_name)


@command(invite_app, "create")
def create_invite(
    campaign: CampaignOption = None,
    label: Annotated[str, typer.Option(help="For whom; shown to administrators only.")] = "",
    cohort: Annotated[str, typer.Option(help="Group of voters, a filter of the leaderboard.")] = "",
    voters: Annotated[int, typer.Option(min=1, help="How many people may use the link.")] = 1,
    votes: Annotated[int, typer.Option(min=1, help="Votes per person.")] = 400,
    days: Annotated[float, typer.Option(min=0.01, help="Days until the link ends.")] = 30,
    config: ConfigOption = None,
    database: DatabaseOption = None,
) -> int:
    """Make a private link. Its secret is shown this once.

    Example: mova-eval arena invite create --cohort experts --voters 20
    """
    from arena.service import voters as service

    arena = opened(config, database)
    token = service.create_invite(
        arena, campaign_name(arena, campaign), label=label, cohort=cohort, max_voters=voters,
        max_votes_per_voter=votes, days=days, actor=CLI_ACTOR,
    )  # fmt: skip
    typer.echo(f"/join?k={token}")
    return EXIT_OK


@command(invite_app, "list")
def list_invites(
    campaign: CampaignOption = None,
    config: ConfigOption = None,
    database: DatabaseOption = None,
    json_: JsonOption = False,
) -> int:
    """Links of a campaign with how many people used them."""
    from arena.service import voters as service

    arena = opened(config, database)
    rows = service.list_invites(arena, campaign_name(arena, campaign))
    if json_:
        show(rows)
        return EXIT_OK
    for row in rows:
        state = "withdrawn" if row.revoked_ms else "expired" if row.expires_ms <= arena.clock.now_ms() else "valid"
        typer.echo(f"{row.id:>4} {state:<9} {row.voters}/{row.max_voters} people  {row.cohort:<12} {row.label}")
    return EXIT_OK


@command(invite_app, "revoke")
def revoke_invite(
    invite: Annotated[int, typer.Argument(help="Number of the link.")],
    config: ConfigOption = None,
    database: DatabaseOption = None,
) -> int:
    """End a link; people who used it go on."""
    from arena.service import voters as service

    service.revoke_invite(opened(config, database), invite, CLI_ACTOR)
    return EXIT_OK


@command(gold_app, "make")
def make_gold(
    campaign: CampaignOption = None,
    kinds: Annotated[
        str, typer.Option(help="Comma-separated recipes.")
    ] = "audio_swapped,audio_noise,av_offset,frozen_video,heavy_compression,wrong_item,identical",
    per_kind: Annotated[int, typer.Option(min=1, help="Pairs of each kind.")] = 3,
    seed: Annotated[int, typer.Option(help="Of the choice of items.")] = 0,
    config: ConfigOption = None,
    database: DatabaseOption = None,
) -> int:
    """Make gold pairs from clips of the campaign by documented recipes, and show them from now on.

    Example: mova-eval arena gold make --kinds audio_noise,frozen_video --per-kind 5
    """
    from arena.media import renderer
    from arena.service import goldmaking

    arena = opened(config, database)
    made = goldmaking.make(
        arena, campaign_name(arena, campaign), words(kinds) or [], per_kind, renderer(arena.media_root), seed=seed,
        actor=CLI_ACTOR,
    )  # fmt: skip
    typer.echo(f"{made} gold pairs made")
    return EXIT_OK


@command(gold_app, "list")
def list_gold(
    campaign: CampaignOption = None,
    config: ConfigOption = None,
    database: DatabaseOption = None,
    json_: JsonOption = False,
) -> int:
    """Gold pairs with how often they were passed."""
    from arena.service import gold

    arena = opened(config, database)
    rows = gold.list_all(arena, campaign_name(arena, campaign))
    if json_:
        show(rows)
        return EXIT_OK
    for row in rows:
        rate = f"{row.passed:.0%} of {row.seen}" if row.seen else "not seen"
        typer.echo(f"{row.id:>4} {row.kind:<18} {row.item_key:<16} {'active' if row.active else 'retired':<8} {rate}")
    return EXIT_OK


@command(gold_app, "retire")
def retire_gold(
    gold_pair: Annotated[int, typer.Argument(help="Number of the pair.")],
    reason: ReasonOption = "",
    config: ConfigOption = None,
    database: DatabaseOption = None,
) -> int:
    """Show a gold pair no more."""
    from arena.service import gold

    gold.retire(opened(config, database), gold_pair, reason=reason, actor=CLI_ACTOR)
    return EXIT_OK


@command(integrity_app)
def sweep(
    campaign: CampaignOption = None,
    act: Annotated[bool, typer.Option("--act/--look", help="Also exclude by rule, or only look.")] = True,
    config: ConfigOption = None,
    database: DatabaseOption = None,
    json_: JsonOption = False,
) -> int:
    """Test all voters; print those a person should look at."""
    from arena.service import sweep as service

    arena = opened(config, database)
    if act:
        service.revoke_older(arena, CLI_ACTOR)
    flags = service.sweep(arena, campaign_name(arena, campaign), act=act, actor=CLI_ACTOR)
    if json_:
        show(flags)
        return EXIT_OK
    for flag in flags:
        tests = " ".join(f"{name} {p:.2g}" for name, p in flag.p.items())
        what = "; ".join(flag.reasons) or (f"favours {flag.favoured}" if flag.favoured else "unlikely answers")
        typer.echo(f"voter {flag.voter_id}: {flag.votes} votes, q {flag.q:.2g} ({tests}); {what}")
    typer.echo(f"{len(flags)} voters to look at")
    return EXIT_OK


@command(arena_app)
def exclude(
    scope: Annotated[str, typer.Argument(help="vote, battle, voter, clip, item, model or gold_check.")],
    target: Annotated[int, typer.Argument(help="Its number.")],
    reason: ReasonOption,
    rule: Annotated[str, typer.Option(help="Name of the rule, counted on the leaderboard.")] = "by_hand",
    config: ConfigOption = None,
    database: DatabaseOption = None,
) -> int:
    """Keep something out of every rating; nothing is deleted."""
    from arena.service import exclusions

    made = exclusions.exclude(
        opened(config, database),
        cast(exclusions.Scope, scope),
        target,
        rule=rule,
        reason=reason,
        actor=CLI_ACTOR,
    )
    typer.echo(f"exclusion {made}")
    return EXIT_OK


@command(arena_app)
def revoke(
    exclusion: Annotated[int, typer.Argument(help="Number of the exclusion.")],
    reason: ReasonOption,
    config: ConfigOption = None,
    database: DatabaseOption = None,
) -> int:
    """End an exclusion."""
    from arena.service import exclusions

    done = exclusions.revoke(opened(config, database), exclusion, reason=reason, actor=CLI_ACTOR)
    typer.echo("ended" if done else "had ended before")
    return EXIT_OK


@command(arena_app)
def erase(
    voter: Annotated[int, typer.Argument(help="Number of the voter.")],
    yes: Annotated[
        bool, typer.Option("--yes", help="Do it: the link between person and votes cannot be restored.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="First write what is stored about the voter to this file.")] = None,
    config: ConfigOption = None,
    database: DatabaseOption = None,
) -> int:
    """Forget a voter at their request: the votes stay, and belong to nobody."""
    from dataclasses import asdict

    from arena.service import erase as service

    arena = opened(config, database)
    if out is not None:
        out.write_text(json.dumps(asdict(service.my_data(arena, voter)), indent=2) + "\n", encoding="utf-8")
    if not yes:
        raise UserError(f"voter {voter} would be forgotten for good; repeat with --yes")
    service.forget_me(arena, voter, CLI_ACTOR)
    return EXIT_OK
