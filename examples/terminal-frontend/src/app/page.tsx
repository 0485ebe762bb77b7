"use client";

import { AccessForm } from "@/terminal/access-form";
import { TerminalView } from "@/terminal/terminal-view";
import { useAccess } from "@/terminal/use-access";

export default function Page() {
  const access = useAccess();
  if (access === undefined) return null;
  return access === null ? <AccessForm /> : <TerminalView access={access} />;
}
