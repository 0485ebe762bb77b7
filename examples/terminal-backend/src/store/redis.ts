/** The store in Redis. While that is away, everything is answered as if nothing were kept. */

import { LARGEST_SIZE, parseObject } from "../protocol.js";
import { UsedHere } from "../signature.js";
import { PREFIX, type RedisLink } from "./redis-link.js";
import type { SavedConnection, SavedSession, Store } from "./store.js";

/** Seconds: API Gateway ends a connection after two hours. */
const CONNECTION_SECONDS = 2 * 3600 + 600;

export class RedisStore implements Store {
  /** What this process let in: without Redis that is all there is to know. */
  readonly #usedHere = new UsedHere();

  constructor(private readonly link: RedisLink) {}

  get status(): "connected" | "unavailable" {
    return this.link.status;
  }

  async first(tag: string, until: number): Promise<boolean | "full"> {
    const here = await this.#usedHere.first(tag, until);
    if (here !== true) return here;
    const set = await this.link.ask((client) => client.set(`${PREFIX}used:${tag}`, "1", { condition: "NX", expiration: { type: "EXAT", value: until + 1 } }));
    return set !== null;
  }

  async session(key: string): Promise<SavedSession | null> {
    const text = await this.link.ask((client) => client.get(`${PREFIX}session:${key}`));
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

  async #set(key: string, value: object, seconds: number): Promise<void> {
    await this.link.ask((client) => client.set(PREFIX + key, JSON.stringify(value), { expiration: { type: "EX", value: seconds } }));
  }

  async #remove(key: string): Promise<void> {
    await this.link.ask((client) => client.del(PREFIX + key));
  }
}

/** What was stored, if it is whole. */
function savedSession(text: string): SavedSession | null {
  const found = parseObject(text);
  if (found === null) return null;
  const { cols, rows, cwd, screen, running } = found;
  const isSize = (value: unknown): value is number => Number.isInteger(value) && Number(value) >= 1 && Number(value) <= LARGEST_SIZE;
  if (!isSize(cols) || !isSize(rows) || typeof cwd !== "string" || typeof screen !== "string") return null;
  return { cols, rows, cwd, screen, running: typeof running === "string" ? running : null };
}
