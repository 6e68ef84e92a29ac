"""The emulators, and how the test and the CDK talk to them."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request

import boto3

from stage import ROOT, eventually

ACCOUNT = "111122223333"
REGION = "eu-central-1"
AWS_PORT = 4566
MOTO_PORT = 4567
ENDPOINT = f"http://localhost:{AWS_PORT}"
MOTO_ENDPOINT = f"http://localhost:{MOTO_PORT}"
IN_MOTO = {"cloudwatch", "application-autoscaling"}  # alarms and scaling: emulator.py
CDK = ROOT / "cdk"
DEPLOY_SECONDS = 300

ENVIRONMENT = {  # of whoever deploys
    "AWS_ENDPOINT_URL": ENDPOINT,
    "AWS_ENDPOINT_URL_CLOUDWATCH": MOTO_ENDPOINT,
    "AWS_ENDPOINT_URL_APPLICATION_AUTO_SCALING": MOTO_ENDPOINT,
    "AWS_ACCESS_KEY_ID": ACCOUNT,  # ministack takes twelve digits for an account
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
}


class Cloud:
    def __init__(self, stage):
        self.stage = stage
        self.assemblies = []
        bucket = f"cdk-hnb659fds-assets-{ACCOUNT}-{REGION}"
        stage.name(f"{bucket}.localhost", f"{bucket}.s3.{REGION}.localhost", "sqs", f"sqs.{REGION}.amazonaws.com")
        here = ROOT / "tests" / "deploy"
        python = sys.executable
        stage.start("moto", [python, "-m", "moto.server", "-H", "127.0.0.1", "-p", MOTO_PORT])
        self.emulator = stage.start("ministack", [python, here / "emulator.py"], {
            "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(AWS_PORT), "MINISTACK_HOST": "localhost",
            "MINISTACK_REGION": REGION, "MINISTACK_ACCOUNT_ID": ACCOUNT, "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0", "LOG_LEVEL": "WARNING", "MOTO_URL": MOTO_ENDPOINT,
            "AWS_EC2_METADATA_DISABLED": "true", "PYTHONDONTWRITEBYTECODE": "1"})
        for process, url in zip(stage.processes, (MOTO_ENDPOINT + "/moto-api/data.json",
                                                  ENDPOINT + "/_ministack/health")):
            process.until("start", lambda url=url: urllib.request.urlopen(url, timeout=5).status == 200)

    def client(self, service, at=None, **login):
        login = login or {"aws_access_key_id": ACCOUNT, "aws_secret_access_key": "test"}
        return boto3.client(service, region_name=REGION,
                            endpoint_url=at or (MOTO_ENDPOINT if service in IN_MOTO else ENDPOINT), **login)

    def enforce(self, wanted=True):
        """IAM is enforced from now on: not before, since it denies roles of the CDK what AWS lets them."""
        self.emulator.popen.send_signal(signal.SIGUSR1 if wanted else signal.SIGUSR2)
        word = "enabled" if wanted else "disabled"

        def told():
            with urllib.request.urlopen(ENDPOINT + "/_ministack/health", timeout=5) as answer:
                return json.load(answer)["auth"] == word
        eventually(f"IAM {word}", told)

    def assembly(self, **choices):
        """Makes the templates for these choices, as `cdk synth` does, cdk-nag's rules included."""
        context = json.loads((CDK / "cdk.json").read_text())["context"]
        made = self.stage.folder / f"assembly-{len(self.assemblies)}"
        self.assemblies.append(made)
        env = {"PATH": os.environ["PATH"], "HOME": str(self.stage.folder), "CDK_OUTDIR": str(made),
               "CDK_VALIDATION": "false",  # checks of the CDK itself, which cdk/test has, take thrice the time
               "CDK_CONTEXT_JSON": json.dumps({**context, **choices})}
        subprocess.run(["node", "build/bin/logmill.js"], cwd=CDK, env=env, check=True, timeout=DEPLOY_SECONDS)
        return made

    def cdk(self, *arguments, fails=False, docker=None):
        """Runs the CDK's command line as README has it, on what was compiled; returns what it says."""
        began = time.monotonic()
        env = {**ENVIRONMENT, "PATH": os.environ["PATH"], "HOME": str(self.stage.folder), "CI": "true",
               "CDK_DOCKER": str(docker or ROOT / "tests" / "deploy" / "docker"),
               "DOCKER_CALLS": str(self.stage.folder / "docker.calls")}
        ran = subprocess.run([CDK / "node_modules" / ".bin" / "cdk", *map(str, arguments), "--no-notices"],
                             cwd=CDK, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, timeout=DEPLOY_SECONDS, check=False)
        if (ran.returncode != 0) != fails:
            raise AssertionError(f"cdk {' '.join(map(str, arguments))} ended with {ran.returncode}:\n"
                                 f"{ran.stdout}\n{self.emulator.said()[-6000:]}")
        print(f"cdk {arguments[0]}: {time.monotonic() - began:.0f} s")
        return ran.stdout

    def stack(self, name="logmill"):
        """The stack's resources by logical id, and its outputs."""
        cloudformation = self.client("cloudformation")
        found = cloudformation.get_paginator("list_stack_resources").paginate(StackName=name)
        resources = {one["LogicalResourceId"]: one for page in found for one in page["StackResourceSummaries"]}
        [stack] = cloudformation.describe_stacks(StackName=name)["Stacks"]
        return resources, {one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", [])}, stack
