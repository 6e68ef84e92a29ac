"""The baseline's api: POST /log checks a log with pydantic and sends it to SQS, as one message.

Answers 201 when SQS has confirmed the message. Run by bench/sqs.py with uvicorn (uvloop, httptools,
no access log).
"""

from contextlib import asynccontextmanager
from datetime import datetime, timezone

from fastapi import FastAPI, Request
from pydantic import BaseModel, ConfigDict, Field

from queue_client import QUEUE_URL, sqs_client


class Log(BaseModel):
    model_config = ConfigDict(extra="allow")

    message: str
    level: str
    timestamp: datetime = Field(default_factory=lambda: datetime.now(timezone.utc))


@asynccontextmanager
async def lifespan(app: FastAPI):
    async with sqs_client() as client:
        app.state.sqs = client
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/log", status_code=201)
async def post_log(log: Log, request: Request):
    await request.app.state.sqs.send_message(QueueUrl=QUEUE_URL, MessageBody=log.model_dump_json())
    return {"status": "queued"}
