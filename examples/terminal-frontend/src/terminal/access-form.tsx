import type { SubmitEvent } from "react";

import { giveAccess } from "./access.ts";

/** Where nobody is logged in: the connection, by hand. */
export function AccessForm() {
  const submit = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const field = (name: string) => {
      const value = form.get(name);
      return typeof value === "string" ? value.trim() : "";
    };
    giveAccess({ url: field("url"), sessionId: field("sessionId"), token: field("token") });
  };
  return (
    <form onSubmit={submit} autoComplete="off">
      <p>
        No login is set up (<code>NEXT_PUBLIC_TOKEN_URL</code>). <code>wsfix dev</code> prints what belongs here; <code>npm run dev</code> prints a
        link with all of it.
      </p>
      <label htmlFor="url">WebSocket URL</label>
      <input id="url" name="url" type="url" required pattern="wss?://.+" defaultValue={process.env.NEXT_PUBLIC_WS_URL} spellCheck={false} />
      <label htmlFor="sessionId">Session</label>
      <input id="sessionId" name="sessionId" required defaultValue="dev" spellCheck={false} />
      <label htmlFor="token">Token</label>
      <input id="token" name="token" type="password" required spellCheck={false} />
      <button type="submit">Connect</button>
    </form>
  );
}
