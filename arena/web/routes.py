"""Routes beside the pages: clips, first frames, the forms that set cookies, health. Plain functions run in threads."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from arena.errors import ArenaError, DatabaseUnavailable
from arena.service import battles, browse, campaigns, erase, limits, visitors, voters
from arena.service.types import MediaRefused, Nothing
from arena.web import admins, cookies, forms
from arena.web.clips import COMMON_HEADERS, ClipResponse, refusal
from arena.web.i18n import LANGUAGES, Texts, pick_language
from arena.web.site import Site

MAX_FORM_BYTES = 8192
ACCEL_PREFIX = "/_clips/"
"""Internal location of the reverse proxy that maps to the media root."""


def routes(site: Site) -> list[Route]:
    """All routes of one installation."""
    handlers = Handlers(site)
    return [
        Route("/clip/{token}", handlers.clip, methods=["GET"]),
        Route("/frame/{token}", handlers.frame, methods=["GET"]),
        Route("/start", handlers.start, methods=["POST"]),
        Route("/join", handlers.join, methods=["GET"]),
        Route("/forget", handlers.forget, methods=["POST"]),
        Route("/released/{clip:int}", handlers.released, methods=["GET"]),
        Route("/admin-login", handlers.log_in, methods=["POST"]),
        Route("/admin-logout", handlers.log_out, methods=["POST"]),
        Route("/healthz", handlers.health, methods=["GET"]),
    ]


class Handlers:
    """Requests that need the installation."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.arena = site.arena
        self.tries = admins.Tries()

    def clip(self, request: Request) -> Response:
        """A side of the visitor's own battle."""
        token = request.path_params["token"]
        try:
            voter = voters.identify(self.arena, cookies.voter_cookie(request.cookies))
            found = battles.media(self.arena, voter.id if voter else None, token)
        except DatabaseUnavailable:
            return _busy()
        if isinstance(found, MediaRefused):
            return refusal(found.status)
        delegate = ""
        if self.arena.config.media_delegate:
            delegate = ACCEL_PREFIX + found.path.resolve().relative_to(self.arena.media_root.resolve()).as_posix()
        try:
            response = ClipResponse(found.path, request.headers, found.content_type, delegate)
        except OSError:  # deleted between the look-up and now
            return refusal(404)
        self.site.fetches.note(token, self.arena.clock.now_ms(), response.length)
        return response

    def frame(self, request: Request) -> Response:
        """First frame of the item of the visitor's own battle."""
        try:
            voter = voters.identify(self.arena, cookies.voter_cookie(request.cookies))
            found = visitors.first_frame(self.arena, voter.id if voter else None, request.path_params["token"])
        except DatabaseUnavailable:
            return _busy()
        if isinstance(found, MediaRefused):
            return refusal(found.status)
        try:
            return ClipResponse(found.path, request.headers, found.content_type)
        except OSError:
            return refusal(404)

    def released(self, request: Request) -> Response:
        """A clip that may be seen by name."""
        try:
            shown = campaigns.default(self.arena)
            if shown is None:
                return refusal(404)
            found = browse.media(self.arena, shown.slug, request.path_params["clip"])
        except DatabaseUnavailable:
            return _busy()
        if isinstance(found, MediaRefused):
            return refusal(found.status)
        try:
            return ClipResponse(found.path, request.headers, found.content_type)
        except OSError:
            return refusal(404)

    async def start(self, request: Request) -> Response:
        """Someone agreed: make a voter and set the one cookie."""
        if (form := await read_form(request)) is None:
            return _page(_texts(request, {}), "error.title", "start.refused", status=403)
        return await run_in_threadpool(self._start, request, form)

    def _start(self, request: Request, form: dict[str, list[str]]) -> Response:
        texts = _texts(request, form)
        if _one(form, "agree") != "yes":
            return _page(texts, "error.title", "start.incomplete", status=400)
        invite = _one(form, "k")
        try:
            campaign = self._campaign_of(invite)
            if campaign is None:
                return _page(texts, "join.title", "join.invalid" if invite else "nothing.none", status=404)
            done = voters.start(
                self.arena,
                campaign,
                address=self.address(request),
                invite=invite,
                ui_language=texts.language,
                device=device_of(request.headers.get("user-agent", "")),
                understands=[code for code in LANGUAGES if code in form.get("understands", [])] or [texts.language],
            )
            if isinstance(done, Nothing):
                key = "start.full" if done.reason == "limit" else "start.invite_only"
                return _page(texts, "start.title", key, status=403)
        except DatabaseUnavailable:
            return _page(texts, "error.title", "error.database", status=503)
        except ArenaError as error:
            return HTMLResponse(forms.page(texts, texts("join.title"), str(error)), status_code=403)
        response = RedirectResponse(f"/?lang={texts.language}", status_code=303)
        secure = cookies.is_secure(request, self.arena.config)
        names = (cookies.PLAIN, cookies.SECURE)
        cookies.set_cookie(response, names, done.cookie, secure=secure, max_age=cookies.MAX_AGE)
        return response

    def _campaign_of(self, invite: str | None) -> str | None:
        """The campaign to start in: the invitation's, else the one that the voting page shows."""
        if invite is None:
            shown = campaigns.default(self.arena)
            return shown.slug if shown else None
        return visitors.campaign_of_invite(self.arena, invite)

    def join(self, request: Request) -> Response:
        """The page behind a private link; looking at it changes nothing."""
        texts = _texts(request, {})
        invite = request.query_params.get("k", "")
        try:
            campaign = visitors.campaign_of_invite(self.arena, invite)
            if campaign is None:
                return _page(texts, "join.title", "join.invalid", status=404)
            voters.check_invite(self.arena, campaign, invite)
            shown = campaigns.get(self.arena, campaign)
        except DatabaseUnavailable:
            return _page(texts, "error.title", "error.database", status=503)
        except ArenaError as error:
            return HTMLResponse(forms.page(texts, texts("join.title"), str(error)), status_code=403)
        title = shown.title_zh if texts.language == "zh" else shown.title_en
        paragraphs = [
            texts("join.text", title=title),
            texts("start.lead"),
            texts("start.stored"),
            texts("start.generated"),
        ]
        form = forms.consent_form(texts, invite=invite)
        return HTMLResponse(
            forms.page(texts, texts("join.title"), *paragraphs, form=form),
            headers={"cache-control": "no-store", "referrer-policy": "no-referrer"},
        )

    async def forget(self, request: Request) -> Response:
        """Unlink the voter from his answers and drop the cookie."""
        form = await read_form(request)
        if form is None or _one(form, "sure") != "yes":
            return _page(_texts(request, form or {}), "error.title", "start.refused", status=403)
        return await run_in_threadpool(self._forget, request, form)

    def _forget(self, request: Request, form: dict[str, list[str]]) -> Response:
        texts = _texts(request, form)
        try:
            voter = voters.identify(self.arena, cookies.voter_cookie(request.cookies))
            if voter is not None:
                erase.forget_me(self.arena, voter.id)
        except DatabaseUnavailable:
            return _page(texts, "error.title", "error.database", status=503)
        response = _page(texts, "me.forget_title", "me.forgotten")
        cookies.drop_cookie(response, (cookies.PLAIN, cookies.SECURE))
        return response

    async def log_in(self, request: Request) -> Response:
        """The administrator's password; five attempts in fifteen minutes."""
        form = await read_form(request)
        password = _one(form, "password") if form else None
        if password is None:
            return _page(_texts(request, {}), "error.title", "start.refused", status=403)
        return await run_in_threadpool(self._log_in, request, password)

    def _log_in(self, request: Request, password: str) -> Response:
        address = self.address(request) or "?"
        if not self.tries.take(address, self.arena.clock.now_ms()):
            return HTMLResponse(
                forms.page(Texts("en"), "Too many attempts", "Wait fifteen minutes and try again."), status_code=429
            )
        try:
            cookie = admins.log_in(self.arena, password)
        except DatabaseUnavailable:
            return _page(Texts("en"), "error.title", "error.database", status=503)
        if cookie is None:
            page = forms.page(Texts("en"), "Not logged in", "This is not the password.", form=forms.admin_form())
            return HTMLResponse(page, status_code=403)
        self.tries.forgive(address)
        response = RedirectResponse("/admin", status_code=303)
        secure = cookies.is_secure(request, self.arena.config)
        names = (cookies.ADMIN_PLAIN, cookies.ADMIN_SECURE)
        cookies.set_cookie(response, names, cookie, secure=secure, max_age=cookies.ADMIN_MAX_AGE)
        return response

    async def log_out(self, request: Request) -> Response:
        if await read_form(request) is None:
            return _page(_texts(request, {}), "error.title", "start.refused", status=403)
        response = RedirectResponse("/", status_code=303)
        cookies.drop_cookie(response, (cookies.ADMIN_PLAIN, cookies.ADMIN_SECURE))
        return response

    def health(self, request: Request) -> Response:
        """Whether votes can be taken: database writable, media root readable."""
        facts = {
            "database": self.arena.database.writable(),
            "media": self.arena.media_root.is_dir(),
        }
        good = all(facts.values())
        return JSONResponse(
            {"ok": good, **facts}, status_code=200 if good else 503, headers={"cache-control": "no-store"}
        )

    def address(self, request: Request) -> str | None:
        """The visitor's address, believing only our own proxies."""
        socket = request.client.host if request.client else ""
        forwarded = request.headers.get("x-forwarded-for")
        return limits.client_address(socket, forwarded, self.arena.config.trusted_proxies) or None


