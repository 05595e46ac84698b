"""The image, the composition and the Kubernetes manifests, as far as they can be judged without running them.

`make image-check` builds and runs the image.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from catalogue.settings import Settings
from service import metrics
from tests.catalogue.test_settings import names_and_defaults
from tests.servers.process import missing
from tests.servers.prometheus import require_promtool

ROOT = Path(__file__).parents[1]
_PATHS = sorted((ROOT / "docker/k8s").glob("*.yaml"))
MANIFESTS = [document for path in _PATHS for document in yaml.safe_load_all(path.read_text())]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SETTINGS = names_and_defaults(Settings).keys()


def manifest(kind: str) -> dict[str, Any]:
    return next(each for each in MANIFESTS if each["kind"] == kind)


def tool(name: str) -> str:
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.exists() else shutil.which(name) or missing(name, "make test installs it")


def test_hadolint_has_nothing_to_say() -> None:
    files = [str(ROOT / name) for name in ("Dockerfile", "docker/standins.Dockerfile")]
    done = subprocess.run([tool("hadolint"), *files], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_shell_scripts_are_whole() -> None:
    for script in [*ROOT.glob("docker/*.sh"), *ROOT.glob("requirements/*.sh")]:
        subprocess.run(["bash", "-n", str(script)], check=True)


def test_the_image_names_its_own_version_and_copies_all_packages() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    project = (ROOT / "pyproject.toml").read_text()
    version = re.search(r'^version = "(.*)"$', project, re.MULTILINE)
    packages = re.search(r"^packages = \[(.*)\]$", project, re.MULTILINE)
    assert version is not None
    assert f"ARG VERSION={version[1]}\n" in dockerfile
    assert packages is not None
    for package in re.findall(r'"(\w+)"', packages[1]):
        assert f"COPY {package} {package}\n" in dockerfile
        assert f"!{package}\n" in (ROOT / ".dockerignore").read_text()
    assert f"image: samestyle:{version[1]}\n" in (ROOT / "docker/k8s/deployment.yaml").read_text()


def test_only_settings_that_exist_are_set() -> None:
    named = re.findall(r"SAMESTYLE_[A-Z_]+", (ROOT / "Dockerfile").read_text())
    for service in COMPOSE["services"].values():
        named += [name for name in service.get("environment", {}) if name.startswith("SAMESTYLE_")]
    [container] = manifest("Deployment")["spec"]["template"]["spec"]["containers"]
    named += [variable["name"] for variable in container["env"]]
    assert set(named) <= SETTINGS
    assert len(named) > 10


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_every_service_is_bounded_watched_and_kept_in(name: str) -> None:
    service = COMPOSE["services"][name]
    limits = service["deploy"]["resources"]["limits"]
    assert {"cpus", "memory"} <= limits.keys()
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert service["restart"] == "unless-stopped"
    assert service["logging"] == {"driver": "local"}  # whose files are bounded
    assert "healthcheck" in service or "build" in service  # the image has its own
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    assert all(need["condition"] == "service_healthy" for need in service.get("depends_on", {}).values())
    cores = service.get("environment", {}).get("SAMESTYLE_CORES")
    assert cores in {None, limits["cpus"]}


def test_the_gpu_is_asked_for_only_by_its_profile() -> None:
    for name, service in COMPOSE["services"].items():
        reserved = service["deploy"]["resources"].get("reservations", {}).get("devices", [])
        assert bool(reserved) == (service.get("profiles") == ["gpu"]) == (name == "samestyle-gpu")


@pytest.mark.parametrize("number", range(len(MANIFESTS)))
def test_manifests_are_what_the_api_takes(number: int) -> None:
    try:
        import kubernetes_validate
    except ImportError:
        missing("kubernetes-validate", "make test installs it")
    found = MANIFESTS[number]
    for version in ("1.34", "1.37"):
        kubernetes_validate.validate(found, version, strict=True)


def test_what_is_no_manifest_is_refused() -> None:
    try:
        import kubernetes_validate
    except ImportError:
        missing("kubernetes-validate", "make test installs it")
    wrong = manifest("Deployment") | {"spec": manifest("Deployment")["spec"] | {"replica": 2}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, "1.37", strict=True)


def test_the_manifests_belong_together() -> None:
    deployment = manifest("Deployment")
    pod = deployment["spec"]["template"]
    labels, [container] = pod["metadata"]["labels"], pod["spec"]["containers"]
    ports = {port["name"] for port in container["ports"]}
    for each in MANIFESTS:
        assert each["metadata"]["labels"] == labels
        if each["kind"] == "Service":
            assert each["spec"]["selector"] == labels
            assert {port["targetPort"] for port in each["spec"]["ports"]} <= ports
    assert deployment["spec"]["selector"]["matchLabels"] == labels
    assert manifest("PodDisruptionBudget")["spec"]["selector"]["matchLabels"] == labels
    target = manifest("HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) == ("Deployment", deployment["metadata"]["name"])
    volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == volumes.keys()
    claim = manifest("PersistentVolumeClaim")["metadata"]["name"]
    assert volumes["data"]["persistentVolumeClaim"]["claimName"] == claim


def test_the_pod_may_do_little_and_is_never_all_gone() -> None:
    spec = manifest("Deployment")["spec"]
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    pod = spec["template"]["spec"]
    [container] = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert not container["securityContext"]["allowPrivilegeEscalation"]
    assert not pod["enableServiceLinks"]
    values = {variable["name"]: variable["value"] for variable in container["env"]}
    assert values["SAMESTYLE_CORES"] == container["resources"]["limits"]["cpu"]
    delay = float(values["SAMESTYLE_SHUTDOWN_DELAY_S"])
    readiness = container["readinessProbe"]
    assert delay >= readiness["periodSeconds"] * readiness["failureThreshold"]
    assert pod["terminationGracePeriodSeconds"] > delay + 10
    assert manifest("HorizontalPodAutoscaler")["spec"]["minReplicas"] > 1


def test_probes_have_connections_that_no_stranger_can_take() -> None:
    [container] = manifest("Deployment")["spec"]["template"]["spec"]["containers"]
    assert {"name": "admin", "containerPort": 9100} in container["ports"]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"]["port"] == "admin"
        assert container[probe]["httpGet"]["path"] in {"/readyz", "/livez"}


def test_prometheus_finds_the_pods_as_the_documentation_says(tmp_path: Path) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/operations.md").read_text(), re.DOTALL)
    [scraping] = [yaml.safe_load(block) for block in blocks if "scrape_configs" in block]
    [job] = scraping["scrape_configs"]
    shipped = yaml.safe_load((ROOT / "docker/prometheus/prometheus.yml").read_text())["scrape_configs"]
    assert job["job_name"] == "samestyle"
    assert "samestyle" in {job["job_name"] for job in shipped}
    pod = manifest("Deployment")["spec"]["template"]
    [kept] = [rule for rule in job["relabel_configs"] if rule.get("action") == "keep"]
    assert kept["regex"] == f"{pod['metadata']['labels']['app.kubernetes.io/name']};admin"
    assert {"namespace", "pod", "instance"} <= {rule.get("target_label") for rule in job["relabel_configs"]}
    assert job.pop("kubernetes_sd_configs") == [{"role": "pod"}]
    job["static_configs"] = []  # Debian's Prometheus is built without Kubernetes
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(scraping))
    checked = [require_promtool(), "check", "config", str(tmp_path / "prometheus.yml")]
    subprocess.run(checked, check=True, capture_output=True)


def test_the_job_that_the_documentation_has_fits_the_manifests() -> None:
    try:
        import kubernetes_validate
    except ImportError:
        missing("kubernetes-validate", "make test installs it")
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/operations.md").read_text(), re.DOTALL)
    [job] = [yaml.safe_load(block) for block in blocks if "kind: Job" in block]
    kubernetes_validate.validate(job, "1.37", strict=True)
    pods = [each["spec"]["template"]["spec"] for each in (job, manifest("Deployment"))]
    [built], [served] = (pod["containers"] for pod in pods)
    assert built["image"] == served["image"]
    volumes = [{volume["name"]: volume for volume in pod["volumes"]} for pod in pods]
    assert volumes[0]["data"] == volumes[1]["data"]
    assert pods[0]["securityContext"].items() <= pods[1]["securityContext"].items()


def test_pods_are_added_by_a_metric_that_there_is() -> None:
    [metric] = manifest("HorizontalPodAutoscaler")["spec"]["metrics"]
    [family] = metrics.WAITING.collect()
    assert metric["pods"]["metric"]["name"] == family.name
