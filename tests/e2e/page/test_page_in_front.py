"""What stands around the page: nginx as the recipe has it, and the examples for containers."""

from __future__ import annotations

import http.client
import json
import re
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from tests.e2e.page.test_serve_cli import fleet, monitor
from tests.serving import Page, serving
from tests.support import require_tool, scrubbed_environment

ROOT = Path(__file__).parents[3]
NAME = "bots.example.org"


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def nginx(place: Path, page: Page) -> Iterator[int]:
    """The recipe, with the port and the certificate of this test."""
    certificate, key = place / "cert.pem", place / "key.pem"
    subprocess.run(
        [
            require_tool("openssl"),
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            f"/CN={NAME}",
            "-keyout",
            str(key),
            "-out",
            str(certificate),
        ],
        env=scrubbed_environment(),
        check=True,
        capture_output=True,
    )
    port = free_port()
    recipe = (ROOT / "packaging" / "nginx.conf").read_text()
    changes = {
        "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
        "/etc/letsencrypt/live/bots.example.org/fullchain.pem": str(certificate),
        "/etc/letsencrypt/live/bots.example.org/privkey.pem": str(key),
        "http://127.0.0.1:8787": page.url,
    }
    for before, after in changes.items():
        assert recipe.count(before) == 1, before
        recipe = recipe.replace(before, after)
    paths = "".join(
        f"{kind}_temp_path {place}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = place / "nginx.conf"
    config.write_text(
        f"daemon off; pid {place}/nginx.pid; error_log stderr; events {{}}\n"
        f"http {{ access_log off;\n{paths}{recipe}}}\n"
    )
    words = [require_tool("nginx"), "-p", str(place), "-e", "stderr", "-c", str(config)]
    process = subprocess.Popen(words, env=scrubbed_environment(), stderr=subprocess.PIPE)
    try:
        page.until(lambda: answers(port))
        yield port
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
    connection.request(method, path, body or None, {"Host": f"{NAME}:{port}", **headers})
    return connection.getresponse()


def test_behind_nginx_it_is_entered_followed_and_acted_on(tmp_path: Path) -> None:
    monitor(fleet(tmp_path))
    with serving(tmp_path, "--allow-actions", "--name", NAME) as page, nginx(tmp_path, page) as port:
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
        assert ask(port, "GET", "/", own | {"Host": "evil.example"}).status == 421


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


def test_the_recipe_for_caddy_names_what_nginx_does() -> None:
    recipe = (ROOT / "packaging" / "Caddyfile").read_text()
    assert re.search(rf"^{NAME} {{", recipe, re.MULTILINE)
    assert "reverse_proxy 127.0.0.1:8787" in recipe
