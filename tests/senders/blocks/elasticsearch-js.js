const { Client } = require('@elastic/elasticsearch');
const client = new Client({ node: 'http://logs.example.com:8000' });
const SLICE = 50;
let documents = [];

async function send(level, message, n) {
    documents.push({ '@timestamp': new Date().toISOString(), level: levels[level], message, n });
    if (documents.length === SLICE) {
        await end();
    }
}

async function end() {
    const datasource = documents;
    documents = [];
    try {
        await client.helpers.bulk({
            datasource,
            onDocument: () => ({ create: { _index: 'logs-shop-default' } }),
        });
    } catch (error) {
        console.error(String(error));
    }
}