def device_of(user_agent: str) -> str:
    """Kind of device; the text itself is not kept."""
    text = user_agent[:500]
    if "iPad" in text or "Tablet" in text or ("Android" in text and "Mobile" not in text):
        return "tablet"
    return "mobile" if "Mobi" in text else "desktop" if text else "unknown"


def same_origin(request: Request) -> bool:
    """Whether a form was sent by a page of ours: what the browser says about its origin, which a page cannot forge."""
    site = request.headers.get("sec-fetch-site")
    if site is not None and site != "same-origin":
        return False
    origin = request.headers.get("origin")
    if origin is None:
        return site == "same-origin"
    return urlsplit(origin).netloc == request.headers.get("host")


async def read_form(request: Request) -> dict[str, list[str]] | None:
    """Fields of a small same-origin form; None for one that is foreign, too large or of another kind."""
    from urllib.parse import parse_qs

    if not same_origin(request):
        return None
    if request.headers.get("content-type", "").split(";")[0] != "application/x-www-form-urlencoded":
        return None
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_FORM_BYTES:
            return None
    try:
        return parse_qs(body.decode("utf-8"), max_num_fields=50)
    except ValueError:
        return None


def _one(form: dict[str, list[str]], name: str) -> str | None:
    values = form.get(name)
    return values[0][:256] if values else None


def _texts(request: Request, form: dict[str, list[str]]) -> Texts:
    asked = _one(form, "lang") or request.query_params.get("lang")
    return Texts(pick_language(asked, request.headers.get("accept-language", "").split(",")[0]))


def _page(texts: Texts, title: str, text: str, *, status: int = 200) -> HTMLResponse:
    return HTMLResponse(
        forms.page(texts, texts(title), texts(text)), status_code=status, headers={"cache-control": "no-store"}
    )


def _busy() -> Response:
    headers: dict[str, Any] = {**COMMON_HEADERS, "retry-after": "2", "cache-control": "no-store"}
    return Response("busy", status_code=503, headers=headers, media_type="text/plain")
