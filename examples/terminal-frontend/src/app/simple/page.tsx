"use client";

import { useState } from "react";
import type { SubmitEvent } from "react";

import { useTerminal } from "@/hooks/use-terminal.ts";
import { AccessForm } from "@/terminal/access-form.tsx";
import { useAccess } from "@/terminal/use-access.ts";

/** The least that works: a field, a list, and the hook that an app had before. */
export default function Page() {
  const access = useAccess();
  if (access === undefined) return null;
  if (access === null || typeof access.token !== "string") return <AccessForm />;
  return <Simple url={access.url} sessionId={access.sessionId} token={access.token} />;
}

function Simple({ url, sessionId, token }: { url: string; sessionId: string; token: string }) {
  const { isConnected, output, executeCommand } = useTerminal(url, sessionId, token);
  const [command, setCommand] = useState("");
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    executeCommand(command);
    setCommand("");
  };
  return (
    <main>
      <header>
        <h1>Terminal</h1>
        <span className="state" data-phase={isConnected ? "open" : "connecting"} role="status">
          {isConnected ? "connected" : "not connected"}
        </span>
      </header>
      <pre>{output.join("\n")}</pre>
      <form onSubmit={submit} autoComplete="off">
        <label htmlFor="command">$</label>
        <input
          id="command"
          value={command}
          disabled={!isConnected}
          spellCheck={false}
          onChange={(event) => {
            setCommand(event.target.value);
          }}
        />
      </form>
    </main>
  );
}
