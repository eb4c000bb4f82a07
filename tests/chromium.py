"""A Chromium without a window, steered through a pipe by the DevTools protocol."""

import base64
import contextlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PROGRAM = shutil.which("chromium") or shutil.which("google-chrome")
_FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run")


class Page:
    """A page that is open. `said` holds its errors, and what it or its policy complained of."""

    def __init__(self, to: Any, back: Any):
        self._to, self._back, self._count, self._session = to, back, 0, None
        self.said: list[str] = []
        target = self("Target.createTarget", url="about:blank")["targetId"]
        found = self("Target.attachToTarget", targetId=target, flatten=True)
        self._session = found["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self(f"{domain}.enable")

    def __call__(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol and wait for its answer."""
        self._count += 1
        asked = {"id": self._count, "method": method, "params": parameters}
        if self._session:
            asked["sessionId"] = self._session
        self._to.write(json.dumps(asked).encode() + b"\0")
        self._to.flush()
        while (answer := self._read()).get("id") != self._count:
            pass
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def open(self, url: str) -> None:
        """Open a page and wait until its tokens can be looked at."""
        self("Page.navigate", url="about:blank")
        self("Page.navigate", url=url)
        # Asked again and again: a promise would end with the page that is left.
        for _ in range(6000):
            if self._is_ready():
                return
            time.sleep(0.02)
        raise AssertionError(f"{url} is not ready after two minutes; it said {self.said}")

    def _is_ready(self) -> bool:
        asked = "!!document.querySelector('[data-ready]')"
        try:
            found = self("Runtime.evaluate", expression=asked, returnByValue=True)
        except AssertionError:  # One page is gone, and the next is not there yet.
            return False
        return found["result"].get("value") is True

    def run(self, expression: str) -> Any:
        """The value of an expression, awaited."""
        found = self(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def press(self, key: str) -> None:
        """A key that goes down and up."""
        text = {"text": key} if len(key) == 1 else {}
        self("Input.dispatchKeyEvent", type="keyDown", key=key, **text)
        self("Input.dispatchKeyEvent", type="keyUp", key=key)

    def point(self, selector: str, *, click: bool = False) -> None:
        """Move the mouse onto an element, and click where asked to."""
        box = f"document.querySelector({json.dumps(selector)})"
        self.run(f"{box}.scrollIntoView({{block: 'center'}})")
        x, y = self.run(f"(r => [r.x + 4, r.y + 4])({box}.getClientRects()[0])")
        kinds = ("mouseMoved", "mousePressed", "mouseReleased")
        for kind in kinds if click else kinds[:1]:
            self("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def dark(self, on: bool) -> None:
        """The reader's colour scheme."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if on else "light"}
        self("Emulation.setEmulatedMedia", features=[scheme])

    def shoot(self, path: Path) -> None:
        """Write what the window shows as PNG."""
        path.write_bytes(base64.b64decode(self("Page.captureScreenshot")["data"]))

    def _read(self) -> dict[str, Any]:
        data = bytearray()
        while (byte := self._back.read(1)) != b"\0":
            assert byte, "Chromium ended"
            data += byte
        answer = json.loads(data)
        told = {"Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled"}
        if answer.get("method") in told:
            self.said.append(json.dumps(answer["params"]))
        return answer


@contextlib.contextmanager
def browser(home: Path, *, width: int = 1200, height: int = 900) -> Iterator[Page]:
    """A Chromium with a window of that size, which keeps its things in `home`."""
    (read, to), (back, write) = os.pipe(), os.pipe()
    size = f"--window-size={width},{height}"
    line = [str(PROGRAM), *_FLAGS, size, "--remote-debugging-pipe", f"--user-data-dir={home}"]
    run = ["bash", "-c", f'exec "$@" 3<&{read} 4>&{write}', "bash", *line]
    child = subprocess.Popen(run, pass_fds=(read, write), stderr=subprocess.DEVNULL)
    os.close(read)
    os.close(write)
    with open(to, "wb") as pipe, open(back, "rb") as answers:
        try:
            yield Page(pipe, answers)
        finally:
            child.kill()
            child.wait()
