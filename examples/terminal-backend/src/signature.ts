/** Lets in what the gateway's function signed, once, and refuses the rest. */

import { createHmac, timingSafeEqual } from "node:crypto";
import type { RequestHandler, Response } from "express";

/** Seconds that a signature counts, before and after its time. */
const WINDOW = 300;

/** Which requests have been let in. Several processes of one backend share it, or a request can be repeated to each of them. */
export interface Used {
  /** Whether this is used for the first time, or `"full"` where no more can be remembered. `until`: epoch seconds. */
  first(tag: string, until: number): Promise<boolean | "full">;
}

/** Signatures that one process remembers. */
export class UsedHere implements Used {
  readonly #until = new Map<string, number>();

  /** `most`: when there are more, nothing is let in until some are too old to count. */
  constructor(private readonly most = 200_000) {}

  first(tag: string, until: number): Promise<boolean | "full"> {
    const now = Math.floor(Date.now() / 1000);
    for (const [old, end] of this.#until) {
      if (end >= now) break;
      this.#until.delete(old);
    }
    if (this.#until.has(tag)) return Promise.resolve(false);
    if (this.#until.size >= this.most) return Promise.resolve("full");
    this.#until.set(tag, until);
    return Promise.resolve(true);
  }
}

/**
 * Middleware. `keys`: WSFIX_SIGNING_KEY, one key or two separated by a comma. It wants the raw body in `request.body`, and leaves it there:
 * what JSON.parse and JSON.stringify make of it is not what was signed.
 */
export function signedByWsfix(keys: readonly string[], used: Used): RequestHandler {
  return async (request, response, next) => {
    const now = Math.floor(Date.now() / 1000);
    const parts = (request.get("X-Wsfix-Signature") ?? "").split(",").map((part) => part.trim().split("="));
    const time = parts.find(([name]) => name === "t")?.[1] ?? "";
    if (!/^\d{1,12}$/.test(time) || Math.abs(now - Number(time)) > WINDOW) {
      refuse(response);
      return;
    }
    const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
    const head = `${time}.${request.get("X-Request-Id") ?? ""}.${request.method}.${request.originalUrl}.`;
    const wanted = keys.map((key) => createHmac("sha256", key).update(head).update(body).digest());
    const found = parts
      .filter(([name]) => name === "v1")
      .slice(0, 4)
      .map(([, hex]) => Buffer.from(hex ?? "", "hex"));
    const fits = (tag: Buffer) => wanted.some((one) => one.length === tag.length && timingSafeEqual(one, tag));
    if (!found.some(fits)) {
      refuse(response);
      return;
    }
    // Ours, not the caller's: the caller may leave one of two out.
    const first = await used.first(wanted[0]?.toString("base64") ?? "", Number(time) + WINDOW);
    if (first === "full") response.status(503).json({ error: "too many requests" });
    else if (!first) refuse(response);
    else next();
  };
}

function refuse(response: Response): void {
  response.status(401).json({ error: "not signed by wsfix, too old, or used already" });
}
