"""What the arena does, as functions: each takes an `Arena` first and is one unit of work, or one reading.

Pages and commands call these and hold no SQL. Values that cross the border are in `arena.service.types` (voting) and
`arena.service.types_results` (boards, browsing, administration).

    campaigns    create, configure, set_status, add_models, add_items, get, default, list_all, set_model_status
    voters       start, identify, update_profile, agree, set_state, invites
    battles      current_battle, skip, void, media, expire_old
    votes        cast_vote, retract
    limits       client_address, network_hash
    importer     import_models, import_items, import_clips, import_scores
    gold         add, list_all, retire, pass rates
    exclusions   exclude, revoke, list_all
    snapshots    compute, publish, latest, get, history
    fairness     progress, fair_play
    judgements   rows as arrays for `arena.ratings`
    sweep        per-voter tests and rings over all votes of a campaign: flags, automatic exclusions
    browse       items, item
    overview     health, voters, traffic, cells
    export       export_votes; `votes_table` reads an export back
    erase        my_data, forget_me
    audit        record, newest, verify
"""
