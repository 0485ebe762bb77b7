/** The process: reads its settings, listens, and ends in order. */

import type { AddressInfo } from "node:net";
import { makeApp } from "./app.js";
import { log, reason, warn } from "./log.js";
import { NO_PUSH, pushTo } from "./push.js";
import type { Health } from "./routes/health.routes.js";
import { readSettings, SettingsError, type Settings } from "./settings.js";
import { RedisLink } from "./store/redis-link.js";
import { RedisStore } from "./store/redis.js";
import { NO_RELAY, RedisRelay } from "./store/relay.js";
import { NoStore } from "./store/store.js";
import { Confinement } from "./terminal/confinement.js";
import { Sessions } from "./terminal/sessions.js";

/** Milliseconds that requests have to come to their end. */
const LAST_REQUESTS = 5000;

async function serve(settings: Settings): Promise<void> {
  const push = settings.managementUrl === null ? NO_PUSH : await pushTo(settings.managementUrl);
  if (settings.redisUrl === null) log("[Redis] REDIS_URL is not set: sessions are kept in memory, and end with this process");
  const link = settings.redisUrl === null ? null : new RedisLink(settings.redisUrl);
  const store = link === null ? new NoStore() : new RedisStore(link);
  const relay = link === null ? NO_RELAY : new RedisRelay(link);
  const confinement = new Confinement();
  if (confinement.warning !== null) warn(`[Terminal] Warning: ${confinement.warning}`);
  const sessions = new Sessions({ ...settings, confinement, push, store, relay });
  let ending = false;
  const health = (): Health | null => (ending ? null : { sessions: sessions.size, push: push.works, redis: store.status });
  const app = makeApp({ signingKeys: settings.signingKeys, used: store, sessions, health });
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
    await link?.close();
    confinement.remove();
    process.exit(0);
  };
  for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => void end(signal));
}

try {
  await serve(readSettings(process.env));
} catch (error) {
  if (!(error instanceof SettingsError)) throw error;
  warn(error.message);
  process.exit(2);
}
