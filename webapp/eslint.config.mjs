import nextVitals from "eslint-config-next/core-web-vitals";
import nextTs from "eslint-config-next/typescript";
import { defineConfig, globalIgnores } from "eslint/config";

// Who may import whom: app → features → {ui, lib, hooks}, hooks → lib. A folder's rule replaces the others' (eslint
// merges no options), so each names all that it forbids.
const socket = { name: "centrifuge", message: "Only hooks/use-websocket.ts opens a socket." };
const reason = (message) => ({ message });
const features = { regex: "^@/features/", ...reason("A feature never imports a feature: what two need belongs in ui/, lib/ or hooks/.") };
const upwards = { regex: "^(@/(features|app)/|\\.\\./)", ...reason("Imports run app → features → ui, lib, hooks.") };
const aside = { regex: "^(@/app/|\\.\\./)", ...reason("A feature imports its own files as ./file, and nothing of app/.") };
const nouns = {
  regex: "^(@/(hooks/|lib/(?!(format|keys|now|preference|texts|time)$))|@tanstack/)",
  ...reason("ui/ shows what it is given: no fetching, no nouns of the plant."),
};
const imports = (...patterns) => ["error", { paths: [socket], patterns }];

export default defineConfig([
  ...nextVitals,
  ...nextTs,
  globalIgnores([".next/**", "out/**", "next-env.d.ts", "lib/schema.d.ts"]),
  {
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      "no-restricted-imports": imports(),
      "no-restricted-globals": [
        "error",
        { name: "WebSocket", message: socket.message },
        { name: "EventSource", message: socket.message },
        { name: "fetch", message: "Ask through lib/api-client.ts, which knows the API's types and errors." },
      ],
    },
  },
  { files: ["features/**"], rules: { "no-restricted-imports": imports(features, aside) } },
  { files: ["hooks/**", "lib/**"], rules: { "no-restricted-imports": imports(upwards) } },
  { files: ["ui/**"], rules: { "no-restricted-imports": imports(upwards, nouns) } },
  {
    files: ["hooks/use-websocket.ts"],
    rules: { "no-restricted-imports": ["error", { patterns: [upwards] }] },
  },
  { files: ["e2e/**", "test/**"], rules: { "no-restricted-imports": "off", "no-restricted-globals": "off" } },
]);
