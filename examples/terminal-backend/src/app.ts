/** The HTTP side, put together. */

import express, { type ErrorRequestHandler, type Express } from "express";
import { reason, warn } from "./log.js";
import { healthRoutes, type Health } from "./routes/health.routes.js";
import { websocketRoutes } from "./routes/websocket.routes.js";
import { signedByWsfix, type Used } from "./signature.js";
import type { Sessions } from "./terminal/sessions.js";

export interface Parts {
  signingKeys: readonly string[];
  used: Used;
  sessions: Sessions;
  health: () => Health | null;
}

export function makeApp({ signingKeys, used, sessions, health }: Parts): Express {
  const app = express();
  app.disable("x-powered-by");
  app.use(healthRoutes(health));
  // The raw body: what JSON.parse and JSON.stringify make of it is not what was signed.
  app.use("/api/ws", express.raw({ type: () => true, limit: "5mb" }), signedByWsfix(signingKeys, used), websocketRoutes(sessions));
  app.use((_request, response) => {
    response.status(404).json({ error: "there is nothing here" });
  });
  app.use(failed);
  return app;
}

/** Express asks for four parameters. No stack goes to the caller. */
const failed: ErrorRequestHandler = (error: unknown, _request, response, next) => {
  if (response.headersSent) {
    next(error);
    return;
  }
  const status = error instanceof Error && "status" in error && typeof error.status === "number" ? error.status : 500;
  if (status >= 500) warn(`[WS] Failed: ${reason(error)}`);
  response.status(status).json({ error: status >= 500 ? "internal error" : reason(error) });
};
