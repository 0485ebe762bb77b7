import assert from "node:assert/strict";
import { test } from "node:test";

import { OutputStream } from "../src/terminal/output-stream.ts";

const at = (offset: number, more: object = {}) => ({ terminal: "a", offset, ...more });

test("what comes twice is printed once", () => {
  const stream = new OutputStream();
  assert.equal(stream.take(at(0), "one ").text, "one ");
  assert.equal(stream.take(at(0), "one two ").text, "two ");
  assert.equal(stream.take(at(4), "two ").text, "");
  assert.equal(stream.take(at(8), "three").text, "three");
  assert.equal(stream.printed, 13);
});

test("what is missing is noticed, and what came early is not printed", () => {
  const stream = new OutputStream();
  stream.take(at(0), "one ");
  assert.deepEqual(stream.take(at(8), "three"), { text: "", fresh: false, skipped: 0, gap: true });
  assert.equal(stream.take(at(4), "two three").text, "two three");
});

test("what nobody has any more is no gap", () => {
  const stream = new OutputStream();
  stream.take(at(0), "one ");
  assert.deepEqual(stream.take(at(100, { skipped: 96 }), "end"), { text: "end", fresh: false, skipped: 96, gap: false });
  assert.equal(stream.printed, 103);
});

test("a page that was opened later begins where the output does", () => {
  assert.deepEqual(new OutputStream().take(at(500), "here"), { text: "here", fresh: false, skipped: 0, gap: false });
});

test("another terminal begins anew", () => {
  const stream = new OutputStream();
  stream.take(at(90), "old");
  assert.deepEqual(stream.take({ terminal: "b", offset: 0 }, "new"), { text: "new", fresh: true, skipped: 0, gap: false });
});

test("a backend without offsets is printed as it comes", () => {
  const stream = new OutputStream();
  assert.equal(stream.take({}, "same").text + stream.take({}, "same").text, "samesame");
  assert.equal(stream.printed, undefined);
});
