"use client";

import { AccessForm } from "@/terminal/access-form.tsx";
import { TerminalView } from "@/terminal/terminal-view.tsx";
import { useAccess } from "@/terminal/use-access.ts";

export default function Page() {
  const access = useAccess();
  if (access === undefined) return null;
  return access === null ? <AccessForm /> : <TerminalView access={access} />;
}
