// node openai.cjs URL: run OpenAI's Node SDK against the service there, and print what it got.

const OpenAI = require('openai');

(async () => {
  // The one change: this address.
  const client = new OpenAI({ baseURL: `${process.argv[2]}/v1`, apiKey: 'any' });
  const moderated = await client.moderations.create({
    input: ['Thank you, that was very helpful.', 'You are an idiot and nobody wants you here.'],
    model: 'omni-moderation-latest',
  });
  const image = { type: 'image_url', image_url: { url: 'https://forum.example/cat.png' } };
  const error = await client.moderations.create({ input: [image] }).catch((error) => error);
  const models = [];
  for await (const model of client.models.list()) models.push(model.id);
  const { status, code, param } = error;
  const refused = { name: error.constructor.name, status, code, param };
  process.stdout.write(JSON.stringify({ results: moderated.results, refused, models }));
})();
