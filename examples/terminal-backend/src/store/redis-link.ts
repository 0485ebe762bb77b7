/** A connection to Redis, which may go away and come back at any time: meanwhile nothing is asked, and nobody waits. */

import { createClient } from "@redis/client";
import { log, reason, warn } from "../log.js";

/** Milliseconds that an answer is waited for, and that nothing is asked after one did not come. */
const PATIENCE = 500;
const PAUSE = 5000;

/** Before every key and channel. */
export const PREFIX = "terminal:";

export type Client = ReturnType<typeof clientOf>;

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

export class RedisLink {
  readonly #client: Client;
  readonly #listener: Client;
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
    this.#listener = clientOf(url);
    for (const client of [this.#client, this.#listener]) {
      client.on("error", (error: unknown) => {
        this.#missing(error);
      });
      client.connect().catch((error: unknown) => {
        this.#missing(error);
      });
    }
  }

  get status(): "connected" | "unavailable" {
    return this.#client.isReady && Date.now() >= this.#silentUntil ? "connected" : "unavailable";
  }

  /** Redis's answer; undefined: there is none. */
  async ask<T>(question: (client: Client) => Promise<T>): Promise<T | undefined> {
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

  /** Hears what is published on a channel, from when it is connected. */
  listen(channel: string, heard: (message: string) => void): void {
    const subscribe = () => {
      this.#listener.subscribe(PREFIX + channel, heard).catch((error: unknown) => {
        this.#missing(error);
      });
    };
    // After that the client subscribes anew by itself.
    if (this.#listener.isReady) subscribe();
    else this.#listener.once("ready", subscribe);
  }

  async close(): Promise<void> {
    for (const client of [this.#listener, this.#client]) {
      if (client.isReady) await within(client.close(), PATIENCE).catch(() => undefined);
      if (client.isOpen) client.destroy();
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
