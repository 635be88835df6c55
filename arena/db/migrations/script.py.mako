"""${message}"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from arena.db.rules import drop_view, install_rules

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    drop_view(op.get_bind())
    ${upgrades if upgrades else "pass"}
    install_rules(op.get_bind())
