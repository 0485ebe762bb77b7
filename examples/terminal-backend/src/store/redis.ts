/** The store in Redis. It may go away and come back at any time: meanwhile everything is answered as if nothing were kept. */

import { createClient } from "@redis/client";
import { log, reason, warn } from "../log.js";
import { isObject, LARGEST_SIZE } from "../protocol.js";
import { UsedHere } from "../signature.js";
import type { SavedConnection, SavedSession, Store } from "./store.js";

/** Milliseconds that an answer is waited for, and that nothing is asked after one did not come. */
const PATIENCE = 500;
const PAUSE = 5000;
/** Seconds: API Gateway ends a connection after two hours. */
const CONNECTION_SECONDS = 2 * 3600 + 600;
const PREFIX = "terminal:";

type Client = ReturnType<typeof clientOf>;

function clientOf(url: string) {
  return createClient({
    url,
    // What cannot be asked now is not asked later: it would be out of date.
    disableOfflineQueue: true,
    maintNotifications: "disabled",
    pingInterval: 30_000,
    socket: { connectTimeout: 3000, reconnectStrategy: (retries) => Math.min(100 * 2 ** retries, 2000) + Math.random() * 100 },
  });
}

export class RedisStore implements Store {
  readonly #client: Client;
  /** What this process let in: without Redis that is all there is to know. */
  readonly #usedHere = new UsedHere();
  #isAway = false;
  #silentUntil = 0;

  /** Connects in the background. `pause`: milliseconds that nothing is asked after an answer did not come. */
  constructor(
    url: string,
    private readonly pause = PAUSE,
  ) {
    this.#client = clientOf(url);
    this.#client.once("ready", () => {
      if (!this.#isAway) log("[Redis] Connected");
    });
    this.#client.on("ready", () => {
      this.#back();
    });
    this.#client.on("error", (error: unknown) => {
      this.#missing(error);
    });
    this.#client.connect().catch((error: unknown) => {
      this.#missing(error);
    });
  }

  get status(): "connected" | "unavailable" {
    return this.#client.isReady && Date.now() >= this.#silentUntil ? "connected" : "unavailable";
  }

  async first(tag: string, until: number): Promise<boolean | "full"> {
    const here = await this.#usedHere.first(tag, until);
    if (here !== true) return here;
    const set = await this.#ask((client) => client.set(`${PREFIX}used:${tag}`, "1", { condition: "NX", expiration: { type: "EXAT", value: until + 1 } }));
    return set !== null;
  }

  async session(key: string): Promise<SavedSession | null> {
    const text = await this.#ask((client) => client.get(`${PREFIX}session:${key}`));
    return typeof text === "string" ? savedSession(text) : null;
  }

  async saveSession(key: string, saved: SavedSession, seconds: number): Promise<void> {
    await this.#set(`session:${key}`, saved, seconds);
  }

  async removeSession(key: string): Promise<void> {
    await this.#remove(`session:${key}`);
  }

  async saveConnection(connectionId: string, saved: SavedConnection): Promise<void> {
    await this.#set(`connection:${connectionId}`, saved, CONNECTION_SECONDS);
  }

  async removeConnection(connectionId: string): Promise<void> {
    await this.#remove(`connection:${connectionId}`);
  }

  async close(): Promise<void> {
    if (this.#client.isReady) await within(this.#client.close(), PATIENCE).catch(() => undefined);
    if (this.#client.isOpen) this.#client.destroy();
  }

  async #set(key: string, value: object, seconds: number): Promise<void> {
    await this.#ask((client) => client.set(PREFIX + key, JSON.stringify(value), { expiration: { type: "EX", value: seconds } }));
  }

  async #remove(key: string): Promise<void> {
    await this.#ask((client) => client.del(PREFIX + key));
  }

  /** Redis's answer; undefined: there is none. */
  async #ask<T>(question: (client: Client) => Promise<T>): Promise<T | undefined> {
    if (this.status !== "connected") return undefined;
    try {
      const answer = await within(question(this.#client), PATIENCE);
      this.#back();
      return answer;
    } catch (error) {
      this.#silentUntil = Date.now() + this.pause;
      this.#missing(error);
      return undefined;
    }
  }

  /** Says once that it is there again. */
  #back(): void {
    if (this.#isAway) log("[Redis] Connected again");
    this.#isAway = false;
  }

  /** Says once that it is away. */
  #missing(error: unknown): void {
    if (this.#isAway) return;
    this.#isAway = true;
    warn(`[Redis] Unavailable: ${reason(error)}. Sessions go on in this process; what happens meanwhile is not stored`);
  }
}

/** Rejects after so many milliseconds. */
async function within<T>(promise: Promise<T>, milliseconds: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`no answer within ${milliseconds} ms`));
    }, milliseconds);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** What was stored, if it is whole. */
function savedSession(text: string): SavedSession | null {
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isObject(found)) return null;
  const { cols, rows, cwd, screen, running } = found;
  const isSize = (value: unknown): value is number => Number.isInteger(value) && Number(value) >= 1 && Number(value) <= LARGEST_SIZE;
  if (!isSize(cols) || !isSize(rows) || typeof cwd !== "string" || typeof screen !== "string") return null;
  return { cols, rows, cwd, screen, running: typeof running === "string" ? running : null };
}
