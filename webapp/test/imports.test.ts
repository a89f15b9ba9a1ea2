import { ESLint } from "eslint";
import { describe, expect, test } from "vitest";

const eslint = new ESLint();

async function complaints(filePath: string, code: string) {
  const [result] = await eslint.lintText(code, { filePath });
  return result!.messages.filter((m) => m.ruleId?.startsWith("no-restricted")).length;
}

describe("who may import whom", { timeout: 30_000 }, () => {
  test.each([
    ["features/alerts/x.ts", 'import "@/features/shell/shell";', 1],
    ["features/alerts/x.ts", 'import "../shell/shell";', 1],
    ["features/alerts/x.ts", 'import "./severity"; import "@/ui/button"; import "@/lib/alerts"; import "@/hooks/use-websocket";', 0],
    ["features/alerts/x.ts", 'import "centrifuge";', 1],
    ["lib/x.ts", 'import "@/features/alerts/severity";', 1],
    ["lib/x.ts", 'import "centrifuge";', 1],
    ["ui/x.ts", 'import "@/lib/alerts";', 1],
    ["ui/x.ts", 'import "@tanstack/react-query";', 1],
    ["ui/x.ts", 'import "@/lib/texts";', 0],
    ["app/x.ts", 'import "centrifuge";', 1],
    ["app/x.ts", 'new WebSocket("/ws");', 1],
    ["app/x.ts", 'fetch("/api/alerts");', 1],
    ["hooks/use-websocket.ts", 'import "centrifuge";', 0],
    ["hooks/other.ts", 'import "centrifuge";', 1],
    ["hooks/use-websocket.ts", 'import "@/features/alerts/severity";', 1],
  ])("%s: %s", async (file, code, want) => expect(await complaints(file, code)).toBe(want));
});
