"""Which calls the roles of the tasks may make, and which not: each is tried, with IAM enforced."""

from botocore.exceptions import ClientError

from tasks import client_as

DENIED = {"AccessDenied", "AccessDeniedException", "AccessDeniedFault"}


def allowed(call):
    """Whether IAM lets it through, whatever the service says then."""
    try:
        call()
    except ClientError as error:
        return error.response["Error"]["Code"] not in DENIED
    return True


def calls(cloud, login, queue, dead, secrets, others):
    sqs = client_as(cloud, login, "sqs")
    get_secret = client_as(cloud, login, "secretsmanager").get_secret_value
    return {
        "send": lambda: sqs.send_message(QueueUrl=queue, MessageBody="tried"),
        "receive": lambda: sqs.receive_message(QueueUrl=queue, VisibilityTimeout=0, WaitTimeSeconds=0),
        "delete": lambda: sqs.delete_message(QueueUrl=queue, ReceiptHandle="none"),
        "visibility": lambda: sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle="none", VisibilityTimeout=1),
        "attributes": lambda: sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"]),
        "set attributes": lambda: sqs.set_queue_attributes(QueueUrl=queue, Attributes={"DelaySeconds": "0"}),
        "send dead": lambda: sqs.send_message(QueueUrl=dead, MessageBody="tried"),
        "receive dead": lambda: sqs.receive_message(QueueUrl=dead, VisibilityTimeout=0, WaitTimeSeconds=0),
        "attributes dead": lambda: sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"]),
        "purge": lambda: sqs.purge_queue(QueueUrl=dead),
        "list queues": sqs.list_queues,
        "secrets": lambda: [get_secret(SecretId=one) for one in secrets],
        **{f"secret of another, {one}": lambda one=one: get_secret(SecretId=one) for one in others},
        "put secret": lambda: client_as(cloud, login, "secretsmanager").put_secret_value(
            SecretId=secrets[0], SecretString="changed"),
        "parameters": lambda: client_as(cloud, login, "ssm").get_parameter(Name="x"),
        "buckets": lambda: client_as(cloud, login, "s3").list_buckets(),
        "roles": lambda: client_as(cloud, login, "iam").list_roles(),
        "databases": lambda: client_as(cloud, login, "rds").describe_db_instances(),
        "stack": lambda: client_as(cloud, login, "cloudformation").describe_stacks(),
        "tasks": lambda: client_as(cloud, login, "ecs").list_clusters(),
        "image": lambda: client_as(cloud, login, "ecr").get_authorization_token(),
    }


# Of cdk/README.md and README.md: the api sends, the worker takes and deletes; both count dead letters; what
# starts a task reads its secrets and its image, and nothing else.
MAY = {
    "api": {"send", "attributes", "attributes dead"},
    "worker": {"receive", "delete", "visibility", "attributes", "attributes dead", "send dead"},
    "start of api": {"secrets", "image"},
    "start of worker": {"secrets", "image"},
}


def try_all(cloud, queue, dead, definitions):
    """`definitions` is of {"api": Definition, "worker": Definition}; returns how many calls were tried."""
    tried = 0
    secrets_of = {which: {":".join(one["valueFrom"].split(":")[:7]) for container in definition.containers.values()
                          for one in container["secrets"]} for which, definition in definitions.items()}
    every = set.union({"another"}, *secrets_of.values())
    for name, may in MAY.items():
        definition = definitions[name.split()[-1]]
        login = definition.execution_role if "start" in name else definition.role
        secrets = sorted(secrets_of[name.split()[-1]])
        for what, call in calls(cloud, login, queue, dead, secrets, sorted(every - set(secrets))).items():
            got = allowed(call)
            assert got == (what in may), f"IAM: {name} {'may' if got else 'may not'} do this: {what}"
            tried += 1
    return tried
