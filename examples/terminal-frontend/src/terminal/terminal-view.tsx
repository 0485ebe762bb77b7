import { useEffect, useRef } from "react";

import { useTerminalApiGateway } from "@/hooks/use-terminal-api-gateway.ts";

import type { Access } from "./access.ts";
import { openScreen } from "./screen.ts";
import type { Screen } from "./screen.ts";
import { TerminalSession } from "./terminal-session.ts";

/** The terminal, and above it how its connection is. */
export function TerminalView({ access }: { access: Access }) {
  const element = useRef<HTMLDivElement>(null);
  const screen = useRef<Screen>(null);
  const session = useRef<TerminalSession>(null);
  /** The connection may be there before the screen, which is loaded. */
  const connected = useRef(false);
  const { error, state, send, resizeTerminal } = useTerminalApiGateway({
    ...access,
    onConnect: (how) => {
      connected.current = true;
      if (screen.current) resizeTerminal(screen.current.cols, screen.current.rows);
      session.current?.connected(how);
    },
    onDisconnect: (closed) => {
      connected.current = false;
      session.current?.disconnected(closed);
    },
    onError: (trouble) => session.current?.trouble(trouble),
    onMessage: (message) => session.current?.received(message),
  });

  useEffect(() => {
    const place = element.current;
    if (!place) return;
    let gone = false;
    const events = { onData: (data: string) => session.current?.typed(data), onSize: resizeTerminal };
    void openScreen(place, events).then((opened) => {
      if (gone) {
        opened.dispose();
        return;
      }
      screen.current = opened;
      session.current = new TerminalSession(opened, send);
      opened.focus();
      if (!connected.current) return;
      resizeTerminal(opened.cols, opened.rows);
      session.current.connected("first");
    });
    return () => {
      gone = true;
      session.current?.dispose();
      screen.current?.dispose();
      screen.current = session.current = null;
    };
  }, [send, resizeTerminal]);

  return (
    <main>
      <header>
        <h1>Terminal</h1>
        <span className="state" data-phase={state.phase} role="status">
          {state.text}
        </span>
        <span className="dim">session {access.sessionId}</span>
        {error !== null && <span className="error">{error}</span>}
      </header>
      <div className="screen" ref={element} />
    </main>
  );
}
