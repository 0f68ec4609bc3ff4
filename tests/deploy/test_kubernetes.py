"""``deploy/kubernetes`` says what the settings and ``compose.yaml`` say; its form is checked by ``make check``."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from broker_worker.settings import WorkerSettings
from mcp_frontend.exposure import refusals
from mcp_frontend.settings import FrontendSettings
from shared.settings import BridgeSettings, load

ROOT = Path(__file__).parent.parent.parent
FOLDER = ROOT / "deploy" / "kubernetes"
KUSTOMIZATION: dict[str, Any] = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
OBJECTS: list[dict[str, Any]] = [
    thing for name in KUSTOMIZATION["resources"] for thing in yaml.safe_load_all((FOLDER / name).read_text())
]
PODS = {
    thing["metadata"]["name"]: thing["spec"]["template"]["spec"]
    for thing in OBJECTS
    if thing["kind"] in {"Deployment", "StatefulSet"}
}
MAPS = {
    entry["name"]: dict(literal.split("=", 1) for literal in entry["literals"])
    for entry in KUSTOMIZATION["configMapGenerator"]
}
OURS: dict[str, type[BridgeSettings]] = {"mcp-frontend": FrontendSettings, "broker-worker": WorkerSettings}


def _environment(pod: str) -> dict[str, str]:
    (container,) = PODS[pod]["containers"]
    maps = [MAPS[source["configMapRef"]["name"]] for source in container["envFrom"]]
    return {name: value for literals in maps for name, value in literals.items()}


def test_every_file_is_listed() -> None:
    assert {*KUSTOMIZATION["resources"], "kustomization.yaml"} == {file.name for file in FOLDER.iterdir()}


@pytest.mark.parametrize("pod", OURS)
@pytest.mark.parametrize("mode", ["paper", "live"])
def test_each_process_starts_with_what_it_is_given(
    pod: str, mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = {"redis_url": "rediss://:word@redis.example:6380/0", "job_signing_secret": "sixteen letters or more"}
    for name, value in secrets.items():
        (tmp_path / name).write_text(value)
    cls = OURS[pod]
    environment = _environment(pod)
    assert set(environment) - {"SECRETS_DIR"} <= {name.upper() for name in cls.model_fields}
    for name, value in {**environment, "SECRETS_DIR": str(tmp_path), "IBKR_TRADING_MODE": mode}.items():
        monkeypatch.setenv(name, value)
    settings = load(cls)
    assert settings.redis_url == secrets["redis_url"]
    assert settings.job_signing_secret.get_secret_value() == secrets["job_signing_secret"]
    if isinstance(settings, FrontendSettings):
        assert refusals(settings, over_http=True) == []
        longest = settings.shutdown_notice_seconds + settings.shutdown_grace_seconds
        assert PODS[pod]["terminationGracePeriodSeconds"] > longest


def test_a_frontend_that_drains_gets_no_more_calls_and_is_not_killed_for_it() -> None:
    (frontend,) = PODS["mcp-frontend"]["containers"]
    asked = {kind: frontend[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "readiness", "liveness")}
    assert asked == {"startup": "/livez", "readiness": "/healthz", "liveness": "/livez"}


@pytest.mark.parametrize("pod", OURS)
def test_our_pods_are_hardened_as_the_containers_of_compose_are(pod: str) -> None:
    spec = PODS[pod]
    (container,) = spec["containers"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] == 10001
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["limits"]["memory"]


def test_nothing_is_open_but_what_is_named() -> None:
    policies = {thing["metadata"]["name"]: thing["spec"] for thing in OBJECTS if thing["kind"] == "NetworkPolicy"}
    assert policies["nothing-by-default"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    (to_gateway,) = policies["ib-gateway"]["ingress"]
    assert to_gateway["from"] == [{"podSelector": {"matchLabels": {"app": "broker-worker"}}}]
    assert not [rule for rule in policies["mcp-frontend"]["egress"] if {"port": "live"} in rule["ports"]]


def test_the_gateway_is_the_one_that_compose_runs() -> None:
    (container,) = PODS["ib-gateway"]["containers"]
    assert container["image"] in (ROOT / "compose.yaml").read_text()


def test_kustomize_makes_of_it_what_the_files_say() -> None:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("NO KUBECTL: the kustomization was NOT built")
    done = subprocess.run([kubectl, "kustomize", str(FOLDER)], capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr
    made = list(yaml.safe_load_all(done.stdout))
    assert len(made) == len(OBJECTS) + len(MAPS)
    assert {thing["metadata"].get("namespace") for thing in made if thing["kind"] != "Namespace"} == {"ibkr-bridge"}
    (worker,) = [thing for thing in made if thing["kind"] == "StatefulSet"]
    (container,) = worker["spec"]["template"]["spec"]["containers"]
    given = {source["configMapRef"]["name"] for source in container["envFrom"]}
    assert given <= {thing["metadata"]["name"] for thing in made if thing["kind"] == "ConfigMap"}
