import datetime

from elasticsearch import Elasticsearch, helpers

client = Elasticsearch("http://logs.example.com:8000")
SLICE = 50
documents = []


def send(level, message, n):
    now = datetime.datetime.now(datetime.timezone.utc).isoformat()
    level = ("info", "warning", "error")[level]
    documents.append({"_index": "logs-shop-default", "_op_type": "create",
                      "@timestamp": now, "level": level, "message": message, "n": n})  # fmt: skip
    if len(documents) == SLICE:
        end()


def end():
    these = documents[:]
    documents.clear()
    try:
        helpers.bulk(client, these)
    except Exception as error:
        print(repr(error))
