"""The process that test_kill_traces.py kills: an exporter that receives spans over HTTP."""

import os
import signal
import threading

import uvicorn

from exporter import web
from exporter.app import App


def receive_until_killed(port: int, environ: dict[str, str], seconds: float | None) -> None:
    """Serve as a process does; with `seconds`, SIGKILL itself that long after it is ready."""
    app = App(None, environ)
    app.start()
    if seconds is not None:
        threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGKILL)).start()
    uvicorn.run(web.build(app), port=port, log_config=None, access_log=False)
