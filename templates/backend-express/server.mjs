// A backend behind wsfix, with Express 5: `npm install`, then `WSFIX_SIGNING_KEY=... npm start`.
//
// `signedByWsfix` is what matters: it lets in what the gateway's function signed, once, and refuses the rest with 401.

import { createHmac, timingSafeEqual } from "node:crypto";
import express from "express";

/** Seconds that a signature counts, before and after its time. */
const WINDOW = 300;
/** Signatures that are remembered; when there are more, nothing is let in until some are too old to count. */
const MOST_REMEMBERED = 200_000;

/**
 * Middleware. `keys`: WSFIX_SIGNING_KEY, one key or two separated by a comma. It wants the raw body, and leaves it in `request.body`.
 *
 * Several processes of one backend must share what they remember (in Redis, say), or a request can be repeated to each of them.
 */
export function signedByWsfix(keys) {
  const secrets = (keys ?? "").split(",").map((key) => key.trim());
  if (secrets.some((key) => key.length < 32)) throw new Error("WSFIX_SIGNING_KEY must be one or two keys of at least 32 characters");
  const used = new Map();

  return (request, response, next) => {
    const now = Math.floor(Date.now() / 1000);
    const parts = (request.get("X-Wsfix-Signature") ?? "").split(",").map((part) => part.trim().split("="));
    const time = parts.find(([name]) => name === "t")?.[1] ?? "";
    if (!/^\d{1,12}$/.test(time) || Math.abs(now - Number(time)) > WINDOW) return refuse(response);

    const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
    const head = `${time}.${request.get("X-Request-Id") ?? ""}.${request.method}.${request.originalUrl}.`;
    const wanted = secrets.map((secret) => createHmac("sha256", secret).update(head).update(body).digest());
    const found = parts.filter(([name]) => name === "v1").slice(0, 4).map(([, hex]) => Buffer.from(hex ?? "", "hex"));
    const fits = (tag) => wanted.some((one) => one.length === tag.length && timingSafeEqual(one, tag));
    if (!found.some(fits)) return refuse(response);

    for (const [tag, until] of used) {
      if (until >= now) break;
      used.delete(tag);
    }
    // Ours, not the caller's: the caller may leave one of two out.
    const tag = wanted[0].toString("base64");
    if (used.has(tag)) return refuse(response);
    if (used.size >= MOST_REMEMBERED) return response.status(503).json({ error: "too many requests" });
    used.set(tag, Number(time) + WINDOW);
    next();
  };
}

function refuse(response) {
  response.status(401).json({ error: "not signed by wsfix, too old, or used already" });
}

const app = express();
// The raw body: what JSON.parse and JSON.stringify make of it is not what was signed.
app.use(express.raw({ type: () => true, limit: "5mb" }), signedByWsfix(process.env.WSFIX_SIGNING_KEY));

app.post("/api/ws/message", (request, response) => {
  // Of the headers only X-Request-Id is signed: who it is about is in the body.
  const { type, sessionId, ...message } = JSON.parse(request.body);
  response.json(type === "ping" ? { type: "pong" } : { type: "echo", sessionId, message });
});

app.post("/api/ws/disconnect", (request, response) => {
  const { sessionId, code } = JSON.parse(request.body);
  console.log("a connection of session", JSON.stringify(sessionId), "ended with", code);
  response.status(204).end();
});

const server = app.listen(Number(process.env.PORT ?? 8080), "0.0.0.0", () => console.log(`listening on port ${server.address().port}`));
