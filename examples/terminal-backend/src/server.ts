/** The process: reads its settings, listens, and ends in order. */

import type { AddressInfo } from "node:net";
import { makeApp } from "./app.js";
import { log, reason, warn } from "./log.js";
import { NO_PUSH } from "./push.js";
import { readSettings, SettingsError, type Settings } from "./settings.js";
import { UsedHere } from "./signature.js";
import { Confinement } from "./terminal/confinement.js";
import { Sessions } from "./terminal/sessions.js";

/** Milliseconds that requests have to come to their end. */
const LAST_REQUESTS = 5000;

function serve(settings: Settings): void {
  const confinement = new Confinement();
  if (confinement.warning !== null) warn(`[Terminal] Warning: ${confinement.warning}`);
  const sessions = new Sessions({ ...settings, confinement, push: NO_PUSH });
  let ending = false;
  const health = () => (ending ? null : { sessions: sessions.size, push: NO_PUSH.works, redis: "not used" as const });
  const app = makeApp({ signingKeys: settings.signingKeys, used: new UsedHere(), sessions, health });
  const server = app.listen(settings.port, settings.host, (error) => {
    if (error !== undefined) {
      warn(`cannot listen on ${settings.host}, port ${settings.port}: ${reason(error)}`);
      confinement.remove();
      process.exit(1);
    }
    log(`listening on port ${(server.address() as AddressInfo).port} of ${settings.host}`);
  });
  // The function keeps its connections for 4 s; one that both ends close at the same time would cost a message.
  server.keepAliveTimeout = 10_000;

  const end = async (signal: string) => {
    if (ending) return;
    ending = true;
    log(`${signal}: ${sessions.size} sessions end`);
    const closed = new Promise((resolve) => server.close(resolve));
    setTimeout(() => {
      server.closeAllConnections();
    }, LAST_REQUESTS).unref();
    await sessions.close();
    server.closeIdleConnections();
    await closed;
    confinement.remove();
    process.exit(0);
  };
  for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => void end(signal));
}

try {
  serve(readSettings(process.env));
} catch (error) {
  if (!(error instanceof SettingsError)) throw error;
  warn(error.message);
  process.exit(2);
}
