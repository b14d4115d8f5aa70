"""The ASGI application: the shell, a warm-up behind it, security headers and `/api/ready`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import streamlit as st
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from explorer import process
from explorer.ui import ahead, errors, warmup

SHELL = Path(__file__).with_name("shell.py")
VERSIONS = ("streamlit", "torch", "torchvision", "grad-cam", "timm")

# Streamlit itself needs 'unsafe-inline' and 'unsafe-eval'; components are served to the page as blobs.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        "style-src 'self' 'unsafe-inline'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "font-src 'self' data:",
        "connect-src 'self' ws: wss:",
        "worker-src 'self' blob:",
        "frame-ancestors 'self'",
        "base-uri 'self'",
        "form-action 'self'",
        "object-src 'none'",
    )
)
SECURITY_HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "x-frame-options": "SAMEORIGIN",
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
    "cross-origin-opener-policy": "same-origin",
}


class SecurityHeaders:
    """Adds `SECURITY_HEADERS` to every HTTP answer that does not set them itself."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *(
                        (name.encode(), value.encode())
                        for name, value in SECURITY_HEADERS.items()
                        if name.encode() not in present
                    ),
                ]
            await send(message)

        await self.app(scope, receive, send_with_headers)


def ready(_request: Request) -> JSONResponse:
    """503 while the server warms up (or could not), then 200 with versions, device and model."""
    state = warmup.state
    if not state.ready:
        status = "failed" if state.failure else "warming up"
        return JSONResponse({"status": status, "doing": state.doing}, status_code=503)
    from explorer.devices import choose_device, device_name
    from explorer.models import DEFAULT_MODEL

    device = choose_device()
    return JSONResponse(
        {
            "status": "ready",
            "warm_up_seconds": round(state.seconds, 2),
            "versions": {name: version(name) for name in VERSIONS},
            "device": {"type": device.type, "name": device_name(device)},
            "model": DEFAULT_MODEL,
        }
    )


@asynccontextmanager
async def lifespan(_app: st.App) -> AsyncIterator[dict[str, Any]]:
    warmup.start()
    yield {}


def settings() -> dict[str, Any]:
    """What `st.App` is given besides the script.  Process settings come first: torch reads them on import."""
    process.prepare()
    return {
        "lifespan": lifespan,
        "routes": [Route("/api/ready", ready), ahead.route()],
        "middleware": [Middleware(SecurityHeaders)],
        "on_script_error": errors.show,
    }
