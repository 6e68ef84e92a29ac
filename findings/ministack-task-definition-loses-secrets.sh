#!/bin/bash
# ministack: a task definition that CloudFormation makes has empty secrets, although the stack is complete.
#
# In a template a container's members have capitals (Secrets, ValueFrom), in the API of ECS they have none
# (secrets, valueFrom), and AWS turns the one into the other at every depth. ministack does so for the container
# alone: the stack is CREATE_COMPLETE, and DescribeTaskDefinition answers a secret and a health check that are
# there and have nothing in them, without a warning. Whoever compares a deployed stack with what was meant, or
# runs its containers, finds tasks that have lost their passwords. What RegisterTaskDefinition was given comes
# back whole.
set -euo pipefail
MINISTACK=1.5.33
BOTO3=1.43.106
SECRET=arn:aws:secretsmanager:eu-central-1:111122223333:secret:login-AbCdEf
folder=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; wait; rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check "ministack==$MINISTACK" "boto3==$BOTO3"
port=$(python3 -c 'import socket; print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])')
BIND_HOST=127.0.0.1 GATEWAY_PORT=$port IOT_MTLS_ENABLED=0 SFTP_ENABLED=0 venv/bin/ministack >said 2>&1 &
server=$!
curl --silent --retry 100 --retry-delay 1 --retry-connrefused --max-time 100 --output /dev/null \
    "http://127.0.0.1:$port/_ministack/health"
cat >ask.py <<'END'
import json, sys
import boto3

def client(service):
    return boto3.client(service, region_name="eu-central-1", endpoint_url=sys.argv[1],
                        aws_access_key_id="111122223333", aws_secret_access_key="test")

secret = sys.argv[2]
check = ["CMD", "true"]
made = {"Type": "AWS::ECS::TaskDefinition", "Properties": {"Family": "of-a-template", "ContainerDefinitions": [
    {"Name": "one", "Image": "debian", "Memory": 64, "HealthCheck": {"Command": check},
     "Secrets": [{"Name": "PASSWORD", "ValueFrom": secret}]}]}}
cloudformation, ecs = client("cloudformation"), client("ecs")
cloudformation.create_stack(StackName="s", TemplateBody=json.dumps({"Resources": {"Task": made}}))
cloudformation.get_waiter("stack_create_complete").wait(StackName="s", WaiterConfig={"Delay": 1})
print("stack:", cloudformation.describe_stacks(StackName="s")["Stacks"][0]["StackStatus"])
ecs.register_task_definition(family="of-the-api", containerDefinitions=[
    {"name": "one", "image": "debian", "memory": 64, "healthCheck": {"command": check},
     "secrets": [{"name": "PASSWORD", "valueFrom": secret}]}])
for family in ("of-a-template", "of-the-api"):
    answer = ecs.describe_task_definition(taskDefinition=family)["taskDefinition"]
    container = answer["containerDefinitions"][0]
    print(f"{family}:", container["name"], container.get("secrets"), container.get("healthCheck"))
END
echo "ministack $MINISTACK, boto3 $BOTO3"
venv/bin/python -W ignore ask.py "http://127.0.0.1:$port" "$SECRET" | tee answers
diff answers - <<END
stack: CREATE_COMPLETE
of-a-template: one [{}] {}
of-the-api: one [{'name': 'PASSWORD', 'valueFrom': '$SECRET'}] {'command': ['CMD', 'true']}
END
