"""The application that logmill must be indistinguishable from: the original service's model and
routes with FastAPI and pydantic v2, plus the routes and the rules that are logmill's own.

A request that is accepted leaves what pydantic understood in `understood`, for the caller to read.
"""

from datetime import datetime, timedelta
from typing import Annotated, Any, Optional

from fastapi import FastAPI, Query
from pydantic import UUID7, AfterValidator, BaseModel, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError, PydanticKnownError

EPOCH = datetime(1970, 1, 1)

app = FastAPI(openapi_url=None)
understood: dict = {}


def microseconds(t: Optional[datetime]) -> Optional[int]:
    """Microseconds since 1970 UTC; a time without a zone is UTC. Never overflows, unlike
    astimezone(), for a time whose zone takes it out of the years 1 to 9999."""
    if t is None:
        return None
    offset = t.utcoffset() or timedelta()
    return (t.replace(tzinfo=None) - EPOCH - offset) // timedelta(microseconds=1)


BYTES_MAX = 1024  # of a level and of an attribute's name: record/limits.h


def fits(text: str) -> str:
    """Counted in bytes, since that is what others have to hold."""
    if len(text.encode(errors="surrogatepass")) > BYTES_MAX:
        raise PydanticKnownError("bytes_too_long", {"max_length": BYTES_MAX})
    return text


ShortText = Annotated[str, Field(max_length=BYTES_MAX), AfterValidator(fits)]


class LogEntry(BaseModel):
    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[ShortText, Any]

    message: str
    level: ShortText
    timestamp: Optional[datetime] = None
    id: Optional[UUID7] = None

    @field_validator("id", mode="after")
    @classmethod
    def id_agrees_with_timestamp(cls, id, info):
        timestamp = info.data.get("timestamp")
        if id is not None and timestamp is not None:
            if id.int >> 80 != max(microseconds(timestamp) // 1000, 0):
                raise PydanticCustomError(
                    "id_timestamp_mismatch",
                    "Input should carry the timestamp's millisecond, or one of the two be left out",
                )
        return id


def remember(entry: LogEntry) -> dict:
    return {
        "message": entry.message,
        "level": entry.level,
        "timestamp": microseconds(entry.timestamp),
        "id": str(entry.id) if entry.id else None,
    }


@app.post("/log", status_code=201)
async def log(entry: LogEntry):
    understood["logs"] = [remember(entry)]
    return {"status": "queued"}


@app.post("/logs", status_code=201)
async def logs(entries: list[LogEntry]):
    understood["logs"] = [remember(entry) for entry in entries]
    return {"status": "queued", "accepted": len(entries)}


@app.get("/logs")
async def query(
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    offset: Annotated[int, Query(ge=0)] = 0,
    since: Optional[datetime] = None,
    until: Optional[datetime] = None,
    level: Annotated[list[str], Query(max_length=32)] = [],
    q: Annotated[str, Query(max_length=1000)] = "",
    cursor: Optional[str] = None,
):
    understood["query"] = {
        "limit": limit,
        "offset": offset,
        "since": microseconds(since),
        "until": microseconds(until),
        "level": level,
        "q": q,
        "cursor": cursor,
    }
    return {"logs": [], "next": None}


@app.get("/logs/stats")
async def stats(
    since: Optional[datetime] = None,
    until: Optional[datetime] = None,
    level: Annotated[list[str], Query(max_length=32)] = [],
    q: Annotated[str, Query(max_length=1000)] = "",
    bucket: Annotated[Optional[int], Query(ge=1)] = None,
):
    understood["query"] = {
        "since": microseconds(since),
        "until": microseconds(until),
        "level": level,
        "q": q,
        "bucket": bucket,
    }
    return {}


@app.get("/logs/{id}")
async def one(id: UUID7):
    understood["id"] = str(id)
    return {}


@app.get("/health")
async def health():
    return {"status": "ok"}
