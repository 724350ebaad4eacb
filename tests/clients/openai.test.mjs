// The official SDK for Node.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import OpenAI from "openai";
import { startProgram, waitFor } from "../browser/program.mjs";

let program;
let client;

before(async () => {
  program = await startProgram();
  client = new OpenAI({ baseURL: `${program.url}/v1`, apiKey: "unused", maxRetries: 0 });
});
after(() => program.stop());

const isPng = (base64) => Buffer.from(base64, "base64").subarray(1, 4).toString() === "PNG";

test("a prompt becomes a picture", async () => {
  const answer = await client.images.generate({ prompt: "a red apple", n: 2 });
  assert.equal(answer.data.length, 2);
  assert.ok(answer.data.every((item) => isPng(item.b64_json)));
  assert.equal(answer.size, "256x256");
});

test("a stream shows the picture on its way", async () => {
  const stream = await client.images.generate({ prompt: "a red apple", stream: true, partial_images: 2 });
  const kinds = [];
  for await (const event of stream) {
    kinds.push(event.type);
    assert.ok(isPng(event.b64_json));
  }
  const partial = "image_generation.partial_image";
  assert.deepEqual(kinds, [partial, partial, "image_generation.completed"]);
});

test("errors bear the status, the field, the code and an id", async () => {
  const wrong = client.images.generate({ prompt: "a red apple", size: "17x17" });
  await assert.rejects(wrong, (error) => {
    assert.ok(error instanceof OpenAI.BadRequestError);
    assert.equal(error.param, "size");
    assert.ok(error.code);
    assert.ok(error.requestID);
    return true;
  });
  const unknown = client.images.generate({ prompt: "a red apple", model: "nowhere" });
  await assert.rejects(unknown, OpenAI.NotFoundError);
});

test("models are listed and found", async () => {
  const ids = [];
  for await (const model of client.models.list()) ids.push(model.id);
  assert.ok(ids.includes("pinhole-mini"));
  assert.equal((await client.models.retrieve("pinhole-mini")).object, "model");
});

test("a response may hold a picture, whole and in a stream", async () => {
  const request = { model: "pinhole-mini", input: "a red apple", tools: [{ type: "image_generation" }] };
  const answer = await client.responses.create(request);
  const calls = answer.output.filter((item) => item.type === "image_generation_call");
  assert.deepEqual(calls.map((call) => isPng(call.result)), [true]);
  const last = await client.responses.stream(request).finalResponse();
  assert.ok(isPng(last.output.find((item) => item.type === "image_generation_call").result));
});

// A client that counts its retries, as this one does by itself, may come again for two seconds.
for (const counts of [true, false]) test(`hanging up ends the drawing, retries ${counts ? "" : "not "}counted`, async () => {
  const newest = async () => (await (await fetch(`${program.url}/v1/jobs?limit=1`)).json()).data[0];
  const before = (await newest()).id;
  const controller = new AbortController();
  const headers = counts ? {} : { "x-stainless-retry-count": null };
  const options = { signal: controller.signal, headers };
  const drawing = client.images.generate({ prompt: "a red apple", n: 10 }, options);
  drawing.catch(() => {});
  const ordered = await waitFor("the job", 60_000, async () => {
    const job = await newest();
    return job.id !== before && job;
  });
  controller.abort();
  await assert.rejects(drawing, OpenAI.APIUserAbortError);
  await waitFor("its end", 60_000, async () => {
    const job = await newest();
    assert.equal(job.id, ordered.id);
    return job.status === "cancelled";
  });
});
