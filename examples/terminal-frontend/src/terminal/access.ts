import type { TokenProvider } from "@/hooks/gateway-socket.mjs";

/** Who connects where. */
export interface Access {
  url: string;
  sessionId: string;
  token: string | TokenProvider;
}

/** Of this tab, so that a reload finds the session. */
const KEPT = "terminal-access";
const SESSION = "terminal-session";

const listeners = new Set<() => void>();
let access: Access | null | undefined;

/** For `useSyncExternalStore`: who connects where; `null`: somebody has to say it; `undefined`: the page is being built. */
export const accessStore = {
  subscribe: (listener: () => void): (() => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
  read: (): Access | null | undefined => (access ??= fromBackend() ?? fromLink() ?? fromTab() ?? null),
  readOnServer: (): undefined => undefined,
};

/** Connects with what was typed, in this tab. */
export function giveAccess(given: { url: string; sessionId: string; token: string }): void {
  sessionStorage.setItem(KEPT, JSON.stringify(given));
  access = given;
  for (const listener of listeners) listener();
}

/** Takes the token out of the address bar. */
export function clearLink(): void {
  if (location.hash !== "") history.replaceState(null, "", location.pathname);
}

/** The link that `npm run dev` prints. Servers never see what follows the `#`. */
function fromLink(): Access | null {
  const link = new URLSearchParams(location.hash.slice(1));
  const [url, sessionId, token] = [link.get("url"), link.get("sessionId"), link.get("token")];
  // Only to this machine: a link from somebody else must not lead to a terminal of theirs.
  if (!url || !sessionId || !token || !isLocal(url)) return null;
  const given = { url, sessionId, token };
  sessionStorage.setItem(KEPT, JSON.stringify(given));
  return given;
}

function fromTab(): Access | null {
  const kept = sessionStorage.getItem(KEPT);
  return kept === null ? null : (JSON.parse(kept) as Access);
}

/** In production: the backend knows who is logged in, and signs a token for this browser's session. */
function fromBackend(): Access | null {
  const url = process.env.NEXT_PUBLIC_WS_URL;
  const tokenUrl = process.env.NEXT_PUBLIC_TOKEN_URL;
  if (!url || !tokenUrl) return null;
  const sessionId = localStorage.getItem(SESSION) ?? crypto.randomUUID();
  localStorage.setItem(SESSION, sessionId);
  return { url, sessionId, token: () => tokenFrom(tokenUrl, sessionId) };
}

async function tokenFrom(tokenUrl: string, sessionId: string): Promise<string> {
  const request = { method: "POST", credentials: "include", headers: { "content-type": "application/json" }, body: JSON.stringify({ sessionId }) } as const;
  const response = await fetch(tokenUrl, request);
  if (!response.ok) throw new Error(`${tokenUrl} answered ${response.status}`);
  const { token } = (await response.json()) as { token?: unknown };
  if (typeof token !== "string") throw new Error(`${tokenUrl} gave no token`);
  return token;
}

function isLocal(url: string): boolean {
  return URL.canParse(url) && ["127.0.0.1", "localhost", "[::1]"].includes(new URL(url).hostname);
}
