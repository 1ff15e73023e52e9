// node clients.cjs URL: run real clients against the service there, and print what they got.

const { google } = require('googleapis');
const axios = require('axios');
const Perspective = require('perspective-api-client');

const url = process.argv[2];
const rude = 'You are an idiot and nobody wants you here.';

async function official() {
  // The one change: this address.
  const client = await google.discoverAPI(`${url}/$discovery/rest?version=v1alpha1`);
  const analyze = (text, more) =>
    client.comments.analyze({
      key: 'any',
      resource: { comment: { text }, requestedAttributes: { TOXICITY: {} }, ...more },
    });
  const scored = await analyze(rude, { clientToken: 'mine' });
  const refused = await analyze('').catch((error) => error);
  const suggested = await client.comments.suggestscore({
    key: 'any',
    resource: {
      comment: { text: rude },
      attributeScores: { TOXICITY: { summaryScore: { value: 1 } } },
      clientToken: 'mine',
    },
  });
  return {
    scored: scored.data,
    refused: { message: refused.message, error: refused.response.data.error },
    suggested: suggested.data,
  };
}

async function npm() {
  // The address is a constant in that package; what it sends goes through the axios it brings.
  const theirs = 'https://commentanalyzer.googleapis.com';
  axios.interceptors.request.use((config) => {
    config.url = config.url.replace(theirs, url);
    return config;
  });
  const perspective = new Perspective({ apiKey: 'any' });
  const attributes = ['toxicity', 'insult'];
  const scored = await perspective.analyze(`<b>${rude}</b>`, { attributes });
  const refused = await perspective.analyze(rude, { attributes: ['spam'] }).catch((error) => error);
  return { scored, refused: { name: refused.name, message: refused.message } };
}

(async () => {
  process.stdout.write(JSON.stringify({ official: await official(), npm: await npm() }));
})();
