import logging

from splunk_handler import SplunkHandler

handler = SplunkHandler(
    host="logs.example.com", port="8000", token="x", index="main", protocol="http", flush_interval=0.5,
    record_format=True, sourcetype="_json", hostname="web-1",
)
logger = logging.getLogger("orders")
logger.setLevel(logging.INFO)
logger.addHandler(handler)
