#!/bin/bash
# splunk-logging (Splunk's own logger for Node) takes a 503, or any other HTTP error, for a success, unless
# the body is JSON with a `code` other than 0.
#
# The status is not looked at. What stands in front of a collector and answers for it (a load balancer that
# is out of servers, a proxy with a page of HTML) makes it drop a batch: no error handler is called, and the
# callback of flush() has no error. With maxRetries, too: that is for connections that break.
set -euo pipefail
VERSION=0.11.1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --ignore-scripts "splunk-logging@$VERSION"
cat >splunk.cjs <<'JS'
const http = require('http');
const { Logger } = require('splunk-logging');
const answers = [
    [503, 'text/html', '<h1>Service Unavailable</h1>'],
    [503, 'text/plain', ''],
    [500, 'text/plain', 'error'],
    [401, 'text/plain', 'no'],
    [503, 'application/json', '{"text":"Server is busy","code":9}'],
];
let answer, requests;
const server = http.createServer((request, response) => {
    requests++;
    request.resume().on('end', () => {
        response.writeHead(answer[0], { 'Content-Type': answer[1] });
        response.end(answer[2]);
    });
}).listen(0, '127.0.0.1', async () => {
    for (answer of answers) {
        requests = 0;
        let handled = 'no error handler';
        const url = `http://127.0.0.1:${server.address().port}`;
        const logger = new Logger({ token: 'x', url, maxRetries: 3, maxBatchCount: 0 });
        logger.error = () => (handled = 'error handler called');
        logger.send({ message: 'order placed' });
        const error = await new Promise((resolve) => logger.flush((error) => resolve(error)));
        console.log(`${answer[0]} ${JSON.stringify(answer[2])}: ${requests} request, ${handled}, callback: ${error}`);
    }
    server.close();
});
JS
node splunk.cjs | tee said
diff said - <<'TEXT'
503 "<h1>Service Unavailable</h1>": 1 request, no error handler, callback: null
503 "": 1 request, no error handler, callback: null
500 "error": 1 request, no error handler, callback: null
401 "no": 1 request, no error handler, callback: null
503 "{\"text\":\"Server is busy\",\"code\":9}": 1 request, error handler called, callback: null
TEXT
echo "as described, with version $VERSION"
