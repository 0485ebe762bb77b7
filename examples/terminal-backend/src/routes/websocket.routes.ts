/** What the gateway's function asks: one route for messages, one for the ends of connections. */

import { Router } from "express";
import { log, quoted } from "../log.js";
import { parseMessage, parseObject, parseSender } from "../protocol.js";
import type { Sessions } from "../terminal/sessions.js";

/** The routes below `/api/ws`; requests must have been let in by `signedByWsfix`. */
export function websocketRoutes(sessions: Sessions): Router {
  const routes = Router();

  routes.post("/message", async (request, response) => {
    const body = parseObject(String(request.body));
    // Of the headers only X-Request-Id is signed: who it is about is in the body.
    const sender = body && parseSender(body);
    if (!body || !sender) {
      response.status(400).json({ error: "the body is no JSON object with connectionId and sessionId" });
      return;
    }
    const message = parseMessage(body);
    log(`[WS] Message from ${quoted(sender.connectionId)}: { type: '${quoted(text(body["type"]))}' }`);
    const answer = message.type === "error" ? message : await sessions.ask(sender, message);
    if (answer === null) response.status(204).end();
    else response.json(answer);
  });

  routes.post("/disconnect", (request, response) => {
    const body = parseObject(String(request.body));
    if (!body || typeof body["connectionId"] !== "string") {
      response.status(400).json({ error: "the body is no JSON object with connectionId" });
      return;
    }
    const { connectionId, sessionId, code } = body;
    log(`[WS] Client disconnected: ${quoted(connectionId)}, Session: ${quoted(text(sessionId))}, Code: ${quoted(text(code))}`);
    sessions.ended(connectionId);
    response.status(204).end();
  });

  return routes;
}

function text(value: unknown): string | number | null {
  return typeof value === "string" || typeof value === "number" ? value : null;
}
