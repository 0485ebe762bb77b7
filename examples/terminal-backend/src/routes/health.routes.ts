/** For whoever watches this process. */

import { Router } from "express";

/** What `GET /health` tells. */
export interface Health {
  sessions: number;
  /** Whether output is pushed. */
  push: boolean;
  redis: "connected" | "unavailable" | "not used";
}

/** 200 as long as requests are taken: without Redis too. `null`: the process is about to end, 503. */
export function healthRoutes(health: () => Health | null): Router {
  const routes = Router();
  routes.get("/health", (_request, response) => {
    const found = health();
    if (found === null) response.status(503).json({ status: "shutting down" });
    else response.json({ status: "ok", ...found });
  });
  return routes;
}
