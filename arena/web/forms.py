"""The few plain HTML forms of the site: agreeing, invitations, forgetting, the administrator's log-in.

They are ordinary forms because only an HTTP answer can set or drop a cookie that scripts cannot read. All text goes
through `escape`.
"""

from __future__ import annotations

from html import escape

from arena.web import player
from arena.web.i18n import Texts

STYLE = player.read_asset("forms.css")
"""Style of the forms, inside the framework's pages and outside of them."""


def consent_form(texts: Texts, *, invite: str | None = None) -> str:
    """Agreement and languages; posts to /start."""
    hidden = f'<input type="hidden" name="k" value="{escape(invite)}">' if invite else ""
    languages = "".join(
        f'<label><input type="checkbox" name="understands" value="{code}"'
        f"{' checked' if code == texts.language else ''}>{escape(texts(f'start.{code}'))}</label>"
        for code in ("en", "zh")
    )
    return (
        f'<form method="post" action="/start">{hidden}<input type="hidden" name="lang" value="{texts.language}">'
        f"<fieldset><legend>{escape(texts('start.languages'))}</legend>{languages}</fieldset>"
        f'<label><input type="checkbox" name="agree" value="yes" required>{escape(texts("start.adult"))}</label>'
        f'<button type="submit">{escape(texts("join.go" if invite else "start.go"))}</button></form>'
    )


def forget_form(texts: Texts) -> str:
    """Confirmation to be forgotten; posts to /forget."""
    return (
        f'<form method="post" action="/forget"><input type="hidden" name="lang" value="{texts.language}">'
        f'<label><input type="checkbox" name="sure" value="yes" required>{escape(texts("me.forget_confirm"))}</label>'
        f'<button type="submit" class="grave">{escape(texts("me.forget_go"))}</button></form>'
    )


def admin_form() -> str:
    """Password of the administrator; posts to /admin-login."""
    return (
        '<form method="post" action="/admin-login"><label class="field">Password'
        '<input type="password" name="password" autocomplete="current-password" required></label>'
        '<button type="submit">Log in</button></form>'
    )


def logout_form() -> str:
    """Ends the administrator's session; posts to /admin-logout."""
    return '<form method="post" action="/admin-logout"><button type="submit">Log out</button></form>'


def page(texts: Texts, title: str, *paragraphs: str, form: str = "") -> str:
    """A whole page outside the framework, for answers to forms. Paragraphs are text, `form` is markup of ours."""
    body = "".join(f"<p>{escape(text)}</p>" for text in paragraphs)
    back = f'<p><a href="/?lang={texts.language}">{escape(texts("site_title"))}</a></p>'
    return (
        f'<!doctype html><html lang="{texts.language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>"
        f"<body><main><h1>{escape(title)}</h1>{body}{form}{back}</main></body></html>"
    )
