import logging
import queue

import logging_loki

handler = logging_loki.LokiQueueHandler(
    queue.Queue(-1), url="http://logs.example.com:8000/loki/api/v1/push", tags={"app": "shop"}, version="1"
)
logger = logging.getLogger("orders")
logger.setLevel(logging.INFO)
logger.addHandler(handler)
end = handler.listener.stop
