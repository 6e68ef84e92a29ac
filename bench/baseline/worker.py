"""The baseline's worker: receives at most ten messages, stores them with SQLAlchemy in one commit,
deletes them from the queue, and again. `worker.py migrate` makes the table and ends.
"""

import asyncio
import json
import os
import sys
import uuid
from datetime import datetime

from sqlalchemy import DateTime, Index, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from queue_client import QUEUE_URL, sqs_client


class Base(DeclarativeBase):
    pass


class Log(Base):
    __tablename__ = "baseline_logs"
    __table_args__ = (Index("baseline_logs_timestamp", "timestamp"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    timestamp: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    level: Mapped[str] = mapped_column(Text)
    message: Mapped[str] = mapped_column(Text)
    attributes: Mapped[dict] = mapped_column(JSONB)


engine = create_async_engine(os.environ["DATABASE_URL"].replace("postgresql:", "postgresql+asyncpg:", 1))
new_session = async_sessionmaker(engine)


def parse(body: str) -> Log:
    fields = json.loads(body)
    return Log(
        timestamp=datetime.fromisoformat(fields.pop("timestamp")),
        level=fields.pop("level"),
        message=fields.pop("message"),
        attributes=fields,
    )


async def migrate():
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)


async def work():
    async with sqs_client() as sqs:
        while True:
            answer = await sqs.receive_message(QueueUrl=QUEUE_URL, MaxNumberOfMessages=10, WaitTimeSeconds=1)
            messages = answer.get("Messages", [])
            if not messages:
                continue
            async with new_session() as session:
                session.add_all(parse(message["Body"]) for message in messages)
                await session.commit()
            entries = [
                {"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]} for n, message in enumerate(messages)
            ]
            await sqs.delete_message_batch(QueueUrl=QUEUE_URL, Entries=entries)


if __name__ == "__main__":
    asyncio.run(migrate() if sys.argv[1:] == ["migrate"] else work())
