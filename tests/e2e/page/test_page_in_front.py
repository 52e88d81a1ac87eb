"""What stands around the page: nginx as the recipe has it, and the examples for containers."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
import yaml

from tests.e2e.page.test_serve_cli import fleet, monitor
from tests.serving import Page, serving
from tests.support import require_tool, scrubbed_environment

ROOT = Path(__file__).parents[3]
NAME = "bots.example.org"

Front = Callable[[Path, Page], AbstractContextManager[int]]


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def certificate(place: Path) -> tuple[Path, Path]:
    """A certificate for the name of the recipes, and its key."""
    words = [require_tool("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    words += ["-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}"]
    public, key = place / "cert.pem", place / "key.pem"
    words += ["-keyout", str(key), "-out", str(public)]
    subprocess.run(words, env=scrubbed_environment(), check=True, capture_output=True)
    return public, key


def recipe_of(name: str, changes: Mapping[str, str]) -> str:
    """A recipe with the places of this test in it: all else is as an operator has it."""
    recipe = (ROOT / "packaging" / name).read_text()
    for before, after in changes.items():
        assert recipe.count(before) == 1, before
        recipe = recipe.replace(before, after)
    return recipe


@contextmanager
def nginx(place: Path, page: Page) -> Iterator[int]:
    """The recipe, with the port and the certificate of this test."""
    port, (public, key) = free_port(), certificate(place)
    live = f"/etc/letsencrypt/live/{NAME}"
    changes = {
        "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
        f"{live}/fullchain.pem": str(public),
        f"{live}/privkey.pem": str(key),
        "http://127.0.0.1:8787": page.url,
    }
    recipe = recipe_of("nginx.conf", changes)
    paths = "".join(
        f"{kind}_temp_path {place}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = place / "nginx.conf"
    config.write_text(
        f"daemon off; pid {place}/nginx.pid; error_log stderr; events {{}}\n"
        f"http {{ access_log off;\n{paths}{recipe}}}\n"
    )
    words = [require_tool("nginx"), "-p", str(place), "-e", "stderr", "-c", str(config)]
    with in_front(words, page, port):
        yield port


@contextmanager
def caddy(place: Path, page: Page) -> Iterator[int]:
    """The recipe, with the port and the certificate of this test: it would ask for one over the network."""
    port, (public, key) = free_port(), certificate(place)
    changes = {
        "grace_period 5s": "grace_period 1s\n\tadmin off\n\tauto_https off",
        f"\n{NAME} {{": f"\n{NAME}:{port} {{\n\tbind 127.0.0.1\n\ttls {public} {key}",
        "127.0.0.1:8787": page.url.removeprefix("http://"),
    }
    config = place / "Caddyfile"
    config.write_text(recipe_of("Caddyfile", changes))
    words = [require_tool("caddy"), "run", "--config", str(config), "--adapter", "caddyfile"]
    with in_front(words, page, port):
        yield port


@contextmanager
def in_front(words: list[str], page: Page, port: int) -> Iterator[None]:
    process = subprocess.Popen(
        words, env=scrubbed_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        page.until(lambda: answers(port) or process.poll() is not None)
        assert process.poll() is None, process.communicate()[1].decode()
        yield
    finally:
        process.terminate()
        process.communicate(timeout=20)


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def ask(
    port: int, method: str, path: str, headers: dict[str, str], body: str = ""
) -> http.client.HTTPResponse:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=30, context=context)
    connection.sock = context.wrap_socket(
        socket.create_connection(("127.0.0.1", port), 30), server_hostname=NAME
    )
    connection.request(method, path, body or None, {"Host": f"{NAME}:{port}", **headers})
    return connection.getresponse()


@pytest.mark.parametrize("front", [nginx, caddy])
def test_in_front_it_is_entered_followed_and_acted_on(tmp_path: Path, front: Front) -> None:
    monitor(fleet(tmp_path))
    with serving(tmp_path, "--allow-actions", "--name", NAME) as page, front(tmp_path, page) as port:
        page.looked()
        entered = ask(port, "GET", page.link, {})
        cookie = entered.getheader("set-cookie") or ""
        assert entered.status == 200
        assert "Secure" in cookie
        own = {"Cookie": cookie.partition(";")[0]}
        assert ask(port, "GET", "/", own).status == 200
        events = ask(port, "GET", "/events", own)
        began = time.monotonic()
        assert events.readline() == b"retry: 3000\n"
        assert time.monotonic() - began < 10, "not kept back until there is more"
        asked = json.dumps({"name": "check", "company": None})
        kind = {"Content-Type": "application/json"}
        origin = {"Origin": f"https://{NAME}:{port}", "Sec-Fetch-Site": "same-origin"}
        assert ask(port, "POST", "/action", own | kind | origin, asked).status == 202
        evil = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
        assert ask(port, "POST", "/action", own | kind | evil, asked).status == 403
        # nginx hands it on, and the page refuses; Caddy has nothing to say by that name.
        other = ask(port, "GET", "/", own | {"Host": "evil.example"})
        assert (other.status == 421) != (other.read() == b"")


def test_the_examples_start_what_there_is() -> None:
    compose = yaml.safe_load((ROOT / "packaging" / "compose.yaml").read_text())
    page, keeper = compose["services"]["page"], compose["services"]["baileys-tools"]
    assert page["command"][:2] == ["serve", "--listen"]
    assert all(port.startswith("127.0.0.1:") for port in page["ports"]), "on the host alone"
    for what in ("user", "volumes", "read_only", "cap_drop", "security_opt"):
        assert page[what] == keeper[what]
    deployment, service = yaml.safe_load_all((ROOT / "packaging" / "kubernetes-page.yaml").read_text())
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert deployment["spec"]["replicas"] == 1
    assert container["args"][0] == "serve"
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert {mount["name"] for mount in container["volumeMounts"]} == {one["name"] for one in pod["volumes"]}
    assert service["spec"]["selector"] == deployment["spec"]["selector"]["matchLabels"]
    jobs = yaml.safe_load_all((ROOT / "packaging" / "kubernetes.yaml").read_text())
    (monitor_job,) = (one for one in jobs if one["metadata"]["name"] == "baileys-tools-monitor-once")
    assert container["env"][0]["value"] == monitor_job["spec"]["schedule"]
