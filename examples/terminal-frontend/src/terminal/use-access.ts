import { useEffect, useSyncExternalStore } from "react";

import { accessStore, clearLink } from "./access.ts";
import type { Access } from "./access.ts";

/** Who connects where; `null`: somebody has to say it; `undefined`: not known yet. */
export function useAccess(): Access | null | undefined {
  const access = useSyncExternalStore(accessStore.subscribe, accessStore.read, accessStore.readOnServer);
  useEffect(clearLink, []);
  return access;
}
