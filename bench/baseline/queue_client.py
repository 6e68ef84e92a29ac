"""The client of SQS that api and worker share; AWS_… and SQS_QUEUE_URL as usual."""

import os

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

QUEUE_URL = os.environ["SQS_QUEUE_URL"]


def sqs_client():
    # Ten connections, the default, would make the api wait for itself.
    return get_session().create_client("sqs", config=AioConfig(max_pool_connections=64))
