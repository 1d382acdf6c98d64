"""The manifests are what Kubernetes takes, and gke.sh brings them there."""

import copy
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.launch.stand_in import LAUNCH, REPOSITORY, TINY

MANIFESTS = sorted((LAUNCH / "gke").glob("*.yaml"))
RUN = (
    "run",
    "--name=table3",
    "--poll=0.05",
    "--image=europe-docker.pkg.dev/p/r/repjax:1.0",
    "--config=experiments/table3.py",
    "--workdir=gs://bucket/table3",
)
SHARDS = (*RUN, "--shards=16", "--at_once=4")
SLICE = (*RUN, "--hosts=2", "--topology=2x4", "--accelerator=tpu-v5-lite-podslice")
TRICKY = "--config.overrides=('*/mlp','num_steps',20|&)"


@pytest.fixture(scope="module")
def validator():
    jsonschema = pytest.importorskip("jsonschema")
    file = Path(__file__).with_name("manifests.schema.yaml")
    schema = yaml.safe_load(file.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def job_spec(manifest: dict) -> dict:
    spec = manifest["spec"]
    if manifest["kind"] == "JobSet":
        (job,) = spec["replicatedJobs"]
        spec = job["template"]["spec"]
    return spec


def pod_spec(manifest: dict) -> dict:
    return job_spec(manifest)["template"]["spec"]


def container(manifest: dict) -> dict:
    (only,) = pod_spec(manifest)["containers"]
    return only


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_manifest_is_valid_as_it_stands(path, validator):
    validator.validate(yaml.safe_load(path.read_text()))


def places(node, path=()):
    """Every mapping of a manifest."""
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from places(value)
    elif isinstance(node, list):
        for value in node:
            yield from places(value)


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_a_misspelt_field_is_found_wherever_it_is(path, validator):
    original = yaml.safe_load(path.read_text())
    for place, _ in enumerate(places(original)):
        broken = copy.deepcopy(original)
        node = [*places(broken)][place]
        key = next(iter(node))
        if key.startswith(("app.kubernetes.io/", "alpha.jobset.")):
            continue  # labels and annotations are free
        node[key + "s"] = node.pop(key)
        assert not validator.is_valid(broken), key


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_wrong_values_are_found(path, validator):
    def broken(change):
        manifest = yaml.safe_load(path.read_text())
        change(manifest)
        return not validator.is_valid(manifest)

    assert broken(lambda m: job_spec(m).update(completions="8"))
    assert broken(lambda m: pod_spec(m).update(restartPolicy="OnFailure"))
    assert broken(lambda m: pod_spec(m)["nodeSelector"].update(x="y"))
    assert broken(lambda m: container(m)["env"][0].update(value=8))
    assert broken(lambda m: m.update(apiVersion="batch/v1beta1"))


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_exit_codes_of_main_have_their_rule(path):
    """The codes that are no failure, and the container they are those of."""
    manifest = yaml.safe_load(path.read_text())
    rules = job_spec(manifest)["podFailurePolicy"]["rules"]
    codes = [rule["onExitCodes"] for rule in rules if "onExitCodes" in rule]
    assert [75, 143] in [rule["values"] for rule in codes]
    assert {rule["containerName"] for rule in codes} == {container(manifest)["name"]}
    assert {"type": "DisruptionTarget", "status": "True"} in rules[0]["onPodConditions"]


def applied(stand_in, name="table3") -> dict:
    return yaml.safe_load((stand_in.folder / "jobs" / name / "manifest").read_text())


@pytest.mark.parametrize("run", [SHARDS, SLICE], ids=["shards", "slice"])
def test_flags_reach_the_manifest(stand_in, validator, run):
    stand_in.scenario("", " SuccessCriteriaMet Complete")
    code, out = stand_in.run("gke.sh", *run, TRICKY, "--spot", "--service_account=sa")
    assert code == 0, out
    manifest = applied(stand_in)
    validator.validate(manifest)
    spec, pod, only = job_spec(manifest), pod_spec(manifest), container(manifest)
    sizes = (16, 4, 8, "2x4") if run == SHARDS else (2, 2, 4, "2x4")
    assert (spec["completions"], spec["parallelism"]) == sizes[:2]
    assert only["resources"]["limits"] == {"google.com/tpu": sizes[2]}
    assert only["resources"]["requests"] == {"google.com/tpu": sizes[2]}
    assert pod["nodeSelector"]["cloud.google.com/gke-tpu-topology"] == sizes[3]
    assert pod["nodeSelector"]["cloud.google.com/gke-spot"] == "true"
    assert pod["serviceAccountName"] == "sa"
    assert only["image"] == "europe-docker.pkg.dev/p/r/repjax:1.0"
    assert TRICKY in only["args"]
    assert ("--distributed" in only["args"]) == (run == SLICE)


def test_without_spot_no_spot_node_is_asked_for(stand_in):
    stand_in.scenario(" Completed")
    assert stand_in.run("gke.sh", *SLICE)[0] == 0
    selector = pod_spec(applied(stand_in))["nodeSelector"]
    assert "cloud.google.com/gke-spot" not in selector


def test_repjax_understands_what_a_pod_calls_it_with(stand_in):
    """Variables in the place of $(NAME) as the kubelet puts them there."""
    stand_in.scenario(" Complete")
    run = (*RUN[:3], RUN[3], RUN[5], "--shards=2", *TINY)
    assert stand_in.run("gke.sh", *run)[0] == 0
    only = container(applied(stand_in))
    variables = {item["name"]: item["value"] for item in only["env"]}
    variables["JOB_COMPLETION_INDEX"] = "1"
    arguments = [
        re.sub(r"\$\((\w+)\)", lambda found: variables[found[1]], argument)
        for argument in only["args"]
    ]
    assert "--workdir=gs://bucket/table3/shard-1-of-2" in arguments
    done = subprocess.run(
        [sys.executable, "-m", "repjax.main", *arguments, "--dry_run"],
        cwd=REPOSITORY,
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "S3_mlp" in done.stdout


def test_called_again_it_changes_nothing_and_waits(stand_in):
    stand_in.scenario("", "", " Complete")
    for _ in range(2):
        code, out = stand_in.run("gke.sh", *SHARDS)
        assert code == 0, out
    assert "unchanged" in out
    assert not stand_in.calls("delete")
    code, out = stand_in.run("gke.sh", *SHARDS, "--config.num_seeds=3")
    assert code != 0  # another sweep under the same name
    assert "immutable" in out


def test_a_job_that_failed_is_replaced(stand_in):
    stand_in.scenario("", " FailureTarget", " FailureTarget Failed")
    code, out = stand_in.run("gke.sh", *SHARDS)
    assert (code, "logs shows why" in out) == (1, True)
    stand_in.scenario("", " Complete")
    code, out = stand_in.run("gke.sh", *SHARDS)
    assert code == 0, out
    assert len(stand_in.calls("delete")) == 1


def test_status_logs_delete(stand_in):
    stand_in.scenario(" Complete")
    stand_in.run("gke.sh", *SLICE)
    which = ("--name=table3", "--hosts=2", "--namespace=mine")
    for command in ("status", "logs", "delete"):
        assert stand_in.run("gke.sh", command, *which)[0] == 0
    (logs,) = stand_in.calls("logs")
    assert "--selector=jobset.sigs.k8s.io/jobset-name=table3" in logs
    assert "--namespace=mine" in logs
    assert not (stand_in.folder / "jobs" / "table3").exists()
